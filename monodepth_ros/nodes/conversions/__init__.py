"""Arrays to messages. The other way is data.bags.messages."""
