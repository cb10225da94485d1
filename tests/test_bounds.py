"""No small input takes the machine: each kind that once did ends in one line, told in docs/safety.md."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.cli.app import main
from pipelines.errors import FileRejected, UsageError
from pipelines.explain import questions
from pipelines.intake import lines
from pipelines.intake.archive_list import read_archive
from pipelines.intake.csv_rows import LONGEST_HEADER, MOST_COLUMNS
from pipelines.intake.deliveries import Delivery
from pipelines.intake.layouts.adapters import check_header, load_adapter
from pipelines.intake.lines import read_chunks
from pipelines.intake.reader import PrefetchingReader
from pipelines.jobs.inspecting.first_adapter import write_adapter
from pipelines.jobs.monitoring.notice_targets import find_targets
from pipelines.processes import read_json
from pipelines.rules.lint import list_findings, require_sound
from pipelines.settings import Settings, Source, load_settings
from pipelines.store.database import Home
from schemas.pack import Pack
from schemas.pack_file import InvalidPack, find_default_pack_path, load_pack, parse_pack

ROOT = Path(__file__).parent


@pytest.mark.parametrize("columns", [MOST_COLUMNS + 1, 30_000])
def test_a_header_of_too_many_columns_is_refused(columns: int, tmp_path: Path, ingest: Callable[..., Any]) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{number}" for number in range(columns)) + "\n")
    (outcome,) = ingest(path)
    assert outcome.status == "rejected"
    words = (
        f"at most {MOST_COLUMNS:,} are read" if path.stat().st_size < LONGEST_HEADER else "the header is longer than"
    )
    assert words in outcome.reason


# values in one another: in brackets, by a header, by a dotted key, by tables in a line; what no path can hold
DEEP = {
    "deep": f"x = {'[' * 100_000}",
    "deep list": f"x = {'[' * 40}{']' * 40}",
    "deep header": f"[{'.'.join('a' * 50_000)}]",
    "deep key": f"{'.'.join('a' * 50_000)} = 1",
    "deep tables": f"x = {'{a = ' * 40}1{'}' * 40}",
    "NUL": 'rule_pack = "\\u0000"',
    "NUL in a key": '"\\u0000" = 1',
}


@pytest.mark.parametrize(
    "line",
    ["threads = 100000000000000000000000", f"k_anonymity = {'9' * 5000}", "threads = 257", *DEEP.values()],
    ids=["threads", "digits", "many threads", *DEEP],
)
def test_settings_beyond_bounds_end_in_one_message(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calfwatch.toml").write_text(line + "\n")
    assert main(["config", "--home", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("calfwatch: ")


def test_a_line_of_500_full_stops_is_read_and_one_more_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for stops, code in ((500, 0), (501, 2)):
        (tmp_path / "calfwatch.toml").write_text(f"# {'.' * stops}\n")
        assert main(["config", "--home", str(tmp_path)]) == code
    assert "a line has more than 500 full stops" in capsys.readouterr().err


def test_settings_of_four_megabytes_are_read_and_one_byte_more_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calfwatch.toml"
    path.write_bytes(b"#" * ((4 << 20) - 1) + b"\n")
    assert main(["config", "--home", str(tmp_path)]) == 0
    path.write_bytes(b"#" * (4 << 20) + b"\n")
    assert main(["config", "--home", str(tmp_path)]) == 2
    assert "is larger than 4 MB" in capsys.readouterr().err


@pytest.mark.parametrize("line", [f"x = {'9' * 5000}", *DEEP.values()], ids=["digits", *DEEP])
def test_packs_beyond_bounds_are_invalid(line: str) -> None:
    with pytest.raises(InvalidPack, match="is not TOML"):
        parse_pack(line)


def test_a_pack_of_conditions_that_nobody_can_decide_is_given_up() -> None:
    """Twelve things in eleven places: no answers fulfil it, and no search finds that out."""
    pack = load_pack(ROOT / "cases" / "attack" / "php12.toml")
    assert [(found.severity, "beyond what can be decided" in found.what) for found in list_findings(pack)] == [
        ("error", True)
    ]


def test_the_shipped_pack_needs_no_search_at_all(pack: Pack) -> None:
    assert not [found for found in list_findings(pack) if "beyond" in found.what and found.severity == "error"]
    require_sound(pack)


def pigeonhole(things: int) -> str:
    """Rules that are each plain, and that no answers make FALSE all at once: a thing more than there are places."""
    names, places = [f"p{i:02}" for i in range(things)], [f"h{i}" for i in range(things - 1)]
    text = (ROOT / "cases" / "attack" / "php12.toml").read_text()
    head, _, rest = text.partition("[[fields]]")
    fields = "".join(
        f'[[fields]]\nname="{name}"\nlabel="{name}"\ntype="choice"\nvalues={json.dumps(places)}\nmeaning="m"\nreference="r"\n'
        for name in names
    )
    rules = "".join(
        f'[[triage]]\nid="{a}{b}"\nlevel="emergency"\nreference="r"\nbasis="stated"\nsentence="s"\nwhen="""'
        + " OR ".join(f"({a} = '{place}' AND {b} = '{place}')" for place in places)
        + '"""\n'
        for a, b in itertools.combinations(names, 2)
    )
    return head + fields + rules + rest[rest.index("[[categories]]") :]


def test_what_is_to_be_asked_is_searched_for_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = parse_pack(pigeonhole(8))
    require_sound(pack)
    monkeypatch.setattr(questions, "MOST_STATEMENTS", 1_000)
    space = questions.make_space(pack)
    found = questions.plan_questions(pack, space, dict.fromkeys(space.values), list(pack.askable))
    assert found["rule_out"] is None
    assert len(found["questions"]) == len(pack.askable)
    assert space.effort is not None
    assert space.effort.statements < 0, "it was given up"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/tty", "/proc/self/mem", "/proc/kmsg"])
def test_what_is_no_file_is_not_read_as_settings_pack_or_adapter(name: str, pipe: Path, tmp_path: Path) -> None:
    place = pipe.parent / name
    (tmp_path / "calfwatch.toml").symlink_to(place)
    with pytest.raises(UsageError):
        load_settings(tmp_path)
    with pytest.raises(InvalidPack):
        load_pack(place)
    with pytest.raises(UsageError):
        load_adapter(Source("one", adapter=str(place)), tmp_path)
    assert find_targets(tmp_path, Settings()) == []
    (tmp_path / "notify").symlink_to(place)
    with pytest.raises((UsageError, PermissionError)):
        find_targets(tmp_path, Settings())
    (tmp_path / "deliveries.csv").symlink_to(place)
    assert read_archive(tmp_path) == []
    assert read_json(place) == {}


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/proc/self/mem", "/proc/self/environ", "/proc/kmsg"])
def test_what_is_no_file_is_rejected_as_a_delivery(
    name: str, pipe: Path, write_csv: Callable[..., Path], tmp_path: Path, ingest: Callable[..., Any]
) -> None:
    found = write_csv([{"report_id": "1"}], "in/a.csv")
    (found.parent / "b.csv").symlink_to(pipe.parent / name)
    outcomes = ingest(found.parent)
    assert [outcome.status for outcome in outcomes] == ["accepted", "rejected"]
    assert any(
        words in outcomes[1].reason for words in ("is not a regular file", "the file is empty", "cannot be read")
    )


def test_a_pipe_put_in_the_place_of_a_file_is_not_waited_for(
    write_csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv([{"report_id": "1"}])
    looked_at = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr("pipelines.intake.reader.read_file_identity", lambda _: tuple(looked_at[:4]))
    reader = PrefetchingReader(Delivery(path, Source("one")), Settings())
    with contextlib.closing(reader), pytest.raises(FileRejected, match="is not a regular file"):
        reader.file_id()


def test_a_file_that_grows_while_it_is_read_is_not_run_after(tmp_path: Path) -> None:
    path = tmp_path / "grows.csv"
    path.write_bytes(b"x" * lines.BLOCK_BYTES)
    chunks = read_chunks(path, Settings())
    next(chunks)
    with path.open("ab") as file:
        file.write(b"y")
    with pytest.raises(FileRejected, match="changed while it was read"):
        next(chunks)


TOML = st.recursive(
    st.one_of(
        st.integers(), st.text(max_size=9), st.booleans(), st.just("'"), st.sampled_from(["1e400", "nan", "2026-11-28"])
    ).map(lambda value: str(value) if not isinstance(value, bool) else str(value).lower()),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"),
    max_leaves=8,
)
LINES = st.tuples(st.sampled_from(["threads", "sources", "time_zone", "incoming", "public", "x", "rule_pack"]), TOML)


@pytest.mark.slow
@settings(max_examples=500)
@given(lines=st.lists(LINES.map(" = ".join), max_size=5))
@example(lines=["incoming = [1]"])
def test_invented_settings_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    home = tmp_path_factory.getbasetemp()
    (home / "calfwatch.toml").write_text("\n".join(lines), encoding="utf-8", errors="replace")
    with contextlib.suppress(UsageError):
        load_settings(home)


CELLS = st.one_of(
    st.sampled_from(["report_id", "reported_at", "redness", "fever", "region", "name", "e_mail", "Redness ", ""]),
    st.text(max_size=12),
    st.text(alphabet='",;|\t\r\ufeff\0\u202e\x1b=', max_size=4),
)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(CELLS, max_size=40),
    mark=st.sampled_from(["", "\ufeff", "\n", "\r\n"]),
    sign=st.sampled_from([",", ";", "\t", "|"]),
    row=st.sampled_from(["", "1,2026-11-16,yes\n", "\n\n"]),
)
def test_a_file_with_an_invented_header_is_read_or_refused(
    names: list[str], mark: str, sign: str, row: str, tmp_path: Path, pack: Pack
) -> None:
    path = tmp_path / "invented.csv"
    path.write_bytes(f"{mark}{sign.join(names)}\n{row}".encode("utf-8", "surrogatepass"))
    source = Source("canonical", time_zone="UTC")
    reader = PrefetchingReader(Delivery(path, source), Settings())
    with contextlib.closing(reader), contextlib.suppress(FileRejected):
        check_header(load_adapter(source, tmp_path), reader.names(), pack)
        assert {"report_id", "reported_at"} <= set(reader.names())
        assert sum(rows.table.num_rows + len(rows.bad_lines) for rows in reader) <= 1
    with contextlib.suppress(UsageError):
        assert "SELECT" in write_adapter(Home(tmp_path), Settings(), str(path), "canonical")


@pytest.mark.slow
@settings(max_examples=100)
@given(data=st.data())
def test_damaged_packs_are_read_or_refused(data: st.DataObject) -> None:
    lines = find_default_pack_path().read_text(encoding="utf-8").splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        key = lines[place].partition("=")[0]
        lines[place] = data.draw(st.one_of(TOML.map(lambda value, key=key: f"{key}= {value}"), st.text(max_size=20)))
    with contextlib.suppress(InvalidPack):
        parse_pack("\n".join(lines))
