"""Commands for who answers for the rules: why a record is tagged so, and what a rule pack says."""

from __future__ import annotations

import json as json_text
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipelines import clock
from pipelines.cli.options import (
    DEFAULT_WAIT,
    HomeOption,
    JsonOption,
    WaitOption,
    refresh_status,
    require_home,
    resolve_home,
)
from pipelines.errors import UsageError
from pipelines.text import say

if TYPE_CHECKING:
    from schemas.pack import Pack

PackFile = Annotated[
    str | None, Parameter(name="PACK", help="a TOML file (else the pack of the home, else the shipped one)")
]
ComparedPack = Annotated[str, Parameter(help="a TOML file, or `stored` for what tagged the history")]


def explain(
    report_id: str,
    /,
    *,
    home: HomeOption = None,
    source: Annotated[str | None, Parameter(metavar="NAME", help="needed if two senders use the same id")] = None,
    file: Annotated[
        str | None, Parameter(metavar="FILE_ID", help="the version that this file delivered, if replaced since")
    ] = None,
    json: JsonOption = False,
    out: Annotated[str | None, Parameter(metavar="FILE", help="as a page (HTML) in that file")] = None,
) -> None:
    """Explain why a record is tagged so: rules, answers, what is missing, guidance."""
    from pipelines.explain.explanation import explain_report
    from pipelines.explain.text import render_explanation
    from pipelines.files import write_output
    from pipelines.store.home import refuse_own_output

    if json and out:
        raise UsageError("--json prints the explanation, and --out writes it as a page: take one of them")
    path = require_home(home)
    if out:
        refuse_own_output(Path(out), path)
    found = explain_report(path / "records.duckdb", report_id, source, file)
    if out:
        from pipelines.explain.pages import render_explanation_page

        write_output(Path(out), render_explanation_page(found).encode())
        say(out)
    else:
        say(*(json_text.dumps(found, indent=2, default=str) if json else render_explanation(found)).split("\n"))


def check_pack(pack: PackFile = None, /, *, home: HomeOption = None) -> None:
    """List everything that is wrong or odd in a pack, with its line."""
    from pipelines.rules.lint import ERROR, list_findings
    from schemas.pack_file import load_pack

    path = _choose_pack_path(pack, resolve_home(home))
    checked = load_pack(path)
    found = list_findings(checked)
    for finding in found:
        if finding.severity != ERROR:
            say(f"{path}:{finding.line}: {finding.severity}: {finding.what}")
    if errors := [f"{path}:{finding.line}: {finding.what}" for finding in found if finding.severity == ERROR]:
        raise UsageError(*errors)
    say(
        f"{checked.version}: {len(checked.fields)} fields, {len(checked.triage)} triage rules, "
        f"{len(checked.evidence)} evidence rows for {len(checked.causes)} causes, "
        f"{len(checked.guidance)} guidance entries; no error found"
    )


def show_pack(pack: PackFile = None, /, *, home: HomeOption = None) -> None:
    """Print a pack as a page to sign, in Markdown, with the signatures that the home has recorded."""
    from pipelines.explain.rule_page import render_pack_page
    from pipelines.store.packs import read_recorded_signatures

    shown, path = _load_pack(pack, home), resolve_home(home)
    signatures = read_recorded_signatures(path, shown.version) if (path / "records.duckdb").exists() else []
    say(*render_pack_page(shown, signatures).split("\n"))


def sign_pack(
    pack: Annotated[str | None, Parameter(name="PACK", help="a TOML file (else the pack in use)")] = None,
    /,
    *,
    name: Annotated[str, Parameter(metavar="NAME", help="who signs")],
    role: Annotated[str, Parameter(metavar="ROLE", help="in which role, such as clinical lead")],
    signed_on: Annotated[
        date | None, Parameter(name="--date", metavar="DATE", help="day of the signature (else today)")
    ] = None,
    home: HomeOption = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Record who signed the pack, in which role and when."""
    from pipelines.jobs.packs.sign import sign_pack as record_signature
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    path = require_home(home)
    settings = load_settings(path)
    signature = (name, role, signed_on or clock.today(settings.time_zone))
    say(record_signature(Home(path), settings, pack, signature, wait))


def print_sql(pack: PackFile = None, /, *, home: HomeOption = None) -> None:
    """Print a pack as plain SQL over the view `reports`."""
    from pipelines.rules.plain_sql import plain_sql

    say(*plain_sql(_load_pack(pack, home)).split("\n"))


def _load_pack(given: str | None, home: str | None) -> Pack:
    """Return the pack of a file, else the one that tagged the records of the home, else the configured one."""
    from pipelines.store.packs import load_history_pack
    from schemas.pack_file import load_pack

    path = resolve_home(home)
    if not given and (path / "records.duckdb").exists():
        return load_history_pack(path)
    return load_pack(_choose_pack_path(given, path))


def _choose_pack_path(given: str | None, home: Path) -> Path:
    """Return the path of a pack: the one given, else that of the settings, else the shipped one."""
    from pipelines.settings import load_settings
    from pipelines.store.packs import find_pack_path

    return Path(given) if given else find_pack_path(home, load_settings(home))


def compare_packs(a: ComparedPack, b: ComparedPack, /, *, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show how two packs tag the stored history differently; nothing is written."""
    from pipelines.explain.comparison_text import render_comparison
    from pipelines.jobs.packs.compare import compare_packs as compare_stored
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    path = require_home(home)
    found = compare_stored(Home(path), load_settings(path), a, b)
    say(*(json_text.dumps(asdict(found), indent=2) if json else render_comparison(found)).split("\n"))


def retag(
    *,
    home: HomeOption = None,
    pack: Annotated[
        str | None, Parameter(metavar="FILE", help="a TOML file (else the setting `rule_pack`, else the shipped pack)")
    ] = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Tag the stored history with another rule pack, in one transaction."""
    from pipelines.jobs.packs.retag import retag_history
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    path = require_home(home)
    say(retag_history(Home(path), load_settings(path), pack, wait))
    refresh_status(path)
