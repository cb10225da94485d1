"""One function a command: load, do, print, and the exit code by the error that ends it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipelines.errors import FilesRejectedError, UsageError, lost_records
from pipelines.settings import Settings, home_path, load_settings, settings_rows
from pipelines.text import many

ATTENTION = 7


def demo(options: argparse.Namespace) -> int:
    """Generates, ingests, summarises and reports, in a home of its own; a second time nothing is doubled."""
    from pipelines.intake.lines import find_deliveries
    from pipelines.jobs.batch import ingest_batch
    from pipelines.store.database import Home
    from pipelines.synthetic import generate as write_reports

    home = Home(home_path(options.home))
    home.make()
    settings = load_settings(home.path)
    incoming = home.path / "demo"
    if not (incoming / "reports").exists():
        shutil.rmtree(incoming, ignore_errors=True)  # what a killed run left half made
        print(f"writing {options.reports:,} synthetic reports over 26 weeks, no real person among them")
        write_reports(incoming, reports=options.reports, weeks=26, seed=options.seed, end=_last_sunday(date.today()))
    with _progress() as tell:
        deliveries = find_deliveries([str(incoming / "reports")], settings, None)
        done = ingest_batch(home, settings, deliveries, options.wait, tell)
    _print_totals(done)
    folder = _write_due_report(home)
    _print_demo(home, folder)
    return _rejected(done)


def _last_sunday(today: date) -> date:
    """The end of the last complete ISO week."""
    return today - timedelta(days=today.isoweekday() % 7 or 7)


def _print_demo(home: Any, folder: Path) -> None:
    where = f"--home {shlex.quote(os.path.relpath(home.path))}"
    command = shlex.quote(sys.argv[0]) if "/" in sys.argv[0] else "calfwatch"
    sql = "SELECT week, triage_level, reports, share FROM weekly_triage ORDER BY week DESC LIMIT 4"
    print(f"""
records    {home.records}   (private: every record with its tags)
summaries  {home.summaries}   (counts only: query it from any tool)
report     {folder / "internal.html"}

try next:
  {command} query {where} "{sql}"
  {command} explain {where} {_some_id(home)}
  {command} status {where}""")


def _some_id(home: Any) -> str:
    """A record worth explaining: the latest emergency, else any."""
    from pipelines.connections import read_only

    sql = "SELECT report_id FROM reports ORDER BY triage_level = 'emergency' DESC, reported_at DESC, report_id LIMIT 1"
    with contextlib.closing(read_only(home.records)) as connection:
        row = connection.execute(sql).fetchone()
    return str(row[0]) if row else "REPORT_ID"


def run(options: argparse.Namespace) -> int:
    """One batch as a Prefect flow; a failed file is named, and the flow run ends as failed."""
    from pipelines.prefect_server import prepare_prefect, start_told
    from pipelines.store.database import Home

    home = Home(home_path(options.home))
    home.make()
    settings = load_settings(home.path)
    paths = options.paths or [str(home.path / path) for path in settings.incoming]
    prepare_prefect(home.path)
    from pipelines import flows

    with start_told():
        flows.run_once(home.path, paths, options.source, options.wait)
    return 0


def ingest(options: argparse.Namespace) -> int:
    """The same steps as `run` up to the published summaries, without Prefect's start-up cost.

    pandas and pandera load, and the records are opened, while the first file is already read.
    """
    from pipelines.intake.lines import SUFFIXES, find_deliveries
    from pipelines.intake.reader import read_ahead
    from pipelines.store.database import Home

    home = Home(home_path(options.home))
    home.make()
    settings = load_settings(home.path)
    deliveries = find_deliveries(options.paths, settings, options.source)
    if not deliveries:
        print(f"no {', '.join(SUFFIXES)} there: {' '.join(options.paths)}", file=sys.stderr)
    with read_ahead(home, settings, deliveries) as ahead:
        from pipelines.jobs.batch import ingest_batch

        with _progress() as tell:
            done = ingest_batch(home, settings, deliveries, options.wait, tell, ahead=ahead)
    _print_totals(done)
    return _rejected(done)


def _print_totals(done: Sequence[Any]) -> None:
    from pipelines.jobs.batch import totals

    print(totals(done))


def _rejected(done: Sequence[Any]) -> int:
    from pipelines.jobs.batch import rejected_told

    bad = [outcome for outcome in done if outcome.status == "rejected"]
    if bad:
        raise FilesRejectedError(rejected_told(len(bad), len(done)))
    return 0


@contextlib.contextmanager
def _progress() -> Iterator[Any]:
    """A bar on a terminal, plain lines elsewhere; yields what a batch tells its progress to."""
    from pipelines.jobs.batch import Lines

    if not sys.stderr.isatty():
        yield Lines()
        return
    from pipelines.cli.progress import Bar

    with Bar() as bar:
        yield bar


def report(options: argparse.Namespace) -> int:
    """Writes a week's report, or says where the published one is: a published week is frozen."""
    from pipelines.jobs.weekly_report import write_week
    from pipelines.store.database import Home

    home = _existing_home(options.home)
    if options.as_known_now and not options.out:
        raise UsageError("--as-known-now leaves the published report alone: say where with --out DIR")
    out = Path(options.out) if options.out else None
    started = time.time()
    page = write_week(Home(home), options.week, out, options.as_known_now) / "internal.html"
    print(page)
    if page.stat().st_mtime < started:
        print("published before, and left as it is; weekly_revisions tells what has changed since", file=sys.stderr)
    return 0


def _write_due_report(home: Any) -> Path:
    from pipelines.jobs.weekly_report import write_week

    return write_week(home, "latest", None, False)


def query(options: argparse.Namespace) -> int:
    """Read-only, sandboxed SQL."""
    from pipelines.cli.output import write_result
    from pipelines.jobs.query import run_query

    home = _existing_home(options.home)
    result = run_query(home / f"{options.db}.duckdb", options.sql, options.timeout, force=True)
    write_result(result, options.format, options.out)
    return 0


def explain(options: argparse.Namespace) -> int:
    """Why a record is tagged so."""
    from pipelines.explain.explanation import explain_report
    from pipelines.explain.text import explanation_text

    home = _existing_home(options.home)
    found = explain_report(home / "records.duckdb", options.report_id, options.source, options.file)
    if options.out:
        _write_page(Path(options.out), found)
        return 0
    print(json.dumps(found, indent=2, default=str) if options.json else explanation_text(found))
    return 0


def _write_page(path: Path, found: dict[str, Any]) -> None:
    from pipelines.explain.pages import explanation_page, write_private

    print(write_private(path, explanation_page(found)))


def rules(options: argparse.Namespace) -> int:
    """Checks or prints a rule pack, or compares two over the stored history."""
    from pipelines.store.packs import history_pack, pack_path, recorded_signatures
    from schemas.pack_file import load_pack

    if options.action == "diff":
        return _diff(options)
    if options.action == "sign":
        return _sign(options)
    home = home_path(options.home)
    path = Path(options.pack) if options.pack else pack_path(home, load_settings(home))
    if options.action != "check" and not options.pack and (home / "records.duckdb").exists():
        pack = history_pack(home)  # what tagged the records there, whatever the settings say
    else:
        pack = load_pack(path)
    if options.action == "show" and (home / "records.duckdb").exists():
        _show_pack(pack, path, recorded_signatures(home, pack.version))
        return 0
    actions: dict[str, Callable[[Any, Path], None]] = {"check": _check_pack, "show": _show_pack, "sql": _print_sql}
    actions[options.action](pack, path)
    return 0


def _sign(options: argparse.Namespace) -> int:
    """A signature under a pack."""
    from pipelines.jobs.sign import sign_pack
    from pipelines.store.database import Home

    home = _existing_home(options.home)
    signature = (options.name, options.role, options.date or date.today())
    print(sign_pack(Home(home), load_settings(home), options.pack, signature, options.wait))
    return 0


def _diff(options: argparse.Namespace) -> int:
    """What another pack would change."""
    from pipelines.explain.comparison_text import comparison_text
    from pipelines.jobs.batch import compare_packs
    from pipelines.store.database import Home

    home = _existing_home(options.home)
    found = compare_packs(Home(home), load_settings(home), *options.packs)
    print(json.dumps(asdict(found), indent=2) if options.json else comparison_text(found))
    return 0


def retag(options: argparse.Namespace) -> int:
    """The history under another rule pack."""
    from pipelines.jobs.batch import retag_history
    from pipelines.store.database import Home

    home = _existing_home(options.home)
    print(retag_history(Home(home), load_settings(home), options.pack, options.wait))
    return 0


def _check_pack(pack: Any, path: Path) -> None:
    """Prints warnings and notes, each with its line; raises UsageError with the errors."""
    from pipelines.rules.lint import ERROR, findings

    found = findings(pack)
    for finding in found:
        if finding.severity != ERROR:
            print(f"{path}:{finding.line}: {finding.severity}: {finding.what}")
    if errors := [f"{path}:{finding.line}: {finding.what}" for finding in found if finding.severity == ERROR]:
        raise UsageError("\n".join(errors))
    print(
        f"{pack.version}: {len(pack.fields)} fields, {len(pack.triage)} triage rules, {len(pack.evidence)} evidence "
        f"rows for {len(pack.causes)} causes, {len(pack.guidance)} guidance entries; no error found"
    )


def _show_pack(pack: Any, path: Path, signatures: Sequence[dict[str, Any]] = ()) -> None:
    """The pack as a page to sign."""
    from pipelines.explain.rule_page import pack_page

    print(pack_page(pack, signatures))


def _print_sql(pack: Any, path: Path) -> None:
    """The pack as SQL over `reports`."""
    from pipelines.rules.plain_sql import plain_sql

    print(plain_sql(pack))


def quarantine(options: argparse.Namespace) -> int:
    """Counts the reasons, or exports every bad cell."""
    from pipelines.jobs.quarantine import reason_lines, write_cells

    records = _existing_home(options.home) / "records.duckdb"
    if options.action == "export":
        write_cells(records, options.file or "", sys.stdout)
    else:
        print("\n".join(reason_lines(records, options.file or "")))
    return 0


def withdraw(options: argparse.Namespace) -> int:
    """Takes a wrong file back and publishes; or, with --undo, lets it in again at its next delivery."""
    from pipelines.jobs.batch import withdraw_file
    from pipelines.store.database import Home

    home = _existing_home(options.home)
    settings = load_settings(home)
    print(
        withdraw_file(
            Home(home), settings, options.file_id, options.source, options.csv or [], options.undo, options.wait
        )
    )
    return 0


def check(options: argparse.Namespace) -> int:
    """Whether the stored state can be trusted."""
    from pipelines.jobs.check import check as look
    from pipelines.store.database import Home
    from pipelines.store.packs import configured_pack

    home = Home(_existing_home(options.home))
    settings = load_settings(home.path)
    with home.lock(options.wait):
        lines = look(home, settings, configured_pack(home, settings), options.deep)
    print("\n".join(f"ok  {line}" for line in lines))
    return 0


def backup(options: argparse.Namespace) -> int:
    """A checked copy of the records."""
    from pipelines.jobs.backup import backup as copy_records
    from pipelines.store.database import Home

    records = copy_records(Home(_existing_home(options.home)), Path(options.file).absolute(), options.wait)
    print(f"{options.file}: {many(records, 'record')}, opened and checked")
    return 0


def restore(options: argparse.Namespace) -> int:
    """A backup in the place of the records."""
    from pipelines.jobs.backup import restore as put_back
    from pipelines.store.database import Home
    from pipelines.store.packs import configured_pack

    home = Home(home_path(options.home))
    home.make()
    settings = load_settings(home.path)
    pack = configured_pack(home, settings)
    records, kept = put_back(home, settings, pack, Path(options.file).absolute(), options.wait)
    print(f"{many(records, 'record')} restored" + (f"; the state before is kept as {kept}" if kept else ""))
    return 0


def status(options: argparse.Namespace) -> int:
    """What is stored and what needs attention."""
    from pipelines.jobs.status import status_of

    lines, attention = status_of(_existing_home(options.home))
    print("\n".join(lines))
    return ATTENTION if attention else 0


def config(options: argparse.Namespace) -> int:
    """Every setting with its origin."""
    home = home_path(options.home)
    settings: Settings = load_settings(home)
    print(f"home = {home}  ({_home_origin(options.home)})")
    for name, value, origin, meaning in settings_rows(settings):
        print(f"{name} = {value}  ({origin}: {meaning})")
    return 0


def _home_origin(given: str | None) -> str:
    return "--home" if given else "CALFWATCH_HOME" if os.environ.get("CALFWATCH_HOME") else "default"


def serve(options: argparse.Namespace) -> int:
    """Runs both schedules until stopped."""
    from pipelines.prefect_server import prepare_prefect, running_server
    from pipelines.store.database import Home

    home = Home(home_path(options.home))
    home.make()
    settings = load_settings(home.path)
    ingest_cron, report_cron = options.ingest_cron or settings.ingest_cron, options.report_cron or settings.report_cron
    prepare_prefect(home.path)
    with running_server():
        from pipelines import flows

        flows.serve_schedules(home.path, settings, ingest_cron, report_cron)
    return 0


def generate(options: argparse.Namespace) -> int:
    """Synthetic reports."""
    from pipelines.synthetic import Outbreak
    from pipelines.synthetic import generate as write_reports

    outbreak = Outbreak.parse(options.outbreak) if options.outbreak else None
    end = options.end or date.today()
    paths = write_reports(
        Path(options.out),
        reports=options.reports,
        weeks=options.weeks,
        seed=options.seed,
        end=end,
        outbreak=outbreak,
        files=options.files,
    )
    print(f"{many(len(paths), 'file')} in {paths[0].parent}")
    return 0


def _existing_home(given: str | None) -> Path:
    home = home_path(given)
    if not (home / "records.duckdb").exists():
        if (home / "summaries.duckdb").exists():
            raise lost_records(home / "records.duckdb")
        raise UsageError(f"{home}: nothing is stored there yet; try `calfwatch ingest PATH` or another --home")
    return home
