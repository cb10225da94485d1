"""The command line: parse, call one function, turn errors into exit codes.

Nothing heavy is imported before a command runs: `--help` must answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from datetime import date
from typing import NoReturn

from pipelines.errors import DISK_FAILURES, CalfwatchError, DiskError, UsageError
from pipelines.text import printable

NOT_A_PLACE = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)  # a file where a folder should be, or the other way round
NOTICE = "Informational, not medical advice. In an emergency call the emergency number."


def cli() -> NoReturn:
    """Runs one command as a process of its own, which starts and ends as fast as it can."""
    gc.set_threshold(500_000)  # loading libraries makes many objects, and no garbage to look for
    code = main()
    with contextlib.suppress(OSError):  # a closed pipe; Python tells it at its own end
        sys.stdout.flush()
        sys.stderr.flush()
        if "prefect" not in sys.modules:  # which has things of its own to end
            os._exit(code)  # what was opened is closed; to take pandas apart object by object would take 0.2 s
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (docs/commands.md lists them)."""
    os.umask(0o077)  # patient data: whatever is written is for its owner alone
    options = build_parser().parse_args(arguments)
    try:
        command = getattr(importlib.import_module("pipelines.cli.commands"), options.function)
        return int(command(options) or 0)
    except CalfwatchError as error:
        return _told(error)
    except ValueError as error:
        from schemas.pack_file import InvalidPack

        if not isinstance(error, InvalidPack):
            raise
        return _told(UsageError(str(error)))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _told(_meant(error))
    except (KeyboardInterrupt, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "Query interrupted" not in str(error):  # DuckDB's word for Ctrl-C
            raise
        print("calfwatch: interrupted; whatever was committed is kept, the next run goes on", file=sys.stderr)
        return 130


def _meant(error: OSError) -> CalfwatchError:
    """What a person can do about an error of the system; one that nobody foresaw is raised again."""
    if isinstance(error, PermissionError):
        return UsageError(f"{error.filename or 'a file'}: {error.strerror}; mend its mode, or ask its owner")
    if error.errno in NOT_A_PLACE:
        return UsageError(f"{error.filename}: {error.strerror}; name another place")
    if error.errno in DISK_FAILURES:
        return DiskError(error.filename or "the disk", str(error.strerror))
    raise error


def _told(error: CalfwatchError) -> int:
    """Prints the message, which may quote a file's name or an answer of the database; returns the exit code."""
    print("\n".join(map(printable, f"calfwatch: {error}".split("\n"))), file=sys.stderr)
    return error.exit_code


def build_parser() -> argparse.ArgumentParser:
    """Every command and option."""
    parser = argparse.ArgumentParser(prog="calfwatch", description="Calf pain reports in, answers out.", epilog=NOTICE)
    parser.add_argument("--version", action="version", version=_version_line())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _demo(commands)
    _run(commands)
    _ingest(commands)
    _report(commands)
    _query(commands)
    _explain(commands)
    _rules(commands)
    _retag(commands)
    _quarantine(commands)
    _withdraw(commands)
    _safety(commands)
    _add(commands, "status", "what is stored, what was rejected; exit code 7 where something needs attention")
    _add(commands, "config", "every setting, its value and where it came from")
    _serve(commands)
    _generate(commands)
    return parser


def _version_line() -> str:
    from importlib.metadata import version

    return f"calfwatch {version('calfwatch')}"


def _add(commands: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text, epilog=NOTICE)
    parser.add_argument("--home", metavar="DIR", help="state directory (else CALFWATCH_HOME, else ./calfwatch-home)")
    parser.set_defaults(function=name)
    return parser


def _writer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", metavar="NAME", help="whose files these are (else by file name, else canonical)")
    _waits(parser)


def _waits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", type=float, default=60, metavar="SECONDS", help="for another writer (default 60)")


def _demo(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(
        commands, "demo", "six months of synthetic reports: ingest, summarise, write the latest weekly report"
    )
    parser.add_argument("--reports", type=int, default=100_000, metavar="N", help="default 100000")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="default 1")
    parser.set_defaults(wait=60)


def _run(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(
        commands, "run", "one batch as a Prefect flow: ingest what is new, publish, write reports that are due"
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files, folders or globs (else `incoming` of the settings)"
    )
    _writer(parser)


def _ingest(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(commands, "ingest", "ingest and publish, without Prefect and without the report")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders or globs")
    _writer(parser)


def _report(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(commands, "report", "the weekly report")
    parser.add_argument(
        "--week", default="latest", metavar="WEEK", help="such as 2026-W47 (default: the last complete one)"
    )
    parser.add_argument("--as-known-now", action="store_true", help="recompute a published week; needs --out")
    parser.add_argument("--out", metavar="DIR", help="write there instead of HOME/reports")


def _query(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(commands, "query", "read-only SQL over the summaries")
    parser.add_argument("sql", metavar="SQL", help='one statement, such as "FROM weekly_triage"')
    parser.add_argument("--db", choices=("summaries", "public", "records"), default="summaries")
    parser.add_argument("--format", choices=("table", "csv", "json", "parquet"), default="table")
    parser.add_argument("--out", metavar="FILE", help="write there (parquet needs it on a terminal)")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="stop after (default 60)")


def _explain(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(commands, "explain", "why a record is tagged so: rules, answers, what is missing, guidance")
    parser.add_argument("report_id", metavar="REPORT_ID")
    parser.add_argument("--source", metavar="NAME", help="needed where two senders use the same id")
    parser.add_argument("--file", metavar="FILE_ID", help="the version that this file delivered, if replaced since")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--out", metavar="FILE", help="as a page (HTML) in that file")


def _rules(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    text = "a rule pack: `check` it; `show` it as a page to sign, or as `sql`; `sign` it; `diff` two of them"
    parser = commands.add_parser("rules", help=text, description=text, epilog=NOTICE)
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    one_pack = "a TOML file (else the pack of the home, else the shipped one)"
    for action, what in (
        ("check", "everything that is wrong or odd in a pack, with its line"),
        ("show", "the pack as a page to sign"),
        ("sql", "the pack as plain SQL over the view reports"),
    ):
        _add(actions, action, what).add_argument("pack", nargs="?", metavar="PACK", help=one_pack)
    sign = _add(actions, "sign", "record who signed the pack (else the one in use), in which role and when")
    sign.add_argument("pack", nargs="?", metavar="PACK", help="a TOML file (else the pack in use)")
    sign.add_argument("--name", required=True, metavar="NAME", help="who signs")
    sign.add_argument("--role", required=True, metavar="ROLE", help="in which role, such as clinical lead")
    sign.add_argument("--date", type=date.fromisoformat, metavar="DATE", help="day of the signature (default: today)")
    _waits(sign)
    diff = _add(actions, "diff", "how two packs tag the stored history differently; nothing is written")
    diff.add_argument("packs", nargs=2, metavar="PACK", help="a TOML file, or `stored` for what tagged the history")
    diff.add_argument("--json", action="store_true", help="as JSON")
    for each in actions.choices.values():
        each.set_defaults(function="rules")


def _retag(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(commands, "retag", "tag the stored history with another rule pack, in one transaction")
    parser.add_argument("--pack", metavar="FILE", help="a TOML file (else rule_pack of the settings, else the shipped)")
    _waits(parser)


def _quarantine(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(
        commands, "quarantine", "rows that were set aside: `list` counts reasons, `export` prints every cell as CSV"
    )
    parser.add_argument("action", choices=("list", "export"))
    parser.add_argument("--file", metavar="FILE_ID", help="only this file (the first characters are enough)")


def _withdraw(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(commands, "withdraw", "take a wrong file back, as if it had never been delivered")
    parser.add_argument("file_id", metavar="FILE_ID", help="its first characters are enough")
    parser.add_argument("--source", metavar="NAME", help="needed where two senders delivered the same content")
    parser.add_argument("--csv", action="append", metavar="PATH", help="where later files that must be read again lie")
    parser.add_argument("--undo", action="store_true", help="let a withdrawn file be taken in at its next delivery")
    _waits(parser)


def _safety(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    check = _add(commands, "check", "whether the stored state can be trusted; exit code 5 where it cannot")
    check.add_argument("--deep", action="store_true", help="every block, row, tag and count, not the sums alone")
    backup = _add(commands, "backup", "a checked copy of the records, while readers read")
    restore = _add(commands, "restore", "put a backup in the place of the records; the old state is kept beside")
    for parser in (backup, restore):
        parser.add_argument("file", metavar="FILE")
    for parser in (check, backup, restore):
        _waits(parser)


def _serve(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(commands, "serve", "run the schedules, as Prefect deployments, until stopped")
    parser.add_argument("--ingest-cron", metavar="CRON", help="when to ingest (else ingest_cron of the settings)")
    parser.add_argument("--report-cron", metavar="CRON", help="when to write the report (else report_cron)")


def _generate(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    parser = _add(commands, "generate", "synthetic, realistic reports as CSV, with the true causes beside")
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--reports", type=int, default=100_000, metavar="N", help="default 100000")
    parser.add_argument("--weeks", type=int, default=26, metavar="W", help="default 26")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="default 1")
    parser.add_argument("--end", type=date.fromisoformat, metavar="DATE", help="last day (default: today)")
    parser.add_argument("--files", choices=("weekly", "daily", "single"), default="weekly", help="default weekly")
    parser.add_argument("--outbreak", metavar="CAUSE:REGION:WEEK:WEEKS:FACTOR", help="more of a cause in a region")
