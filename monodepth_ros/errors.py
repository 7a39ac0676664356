"""Errors that end a command in one line: those that a user can mend, and failures."""


class UserError(Exception):
    """A mistake in what the user gave: a file, a recipe key, a value, a name.

    The message is one line that says what is wrong, where, and what to do. The command line prints
    that line and exits with status 2; library code lets the exception through.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class WrongUse(UserError):
    """An option is missing or does not belong here; the files may be good."""


class Failure(Exception):
    """What was asked for rightly did not come about.

    The message is one line. The command line prints it and exits with status 1.
    """


def printable(text: object) -> str:
    """The text of ``text`` for any terminal and file: a name's bytes that are not UTF-8 as escapes.

    Linux gives names as bytes. Python keeps those of them that are not UTF-8 as characters that no
    output takes; here they come out as ``\\udce9``.
    """
    return str(text).encode("utf-8", "backslashreplace").decode()


def reason_of(error: Exception) -> str:
    """What to tell of it: a UserError speaks for itself, of others the kind matters too."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
