"""How two depths are compared: one file for each term."""
