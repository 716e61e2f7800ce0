"""Exit codes of the `parley` command and the one error that carries them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell is told: scripts and supervisors branch on these."""

    DONE = 0
    WRONG = 1  # looked at and found wrong
    USAGE = 2  # asked for something that makes no sense here
    UNREACHABLE = 3  # a server, database or port did not answer


class CommandError(Exception):
    """A command ends here: `message` goes to stderr without a traceback.

    `exit_code` is one of `ExitCode`; the message names what is wrong and what to do about it.
    """

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(exit_code)
        self.message = message


def words_of_refusal(error: Exception) -> str:
    """PostgreSQL's own words for what it refused, without what drivers put around them."""
    original = getattr(error, "orig", None) or error
    return str(original).partition("\n")[0] or type(original).__name__
