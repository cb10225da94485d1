"""The synthetic reports: the same for the same seed, as the contract allows, and believable."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import replace
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import duckdb
import pytest

from pipelines.errors import CalfwatchError, UsageError
from pipelines.synthetic import CAUSES, REGIONS, Outbreak, generate, list_symptom_fields, model, schedule, writing
from pipelines.synthetic.case_sql import cases_sql
from pipelines.synthetic.draws import stream_sql
from schemas.fields import CONTEXT_FIELDS, CONTEXT_NAMES

# the fields in the order of the article's reading, kept here on their own so that the pack cannot drift
SYMPTOMS = [
    "cannot_bear_weight", "redness", "calf_swelling", "leg_swelling", "warmth", "fever",
    "shortness_of_breath", "tenderness", "streaks", "lump", "cooler_leg", "paler_leg",
    "pain_after_exertion", "sensation_loss", "pain_after_sitting", "pop_at_onset",
    "worse_despite_self_care", "not_improving", "cramping", "dehydration", "skin_break", "direct_blow",
    "overuse", "visible_veins",
]  # fmt: skip

END = date(2026, 11, 23)  # a Monday: the last whole week is 2026-W47, 16 to 22 November
REPORTS, WEEKS = 30_000, 10
OUTBREAK = Outbreak.parse("cellulitis:harbour:2026-W43:3:6")


def make(out: Path, **changes: object) -> list[Path]:
    """A small run; tests say what they change."""
    arguments = {"reports": 1500, "weeks": 3, "seed": 7, "end": END, **changes}
    return generate(out, **arguments)  # type: ignore[arg-type]


def digests(out: Path) -> dict[str, str]:
    """Every file under the folder, hidden ones too, with its hash."""
    paths = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated") / "out"
    make(folder, reports=REPORTS, weeks=WEEKS, outbreak=OUTBREAK)
    return folder


def load(database: duckdb.DuckDBPyConnection, out: Path) -> None:
    """Tables `reports` (all text, with the file's name) and `labels`, in the order of the files."""
    for table, ending, delimiter in (("reports", "csv", ","), ("labels", "tsv", "\t")):
        database.execute(
            f"CREATE TABLE {table} AS SELECT * FROM read_csv('{out}/{table}/*.{ending}', delim='{delimiter}', "
            "all_varchar=true, auto_detect=true, header=true, filename=true, quote='', escape='')"
        )


@pytest.fixture(scope="module")
def database(out: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    load(connection, out)
    return connection


def number(database: duckdb.DuckDBPyConnection, query: str) -> float:
    """The one value of the query's one row."""
    row = database.execute(query).fetchone()
    assert row is not None
    return float(row[0])


# --- the same again -------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    runs = [make(tmp_path / str(threads), threads=threads) for threads in (1, 2, 5)]
    assert all(len(run) == 3 for run in runs)
    assert digests(tmp_path / "1") == digests(tmp_path / "2") == digests(tmp_path / "5")


def test_the_bytes_are_those_of_every_duckdb_version_and_machine(tmp_path: Path) -> None:
    make(tmp_path, reports=300, weeks=2, outbreak=Outbreak.parse("cellulitis:harbour:2026-W47:1:9"))
    together = hashlib.sha256(repr(sorted(digests(tmp_path).items())).encode()).hexdigest()
    # a change of the generator's tables or of the pack's fields changes this; another DuckDB must not
    assert together[:16] == "e09dfa999d80853b"


@pytest.mark.parametrize("change", [{"seed": 8}, {"reports": 1501}, {"weeks": 4}])
def test_another_run_has_other_reports_and_shares_no_id_with_the_first(tmp_path: Path, change: dict[str, int]) -> None:
    ids = []
    for out, changes in ((tmp_path / "first", {}), (tmp_path / "other", change)):
        lines = [line for path in make(out, **changes) for line in path.read_text().splitlines()[1:]]
        ids.append({line.split(",")[0] for line in lines})
    assert not ids[0] & ids[1]


def test_a_file_written_in_parts_is_the_file_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "whole", files="single")
    monkeypatch.setattr(schedule, "PART_ROWS", 200)
    seen: list[tuple[int, int]] = []
    make(tmp_path / "parts", files="single", threads=3, progress=lambda *counts: seen.append(counts))
    assert digests(tmp_path / "parts") == digests(tmp_path / "whole")
    assert seen == [(done, len(seen)) for done in range(1, len(seen) + 1)]
    assert len(seen) > 5


# --- as the contract allows -----------------------------------------------------------------------


def test_the_columns_are_the_contract_s_in_its_order(out: Path) -> None:
    assert list(list_symptom_fields()) == SYMPTOMS
    for path in (out / "reports").iterdir():
        assert path.read_text().split("\n", 1)[0].split(",") == [*CONTEXT_NAMES, *SYMPTOMS]


def test_exactly_so_many_reports_with_ids_of_their_own(database: duckdb.DuckDBPyConnection) -> None:
    assert number(database, "SELECT count(*) FROM reports") == REPORTS
    assert number(database, "SELECT count(DISTINCT report_id) FROM reports") == REPORTS


def test_every_cell_is_allowed(database: duckdb.DuckDBPyConnection) -> None:
    for field in CONTEXT_FIELDS:
        cells = database.execute(f"SELECT DISTINCT {field.name} FROM reports").fetchall()
        for (cell,) in cells:
            assert (cell is None and not field.required) or allowed(field, cell), (field.name, cell)
    for name in SYMPTOMS:
        cells = database.execute(f"SELECT DISTINCT {name} FROM reports ORDER BY ALL NULLS LAST").fetchall()
        assert cells == [("no",), ("yes",), (None,)], name


def allowed(field: object, cell: str) -> bool:
    pattern, values, limits = (getattr(field, name) for name in ("pattern", "values", "limits"))
    if limits:
        return cell.isdecimal() and cell == str(int(cell)) and limits[0] <= int(cell) <= limits[1]
    return cell in values if values else re.fullmatch(pattern, cell) is not None


def test_the_text_needs_no_quotes_and_ids_look_like_no_number_of_a_person(out: Path) -> None:
    for path in (out / "reports").iterdir():
        text = path.read_bytes()
        assert not set(text) & set(b"\"'\r ")
    lines = text.decode().splitlines()[1:]
    assert all(re.fullmatch(r"R[B-DF-HJ-NP-T]{12},\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line[:34]) for line in lines)


# --- weeks, files, late post ----------------------------------------------------------------------


def test_the_weeks_are_covered_exactly(database: duckdb.DuckDBPyConnection) -> None:
    days = database.execute("SELECT DISTINCT reported_at[:10]::DATE FROM reports ORDER BY 1").fetchall()
    assert [day for (day,) in days] == [date(2026, 11, 22) - timedelta(days=age) for age in range(69, -1, -1)]


@pytest.mark.parametrize(
    "end,last_file", [("2026-11-21", "2026-W46"), ("2026-11-22", "2026-W47"), ("2027-01-03", "2026-W53")]
)
def test_the_last_week_is_the_last_one_that_is_over(tmp_path: Path, end: str, last_file: str) -> None:
    paths = make(tmp_path, reports=300, weeks=2, end=date.fromisoformat(end))
    assert [path.stem for path in paths][-1] == last_file
    last_day = max(line.split(",")[1][:10] for line in paths[-1].read_text().splitlines()[1:])
    assert "{}-W{:02}".format(*date.fromisoformat(last_day).isocalendar()) == last_file


def test_the_files_come_in_delivery_order_which_is_path_order(tmp_path: Path) -> None:
    for kind, count in (("weekly", 3), ("daily", 21), ("single", 1)):
        paths = make(tmp_path / kind, files=kind)
        assert len(paths) == count
        assert paths == sorted((tmp_path / kind / "reports").iterdir(), key=lambda path: str(path).encode())


def test_a_file_is_in_the_order_of_time(out: Path) -> None:
    for path in (out / "reports").iterdir():
        moments = [line.split(",")[1] for line in path.read_text().splitlines()[1:]]
        assert moments == sorted(moments)


@pytest.mark.parametrize("kind,file_days", [("weekly", 7), ("daily", 1)])
def test_some_reports_come_late_and_none_too_early(tmp_path: Path, kind: str, file_days: int) -> None:
    late = []
    for path in make(tmp_path, files=kind, weeks=3, reports=3000):
        first_day = date.fromisoformat(path.stem) if kind == "daily" else monday(path.stem)
        days = [date.fromisoformat(line.split(",")[1][:10]) for line in path.read_text().splitlines()[1:]]
        assert all((day - first_day).days < file_days for day in days)
        late += [day for day in days if day < first_day]
    assert 60 < len(late) < 300


def monday(week: str) -> date:
    return date.fromisocalendar(int(week[:4]), int(week[6:]), 1)


@pytest.mark.parametrize("kind", ["weekly", "daily", "single"])
def test_a_single_report_is_enough(tmp_path: Path, kind: str) -> None:
    paths = make(tmp_path, reports=1, files=kind)
    assert [len(path.read_text().splitlines()) for path in paths] == [2]


# --- labels ---------------------------------------------------------------------------------------


def test_every_file_has_its_labels_row_for_row(out: Path) -> None:
    reports, labels = sorted((out / "reports").iterdir()), sorted((out / "labels").iterdir())
    assert [path.stem for path in reports] == [path.stem for path in labels]
    for report, label in zip(reports, labels, strict=True):
        ids = [line.split(",")[0] for line in report.read_text().splitlines()]
        assert ids == [line.split("\t")[0] for line in label.read_text().splitlines()]


def test_labels_cannot_be_ingested_by_accident(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {"reports", "labels"}
    assert {path.suffix for path in (out / "labels").iterdir()} == {".tsv"}
    assert {path.suffix for path in (out / "reports").iterdir()} == {".csv"}


def test_every_true_cause_is_one_of_the_pack_or_unspecific(database: duckdb.DuckDBPyConnection) -> None:
    text = (files("data.rules") / "calf_pain.toml").read_text()
    causes = [cause["name"] for cause in tomllib.loads(text)["causes"]]
    assert sorted(cause.name for cause in CAUSES) == sorted([*causes, "unspecific"])
    found = database.execute("SELECT DISTINCT true_cause FROM labels ORDER BY ALL").fetchall()
    assert [cause for (cause,) in found] == sorted([*causes, "unspecific"])


# --- believable -----------------------------------------------------------------------------------


def test_the_outbreak_shows_in_its_weeks_cause_and_region(database: duckdb.DuckDBPyConnection) -> None:
    rows = database.execute(
        "SELECT strftime(reported_at[:10]::DATE, '%G-W%V') AS week, count(*) FROM reports JOIN labels "
        "USING (report_id) WHERE region = 'harbour' AND true_cause = 'cellulitis' GROUP BY week ORDER BY week"
    ).fetchall()
    inside = [count for week, count in rows if "2026-W43" <= week <= "2026-W45"]
    outside = [count for week, count in rows if not "2026-W43" <= week <= "2026-W45"]
    # about 220 a week against about 40: more than ten standard deviations apart
    assert min(inside) > 2.5 * max(outside)
    labelled = "SELECT count(DISTINCT (true_cause, region)) FROM reports JOIN labels USING (report_id)"
    assert number(database, f"{labelled} WHERE outbreak = 'yes' AND region IS NOT NULL") == 1


def test_the_triage_levels_are_a_believable_mix(database: duckdb.DuckDBPyConnection) -> None:
    rules = tomllib.loads((files("data.rules") / "calf_pain.toml").read_text())["triage"]
    rule = {
        level: " OR ".join(f"({rule['when']})" for rule in rules if rule["level"] == level)
        for level in ("emergency", "contact_doctor")
    }
    answers = ", ".join(f"{name} = 'yes' AS {name}" for name in SYMPTOMS)
    numbers = "pain_score::INTEGER AS pain_score, duration_days::INTEGER AS duration_days"
    shares = dict(
        database.execute(
            f"SELECT CASE WHEN {rule['emergency']} THEN 'emergency' WHEN {rule['contact_doctor']} "
            f"THEN 'contact_doctor' WHEN ({rule['emergency']} OR {rule['contact_doctor']}) IS NULL "
            f"THEN 'unresolved' ELSE 'self_care' END AS level, count(*) / {REPORTS} "
            f"FROM (SELECT {answers}, {numbers} FROM reports) GROUP BY level"
        ).fetchall()
    )
    assert 0.05 < shares["emergency"] < 0.08
    assert 0.40 < shares["contact_doctor"] < 0.55
    assert 0.15 < shares["self_care"] < 0.30
    assert 0.10 < shares["unresolved"] < 0.25


def test_symptoms_follow_the_true_cause(database: duckdb.DuckDBPyConnection) -> None:
    for cause, field in (
        ("muscle_cramp", "cramping"),
        ("cellulitis", "redness"),
        ("nerve_condition", "sensation_loss"),
    ):
        share = f"SELECT avg(({field} = 'yes')::INTEGER) FROM reports JOIN labels USING (report_id) WHERE true_cause"
        assert number(database, f"{share} = '{cause}'") > 0.45
        assert number(database, f"{share} <> '{cause}'") < 0.15


def test_severe_cases_hurt_more_and_chronic_ones_last_longer(database: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT median({}::INTEGER) FROM reports JOIN labels USING (report_id) WHERE {}"
    pain = [number(database, query.format("pain_score", f"severity = '{name}'")) for name in model.MODEL.severities]
    assert pain == sorted(pain)
    assert pain[-1] - pain[0] >= 2
    cramp, veins = (
        number(database, query.format("duration_days", f"true_cause = '{name}'"))
        for name in ("muscle_cramp", "varicose_veins")
    )
    assert cramp < 4 < 30 < veins


def test_regions_differ_in_size_and_week_days_in_number(database: duckdb.DuckDBPyConnection) -> None:
    regions = database.execute(
        "SELECT region FROM reports WHERE region IS NOT NULL GROUP BY region ORDER BY count(*) DESC"
    ).fetchall()
    assert [name for (name,) in regions[:3]] == [region.name for region in REGIONS[:3]]
    assert len(regions) == len(REGIONS) == 12
    days = dict(
        database.execute("SELECT isodow(reported_at[:10]::DATE) AS day, count(*) FROM reports GROUP BY day").fetchall()
    )
    assert days[1] > 1.5 * days[7]


def test_blanks_lie_in_a_part_of_the_records_and_more_in_some_regions(database: duckdb.DuckDBPyConnection) -> None:
    blanks = " + ".join(f"({name} IS NULL)::INTEGER" for name in SYMPTOMS)
    assert 0.5 < number(database, f"SELECT avg(({blanks} = 0)::INTEGER) FROM reports") < 0.7
    share = f"SELECT avg(({blanks} > 0)::INTEGER) FROM reports WHERE region"
    assert number(database, f"{share} = 'moor'") > 0.2 + number(database, f"{share} = 'oldtown'")


def test_a_year_has_its_seasons() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    counts = schedule.count_by_day(100_000, days, 1, None)
    january = sum(count for day, count in counts if day.month == 1)
    july = sum(count for day, count in counts if day.month == 7)
    assert sum(count for _, count in counts) == 100_000
    assert 1.1 < july / january < 1.5


def test_the_draws_of_a_report_are_independent_of_one_another() -> None:
    streams = [(name,) for name in model.STREAMS] + [("answer", name) for name in SYMPTOMS]
    draws = ", ".join(f"draw(key_1, key_2, {stream_sql(*words)}) AS d{n}" for n, words in enumerate(streams))
    with duckdb.connect() as database:
        database.execute(cases_sql("1", None))
        database.execute("INSERT INTO blocks VALUES (0, 0, 20000, 0, 50000, false, 0, 0)")
        database.execute(f"CREATE TABLE draws AS SELECT {draws} FROM synthetic_cases(0)")
        pairs = [(a, b) for a in range(len(streams)) for b in range(a)]
        found = database.execute(f"SELECT {', '.join(f'corr(d{a}, d{b})' for a, b in pairs)} FROM draws").fetchone()
        means = database.execute(f"SELECT {', '.join(f'avg(d{n})' for n in range(len(streams)))} FROM draws").fetchone()
    assert found is not None
    assert means is not None
    assert max(abs(value) for value in found) < 0.022  # five standard errors
    assert all(abs(mean - 32767.5) < 425 for mean in means)  # five again


# --- private, whole or not at all -----------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_nothing_is_readable_to_others_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make(tmp_path / "a" / "out", reports=100, weeks=1)
    finally:
        os.umask(before)
    for path in (tmp_path / "a").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_holds_reports_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path)
    before = digests(tmp_path)
    with pytest.raises(UsageError, match="holds files already"):
        make(tmp_path, seed=8)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, duckdb.IOException])
def test_a_broken_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    copy = writing._copy

    def breaking_copy(database: duckdb.DuckDBPyConnection, table: str, path: Path, delimiter: str) -> None:
        if path.name == "1.csv":  # the second part's reports
            raise error("No space left on device")
        copy(database, table, path, delimiter)

    monkeypatch.setattr(writing, "_copy", breaking_copy)
    with pytest.raises(CalfwatchError if error is duckdb.IOException else error, match="No space left"):
        make(tmp_path, threads=1)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_no_folder_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file: cannot be written: Not a directory"):
        make(tmp_path / "file")


# --- wrong use ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"reports": 0}, "--reports must be 1 to 1000000000, not 0"),
        ({"weeks": 0}, "--weeks must be 1 to 1040, not 0"),
        ({"weeks": 1041}, "--weeks must be 1 to 1040, not 1041"),
        ({"end": date(2000, 1, 2)}, "leave the years 2000 to 2099"),
        ({"end": date(1, 1, 1)}, "leave the years 2000 to 2099"),
        ({"outbreak": Outbreak.parse("cellulitis:harbour:2026-W44:1:4")}, "lie outside the reports' 2026-11-02 to"),
    ],
)
def test_values_without_sense_are_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        make(tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_an_outbreak_is_read_from_its_five_parts() -> None:
    wanted = Outbreak("cellulitis", "harbour", date(2026, 9, 28), 3, 4.5)
    assert Outbreak.parse("cellulitis:harbour:2026-W40:3:4.5") == wanted
    assert [wanted.covers(date(2026, 9, 28) + timedelta(days=days)) for days in (-1, 0, 20, 21)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "text,message",
    [
        ("", "expected CAUSE:REGION:WEEK:WEEKS:FACTOR"),
        ("cellulitis:harbour:2026-W40:3", "expected CAUSE:REGION:WEEK:WEEKS:FACTOR"),
        ("plague:harbour:2026-W40:3:4", "no cause 'plague'; allowed: muscle_cramp, "),
        ("cellulitis:atlantis:2026-W40:3:4", "no region 'atlantis'; allowed: harbour, "),
        ("cellulitis:harbour:2026-W54:3:4", "'2026-W54' is not an ISO week"),
        ("cellulitis:harbour:2025-W53:3:4", "'2025-W53' is not an ISO week"),
        ("cellulitis:harbour:0000-W01:3:4", "'0000-W01' is not an ISO week"),
        ("cellulitis:harbour:2026-09-28:3:4", "'2026-09-28' is not an ISO week"),
        ("cellulitis:harbour:2026-W40:0:4", "weeks must be 1 to 1040, not 0"),
        ("cellulitis:harbour:2026-W40:x:4", "weeks must be a whole number from 1 to 1040, not 'x'"),
        ("cellulitis:harbour:2026-W40:3:1", "factor must be above 1 and at most 1000, not 1"),
        ("cellulitis:harbour:2026-W40:3:nan", "factor must be a number above 1 and at most 1000, not 'nan'"),
        ("cellulitis:harbour:2026-W40:3:1001", "factor must be above 1 and at most 1000, not 1001"),
    ],
)
def test_an_outbreak_without_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        Outbreak.parse(text)


def test_an_outbreak_starts_on_a_monday() -> None:
    with pytest.raises(UsageError, match="must start on a Monday, 2026-09-29 is none"):
        Outbreak("cellulitis", "harbour", date(2026, 9, 29), 3, 4)


def test_a_field_of_the_pack_without_probabilities_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    symptoms = {name: row for name, row in model.MODEL.symptoms.items() if name != "redness"}
    monkeypatch.setattr(model, "MODEL", replace(model.MODEL, symptoms=symptoms))
    with pytest.raises(ValueError, match="no probabilities for redness"):
        list_symptom_fields()
