"""The command line: parse, call one function, turn errors into exit codes.

Nothing heavy is imported before a command runs, for `--help` must answer at once: the commands are named here as
"module:function", and only the module of the command that is called is loaded.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, NoReturn

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    UnusedCliTokensError,
)

from pipelines.errors import DISK_FAILURES, CalfwatchError, DiskError, UsageError, is_stop
from pipelines.text import escape_unprintable, say

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

NOT_A_PLACE = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)  # a file where a folder should be, or the other way round
TYPE_WORDS: dict[object, str] = {int: "a whole number", float: "a number", date: "a date such as 2026-11-22"}
NOTICE = "Informational, not medical advice. In an emergency call the emergency number."

# group -> command -> (module:function of pipelines.cli, one line for the list of commands)
COMMANDS = {
    "Start here": {
        "demo": ("home:demo", "six months of synthetic reports: ingest, summarise, write the latest weekly report"),
        "status": ("home:status", "what is stored, due or rejected; exit code 7 if something needs attention"),
        "config": ("home:config", "every setting, its value and where it came from"),
    },
    "Take files in": {
        "run": ("engineer:run", "one batch as a Prefect flow: ingest what is new, publish, write reports that are due"),
        "ingest": ("engineer:ingest", "ingest and publish, without Prefect and without the report"),
        "inspect": ("engineer:inspect", "a dry run: what would happen to a file, and a first adapter for its header"),
        "quarantine": ("engineer:quarantine", "rows that were set aside: reasons with counts, or every cell as CSV"),
        "withdraw": ("engineer:withdraw", "take a wrong file back, as if it had never been delivered"),
        "serve": ("schedule:serve", "run the schedules, as Prefect deployments, until stopped"),
        "notify": ("schedule:notify", "try the targets of the notices"),
        "deploy": ("schedule:deploy", "print prefect.yaml for a Prefect server of your own, from the settings"),
        "generate": ("engineer:generate", "synthetic, realistic reports as CSV, and their true causes"),
    },
    "Read the counts": {
        "report": ("analyst:report", "the weekly report"),
        "assess": ("analyst:assess", "keep the clinical lead's assessment of a week, with a contact"),
        "query": ("analyst:query", "read-only SQL over the summaries"),
    },
    "Publish": {
        "release": ("release:release", "release one week to the public, once; exit code 6 if it is refused"),
    },
    "Rules and tags": {
        "explain": ("clinical:explain", "why a record is tagged so: rules, answers, what is missing, guidance"),
        "rules check": ("clinical:check_pack", "everything that is wrong or odd in a pack, with its line"),
        "rules show": ("clinical:show_pack", "the pack as a page to sign"),
        "rules sign": ("clinical:sign_pack", "record who signed the pack, in which role and when"),
        "rules sql": ("clinical:print_sql", "the pack as plain SQL over the view reports"),
        "rules diff": ("clinical:compare_packs", "how two packs tag the stored history differently"),
        "alarm list": ("alarms:list_alarms", "alarms that go on, with the latest note on each"),
        "alarm note": ("alarms:note_alarm", "note something on an alarm"),
        "alarm close": ("alarms:close_alarm", "close an alarm that was looked into; it rises again at twice its count"),
        "alarm reopen": ("alarms:reopen_alarm", "show a closed alarm among the others again"),
        "retag": ("clinical:retag", "tag the stored history with another rule pack, in one transaction"),
    },
    "Keep it safe": {
        "check": ("home:check", "whether the stored state can be trusted; exit code 5 if not"),
        "backup": ("home:backup", "a checked copy of the records, while readers read"),
        "export": ("keeping:export", "the tagged records as Parquet, a folder a source, year and week"),
        "archive": ("keeping:archive", "move files that were taken in out of the incoming folders, by month"),
        "forget": ("keeping:forget", "erase reports for good, or all before a day; their counts stay"),
        "restore": ("home:restore", "put a backup in the place of the records; the old state is kept beside"),
    },
}
FAMILIES = {
    "alarm": "what was found out about an alarm: `list` them, `note`, `close` or `reopen` one",
    "rules": "a rule pack: `check` it, `show` it as a page, `sign` it, print it as `sql`; `diff` compares two",
}


def cli() -> NoReturn:
    """Run one command as a process of its own, which starts and ends as fast as it can."""
    open_standard_streams()
    gc.set_threshold(500_000)  # loading libraries makes many objects, and no garbage to look for
    code = main()
    with contextlib.suppress(OSError, ValueError):  # a closed pipe; Python reports it at its own end
        sys.stdout.flush()
        sys.stderr.flush()
        if "prefect" not in sys.modules:  # which has things of its own to end
            os._exit(code)  # what was opened is closed; to take pandas apart object by object would take 0.2 s
    sys.exit(code)


def open_standard_streams() -> None:
    """Put nothing in the place of a closed stream, or the next file that is opened would be it.

    What the locale cannot show is written as escapes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (docs/commands.md lists them)."""
    os.umask(0o077)  # patient data: whatever is written is for its owner alone
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(words)
    except Exception:  # paths may be any bytes; where a text is wanted, each library says so in its own way
        if odd := [word for word in words if not _is_utf8(word)]:
            return _print_error(UsageError(f"{escape_unprintable(odd[0])} is no text in UTF-8; type it again"))
        raise


def _is_utf8(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _run(words: list[str]) -> int:
    try:
        app = build_app()
        _require_command(app, words)
        return int(app(words) or 0)
    except BaseException as error:
        if not is_stop(error):
            return _explain(error)
        say("calfwatch: interrupted; whatever was committed is kept, the next run goes on", stream=sys.stderr)
        return 130


def _explain(error: BaseException) -> int:
    """Print what a user can mend, and return the exit code; anything else is raised again."""
    try:
        raise error
    except CycloptsError as error:
        return _print_error(UsageError(_describe_usage_error(error)))
    except CalfwatchError as error:
        return _print_error(error)
    except ValueError as error:
        from schemas.pack_file import InvalidPack  # schemas know no exit codes

        if not isinstance(error, InvalidPack):
            raise
        return _print_error(UsageError(*error.args))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _print_error(_explain_os_error(error))


def build_app() -> App:
    """Return the command line with every command, none of which is loaded yet."""
    app = App(
        name="calfwatch",
        help="Calf pain reports in, answers out.",
        help_epilogue=NOTICE,
        help_format="plaintext",
        help_formatter=_HelpFormatter(),
        version=_format_version,
        default_parameter=Parameter(negative=(), show_default=lambda value: value or None),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    completion = "let the shell complete commands and options with the tab key"
    app.command("pipelines.cli.home:install_completion", name="--install-completion", help=completion)
    app["--help"].help, app["--version"].help = "show this help", "show the version"
    for place, (title, commands) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=place)
        for name, (function, text) in commands.items():
            family, _, action = name.rpartition(" ")
            parent = _make_family(app, family, group) if family else app
            parent.command(f"pipelines.cli.{function}", name=action, help=text, group=None if family else group)
    return app


def _make_family(app: App, name: str, group: Group) -> App:
    """Return the command that has the actions of a family below it, made at its first action."""
    if name not in app:
        app.command(App(name=name, help=FAMILIES[name], group=group))
    return app[name]


def _format_version() -> str:
    from importlib.metadata import version

    return f"calfwatch {version('calfwatch')}"


class _HelpFormatter:
    """Prints a section of the help as a title and two columns, without the library's box around it."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        from cyclopts.help import DefaultFormatter, PanelSpec
        from rich.box import Box

        DefaultFormatter(panel_spec=PanelSpec(box=Box("    \n" * 8), padding=(0, 3)))(console, options, panel)

    def render_usage(self, console: Console, options: ConsoleOptions, usage: object) -> None:
        console.print(f"Usage: {str(usage).strip()}\n", highlight=False, markup=False)


def _require_command(app: App, words: Sequence[str]) -> None:
    """Raise UsageError if the words end before a command does."""
    chain, apps, rest = app.parse_commands(words)
    if not rest and apps[-1].default_command is None:
        actions = ", ".join(name for name in apps[-1] if not name.startswith("-"))
        raise UsageError(f"a command is missing; known: {actions}. See `{' '.join(('calfwatch', *chain))} --help`")


def _describe_usage_error(error: CycloptsError) -> str:
    """Return what is wrong with the words that were typed, and which help tells what is allowed."""
    text = str(error).partition(" Available commands")[0]
    name = error.argument.name if error.argument else ""
    if isinstance(error, UnusedCliTokensError):
        text = f"unexpected '{' '.join(error.unused_tokens or [])}'; quote an argument that has spaces in it."
    elif isinstance(error, MissingArgumentError):
        text = f"{name} needs a value." if name.startswith("-") else f"{name} is missing."
    elif isinstance(error, CoercionError) and error.token and error.target_type in TYPE_WORDS:
        text = f"{name} must be {TYPE_WORDS[error.target_type]}, not '{error.token.value}'."
    command = " ".join(("calfwatch", *(error.command_chain or ())))
    return f"{text} See `{command} --help`"


def _explain_os_error(error: OSError) -> CalfwatchError:
    """Return an error that says what to do about one of the system."""
    if isinstance(error, PermissionError):
        advice = "calfwatch needs to read and write it: change its permissions, or ask its owner to"
        return UsageError(f"{error.filename or 'a file'}: {error.strerror}; {advice}")
    if error.errno in NOT_A_PLACE:
        return UsageError(f"{error.filename}: {error.strerror}; choose another path")
    if error.errno in DISK_FAILURES:
        return DiskError(error.filename or "the disk", str(error.strerror))
    return UsageError(f"{error.filename or 'the system'}: {error.strerror or error}; mend it, or choose another path")


def _print_error(error: CalfwatchError) -> int:
    """Print the message, which may quote a file's name or an answer of the database; return the exit code."""
    first, *more = map(str, error.args)
    say(f"calfwatch: {first}", *more, stream=sys.stderr)
    return error.exit_code
