"""Errors that a user can cause and mend."""


class UserError(Exception):
    """A mistake in what the user gave: a file, a recipe key, a value, a name.

    The message is one line that says what is wrong, where, and what to do. The command line prints
    that line and exits with status 2; library code lets the exception through.
    """
