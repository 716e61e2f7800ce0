"""The `parley` command: one Click group whose commands are imported only when they are used.

`parley --help` therefore answers at once, and with broken settings too. Exit codes are decided
here and nowhere else: 0 done, 1 checked and found wrong, 2 usage, 3 something unreachable.
"""

import importlib
import socket
import sys
from collections.abc import Iterator, Sequence

import click

from app.cli.environment import load_environment
from app.cli.errors import CommandError, ExitCode, words_of_refusal

# name -> (module, attribute, line for the list of commands)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "up": ("app.cli.commands.up", "up", "Run everything on this machine, simulator included."),
    "demo": ("app.cli.commands.demo", "demo", "Show one conversation, with evidence, and stop."),
    "serve": ("app.cli.commands.serve", "serve", "Run the web API."),
    "worker": ("app.cli.commands.worker", "worker", "Run a worker: answers and sends."),
    "scheduler": ("app.cli.commands.scheduler", "scheduler", "Run the dispatcher and sweeps."),
    "migrate": ("app.cli.commands.migrate", "migrate", "Move the database schema up or down."),
    "doctor": ("app.cli.commands.doctor", "doctor", "Check this installation, say what to do."),
    "smoke": ("app.cli.commands.smoke", "smoke", "Look at a deployment from outside."),
    "plans": ("app.cli.commands.plans", "plans", "Show and change plans and top-up packages."),
    "credits": ("app.cli.commands.credits", "credits", "Grant, read and verify credits."),
    "tenants": ("app.cli.commands.tenants", "tenants", "List businesses, suspend, resume them."),
    "admin": ("app.cli.commands.admin", "admin", "Make platform admins."),
    "secrets": ("app.cli.commands.secrets", "secrets", "Rotate the keys of secrets at rest."),
    "eval": (
        "app.cli.commands.evaluate",
        "evaluate",
        "Measure retrieval and answers on known questions.",
    ),
    "bench": ("app.cli.commands.bench", "bench", "Measure this machine against the budgets."),
    "chaos": ("app.cli.commands.chaos", "chaos", "Let everything fail, prove nothing was lost."),
}
# SQLSTATEs of a connection that is refused: class 28 wrong login, 3D000 no such database.
_LOGIN_STATES = ("28", "3D000")
# These make their own environment; the one of a stack already running would mislead them.
OWN_ENVIRONMENT = frozenset({"up", "demo", "smoke", "chaos"})


class LazyGroup(click.Group):
    """Lists commands from `COMMANDS` and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table: from the everyday to the rare."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; None when there is no such name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without importing a single command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="parley", prog_name="parley")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Parley: an AI front desk for WhatsApp.

    While `parley up` runs, the other commands typed in the same directory take its environment;
    anywhere else they read DATABASE_URL and the other variables as a deployment sets them.

    \b
    Exit codes: 0 done, 1 checked and found wrong, 2 wrong usage, 3 something unreachable.
    """  # noqa: D301 - \b is Click's mark for "do not re-wrap"
    if ctx.invoked_subcommand not in OWN_ENVIRONMENT:
        load_environment()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run the command line; the exit code. Errors are told on stderr."""
    try:
        result = cli.main(args=list(argv), prog_name="parley", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return _fail(ExitCode.WRONG, "stopped")
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CommandError as error:
        return _fail(error.exit_code, error.message)
    except Exception as error:
        code = code_of(error)
        if code is None:
            raise
        return _fail(code, _words(error, code))
    return result if isinstance(result, int) else ExitCode.DONE


def code_of(error: BaseException) -> ExitCode | None:
    """The exit code of an error that needs no traceback; None for a defect of ours."""
    from sqlalchemy.exc import DBAPIError

    from app.core.db.away import is_away
    from app.core.errors import ConfigurationError, ParleyError, RefusedError, UnavailableError

    for link in _chain(error):
        # A server that starts or stops answers, but with a refusal of its own.
        if isinstance(link, DBAPIError) and is_away(link):
            return ExitCode.UNREACHABLE
        if _is_refused_login(link):
            return ExitCode.WRONG
        if isinstance(link, UnavailableError | ConnectionError | TimeoutError | socket.gaierror):
            return ExitCode.UNREACHABLE
        if isinstance(link, RefusedError):
            return ExitCode.USAGE
        if isinstance(link, ConfigurationError | ParleyError):
            return ExitCode.WRONG
    return None


def _is_refused_login(error: BaseException) -> bool:
    """Whether PostgreSQL does not let the login of a URL in, or has no such database."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(state, str) and state.startswith(_LOGIN_STATES)


def _words(error: Exception, code: ExitCode) -> str:
    """What to tell of an error that no command has put into words."""
    from app.core.errors import ParleyError

    told = words_of_refusal(error) if str(error) else type(error).__name__
    if any(_is_refused_login(link) for link in _chain(error)):
        return f"PostgreSQL refused: {told}. Check DATABASE_URL and DATABASE_SYSTEM_URL."
    if code is ExitCode.UNREACHABLE and not isinstance(error, ParleyError):
        return f"something does not answer ({told}): `parley doctor` says what."
    return str(error) or told


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it: drivers wrap a refused connection in errors of their own."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _fail(code: ExitCode, message: str) -> int:
    click.echo(f"parley: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
