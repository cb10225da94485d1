"""Where a report leaves traces beside the databases: the pages that explain it, rare places in reports, and logs."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from pipelines.errors import UsageError
from pipelines.files import MARKER, find_foreign, is_locked, mark_folder, name_temporary, put_in_place, write_private
from pipelines.store.home import Home

ROW = re.compile(
    r'<tr data-source="(?P<source>[^"]*)" data-record="(?P<id>[^"]*)">(?P<cells>.*?)</tr>'
    # as version 0.1 and the days before 0.2 listed them
    r'|<tr>(?P<old_cells><th scope="row"><a href="[^"]*">(?P<old_id>.*?)</a></th>'
    r'<td data-label="Source">(?P<old_source>.*?)</td>.*?)</tr>',
    re.DOTALL,
)
LINK = re.compile(r'<a href="(?:explain/)?([^"]*)">')
STUB = "<!doctype html><html lang=en><meta charset=utf-8><title>Erased</title><p>This report was erased.</p></html>\n"
ERASED_ROW = '<tr><th scope="row">erased</th><td>this report was erased</td></tr>'
COUNTS = "reported_counts.csv"
# what calfwatch and Prefect themselves write; Prefect's results have 32 hexadecimal digits as names
OWN_LOG = re.compile(
    r"status\.json|notices\.json"
    r"|prefect/(server\.log(\.1)?|prefect\.db(-wal|-shm)?|schedule\.json|serve\.json|memo_store\.toml|storage/[0-9a-f]{32})"
)
TEXTS = (".html", ".md", ".csv", ".svg", ".json", ".txt")
WORD = re.compile(
    rb"[A-Za-z0-9_.\-]{6,}"
)  # a shorter id stands everywhere by chance, and no id is ever logged on purpose


def remove_from_pages(home: Home, ids: set[tuple[str, str]], regions: Sequence[str]) -> list[str]:
    """Put stubs in the place of the pages that explain the reports; return what was done, a line each.

    A row that lists one of them says that it was erased. A region that becomes `unknown` does so in the reports' texts;
    a PDF that named it, or listed a report, is removed.
    """
    done = []
    weeks = home.reports / "index.html"  # with the assessments that were written later
    if weeks.is_file() and (text := _match_any_id(ids).sub("(erased)", weeks.read_text(encoding="utf-8"))):
        _replace(weeks, text)
    for folder in _find_report_folders(home.reports):
        foreign = find_foreign(folder)
        stubs = _erase_listed(folder, ids)
        renamed = _rename_regions(folder, regions, foreign)
        if stubs or renamed:
            mark_folder(folder, foreign)
        done += [f"{folder}: {stubs} explanations replaced by stubs"] if stubs else []
        done += [f"{folder}: rare regions are unknown now, and report.pdf is removed"] if renamed else []
    return done


def _find_report_folders(reports: Path) -> Iterator[Path]:
    for place in sorted(reports.rglob(MARKER)):
        if not place.parent.is_symlink():
            yield place.parent


def _erase_listed(folder: Path, ids: set[tuple[str, str]]) -> int:
    """Erase the rows that list the reports, on the week's page and in explain/, and the pages they lead to."""
    pages: set[str] = set()

    def erase(row: re.Match[str]) -> str:
        found = row["source"] or row["old_source"] or "", row["id"] or row["old_id"] or ""
        if (html.unescape(found[0]), html.unescape(found[1])) not in ids:
            return row[0]
        pages.update(unquote(html.unescape(link)) for link in LINK.findall(row["cells"] or row["old_cells"]))
        return ERASED_ROW

    own = [folder / name for name in ("internal.html", "report.md", "data/alarms.csv")]
    word = _match_any_id(ids)
    for path in (*own, *sorted((folder / "explain").glob("*.html"))):
        before = path.read_text(encoding="utf-8") if path.is_file() and not path.is_symlink() else ""
        after = ROW.sub(erase, before)
        if path in own:  # what the lead wrote of a week or an alarm may name one
            after = word.sub("(erased)", after)
        if after != before:
            _replace(path, after)
            if path in own:
                (folder / "report.pdf").unlink(missing_ok=True)
    for page in pages:
        (folder / "explain" / page).unlink(missing_ok=True)
        stub = f"{page.split('-')[0]}-erased.html"
        (folder / "explain" / stub).unlink(missing_ok=True)
        write_private(folder / "explain", stub, STUB)
    return len(pages)


def _match_any_id(ids: set[tuple[str, str]]) -> re.Pattern[str]:
    """Return what finds one of the ids in what people wrote; a short one stands everywhere by chance."""
    named = {form for _, report_id in ids for form in (report_id, html.escape(report_id)) if len(report_id) >= 6}
    return re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, sorted(named))) or '(?!)'})(?![\w-])")


def _rename_regions(folder: Path, regions: Sequence[str], foreign: set[str]) -> bool:
    """Write `unknown` for rare regions in the texts of a report, foreign ones apart; return whether any stood there."""
    if not regions:
        return False
    names = {form for region in regions for form in (region, html.escape(region))}
    word = re.compile(
        rf"(?<!\w)({'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?!\w)", re.IGNORECASE
    )
    found = False
    for path in folder.rglob("*"):
        is_ours = str(path.relative_to(folder)) not in foreign
        if is_ours and path.suffix in TEXTS and path.is_file() and not path.is_symlink():
            before = path.read_text(encoding="utf-8")
            after = word.sub("unknown", before)
            if path.name == COUNTS and after != before:
                after = _sum_series(after)
            if after != before:
                _replace(path, after)
                found = True
    if found:
        (folder / "report.pdf").unlink(missing_ok=True)
    return found


def _sum_series(text: str) -> str:
    """Return the counts of a published week with one row a series: what was another region may be `unknown` twice."""
    header, *rows = csv.reader(text.splitlines())
    counts: dict[tuple[str, ...], int] = {}
    for *key, count in rows:
        counts[tuple(key)] = counts.get(tuple(key), 0) + int(count)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *([*key, count] for key, count in sorted(counts.items()))])
    return out.getvalue()


def _replace(path: Path, text: str) -> None:
    new = name_temporary(path)
    write_private(new.parent, new.name, text)
    put_in_place(new, path, 0o600)


def remove_from_logs(home: Home, ids: set[str]) -> list[str]:
    """Remove every log and every file of Prefect's in which an id stands; return what was removed, a line each.

    No id is written there on purpose, but a library may quote one. What somebody else put there is told, and left.
    Raises UsageError if `serve` holds such a file open.
    """
    wanted = {report_id.encode() for report_id in ids if len(report_id) >= 6}
    naming = [path for path in _find_logs(home.path) if wanted & _split_words(path)]
    found = [path for path in naming if OWN_LOG.fullmatch(str(path.relative_to(home.path)))]
    if found and _is_served(home.path):
        raise UsageError(f"{found[0]} names the report, and `serve` is writing to it: stop `serve`, then erase again")
    for path in found:
        path.unlink()
    left = [path for path in naming if path not in found]
    return [
        *(f"{path}: removed, for the report stood in it" for path in found),
        *(f"{path}: names the report, is not calfwatch's, and is left as it is" for path in left),
    ]


def _find_logs(home: Path) -> Iterable[Path]:
    folder = home / "prefect"
    inner = [path for path in folder.rglob("*") if path.name != "auth"] if folder.is_dir() else []
    for path in (*inner, home / "status.json", home / "notices.json"):
        if path.is_file() and not path.is_symlink():
            yield path


def _split_words(path: Path) -> set[bytes]:
    found: set[bytes] = set()
    rest = b""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            text = rest + chunk
            for word in WORD.findall(text):
                found |= {word, word.strip(b".-_")}
            rest = text[-256:]
    return found


def _is_served(home: Path) -> bool:
    """Tell whether a `serve` of the home holds its lock."""
    with contextlib.suppress(FileNotFoundError):
        return is_locked(home / "serve.lock")
    return False
