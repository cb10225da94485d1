"""Whatever calfwatch did not make is found as it was: bytes, mode and time, in the home and around it."""

from __future__ import annotations

import functools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import files
from pipelines.cli.app import main
from pipelines.errors import UsageError
from pipelines.settings import Settings
from pipelines.store import database
from pipelines.store.home import Home
from schemas.pack import Pack
from tests.support.states import STATES

OLD = 1_500_000_000 * 10**9
WEEK, RELEASED = "2026-W47", "2026-W46"
HOME_NAMES = (
    "records.duckdb",
    "records.duckdb.wal",
    "summaries.duckdb",
    "summaries.duckdb.wal",
    "public.duckdb",
    "public.duckdb.wal",
    "writer.lock",
    "status.lock",
    "serve.lock",
    "status.json",
    "notices.json",
    "objects.json",
    "tmp",
    "reports",
    "public",
    "prefect",
    "demo",
)
ODD_NAMES = (
    "friday.new",
    "friday.new.wal",
    "summaries.duckdb.new",
    "restore.new/records.duckdb",
    "records.before-mine.duckdb",
    "records.schema-1.duckdb",
    "tmp/duckdb_temp_storage_1",
    "tmp/notes/a.txt",
    "tmp/.calfwatch-mine",
    ".calfwatch-spill-0123456789abcdef/mine.txt",
    "tmp/.calfwatch-work-0123456789abcdef/mine.txt",
    "reports/index.html",
    "reports/.index.html.new",
    f"reports/.{WEEK}.new/a.txt",
    f"reports/.{WEEK}.old/a.txt",
    f"reports/{WEEK}/mine.txt",
    f"reports/{WEEK}/data/mine.csv",
    f"reports/preliminary/{WEEK}/mine.txt",
    "reports/.unpublished/a.txt",
    "reports/.calfwatch-unpublished/a.txt",
    "demo/talk.txt",
    "prefect/mine.txt",
    "prefect/serve.json",
    "prefect/prefect.db",
    "public.duckdb.new",
    f"public/{RELEASED}",
    f"public/{RELEASED}/mine.txt",
    f"public/{RELEASED}/public.html",
    f"public/{RELEASED}/public.html.new",
    f"public/{RELEASED}/weekly_counts.csv",
    "public/mine.txt",
    "incoming",
    ".status.json.part",
    "mine.csv",
    "mine.duckdb",
    "Befund Größe\n2.csv",
    "-rf",
    "mine\udcff.csv",  # bytes that are no UTF-8
)
KINDS = (
    "file",
    "empty file",
    "folder",
    "database",
    "database with its log",
    "copy of the records",
    "link to a file",
    "link to a folder",
    "link to nothing",
    "hard link",
)
COMMANDS: Mapping[str, Sequence[str]] = {
    "ingest": ("ingest", "{incoming}", "--wait", "0"),
    "ingest all around": ("ingest", "{top}", "--wait", "0"),
    "ingest the home": ("ingest", "{home}", "{home}/records.duckdb", "--wait", "0"),
    "report": ("report", "--week", WEEK),
    "report out": ("report", "--week", WEEK, "--out", "{outside}"),
    "report as known now": ("report", "--week", WEEK, "--as-known-now", "--out", "{outside}"),
    "report into reports": ("report", "--week", WEEK, "--out", "{home}/reports"),
    "query": ("query", "FROM weekly_triage", "--format", "csv", "--out", "{top}/out.csv"),
    "query onto the records": ("query", "FROM weekly_triage", "--out", "{home}/records.duckdb"),
    "query through a link": ("query", "FROM weekly_triage", "--out", "{top}/to-the-records"),
    "explain": ("explain", "K1", "--out", "{home}/summaries.duckdb"),
    "quarantine": ("quarantine", "export"),
    "withdraw": ("withdraw", "e", "--csv", "{top}", "--wait", "0"),
    "retag": ("retag", "--wait", "0"),
    "backup": ("backup", "{home}/backup.new", "--wait", "0"),
    "backup onto the log": ("backup", "{home}/records.duckdb.wal", "--wait", "0"),
    "backup outside": ("backup", "{outside}/mine.txt", "--wait", "0"),
    "restore": ("restore", "{top}/backup.duckdb", "--wait", "0"),
    "restore itself": ("restore", "{home}/records.duckdb", "--wait", "0"),
    "backup beside": ("backup", "{home}/mine.duckdb", "--wait", "0"),
    "restore a foreign database": ("restore", "{outside}/a.duckdb", "--wait", "0"),
    "release": ("release", RELEASED, "--incomplete", "--wait", "0"),
    "preview": ("release", RELEASED, "--incomplete", "--preview"),
    "withdraw a release": ("release", "--withdraw", RELEASED, "--reason", "tried", "--wait", "0"),
    "query the public": (
        "query",
        "FROM releases",
        "--db",
        "public",
        "--format",
        "json",
        "--out",
        "{home}/public.duckdb",
    ),
    "explain beside": ("explain", "K1", "--out", "{home}/mine.csv"),
    "deploy": ("deploy", "--out", "{home}/status.json"),
    "deploy onto the log": ("deploy", "--out", "{home}/records.duckdb.wal"),
    "config": ("config", "--init"),
    "inspect": ("inspect", "{home}/records.duckdb"),
    "inspect outside": ("inspect", "{outside}/mine.csv"),
    "run": ("run", "{incoming}", "--no-server", "--wait", "0"),
    "notify": ("notify",),
    "note an alarm": ("alarm", "note", "total", "seen", "--wait", "0"),
    "list alarms": ("alarm", "list"),
    "sign": ("rules", "sign", "--name", "A", "--role", "B", "--wait", "0"),
    "show a pack": ("rules", "show"),
    "generate": ("generate", "--out", "{home}", "--reports", "10", "--weeks", "1"),
    "demo": ("demo", "--reports", "30"),
    "check": ("check", "--deep", "--wait", "0"),
    "status": ("status",),
}
placements = st.lists(st.tuples(st.sampled_from((*HOME_NAMES, *ODD_NAMES)), st.sampled_from(KINDS)), max_size=5)
commands = st.lists(st.sampled_from(sorted(COMMANDS)), min_size=1, max_size=6)


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def as_it_is(path: Path) -> tuple[object, ...]:
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode):  # what calfwatch adds to it changes its time
        return (stat.S_IMODE(found.st_mode),)
    content = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return stat.S_IMODE(found.st_mode), found.st_mtime_ns, content


@functools.cache
def foreign_database() -> tuple[bytes, bytes]:
    """A DuckDB file of somebody else whose last rows are in its log, and that log."""
    program = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('CREATE TABLE mine AS SELECT 1 AS a');"
        "c.execute('CREATE TABLE state (key VARCHAR, value VARCHAR)'); c.execute('CHECKPOINT');"
        "c.execute('INSERT INTO mine VALUES (2)'); os._exit(0)"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.duckdb"
        subprocess.run([sys.executable, "-c", program, str(path)], check=True)
        return path.read_bytes(), files.name_log(path).read_bytes()


class Place:
    """A home with neighbours, and how everything that is not calfwatch's was."""

    def __init__(self, top: Path, good_home: Home) -> None:
        self.top, self.home, self.outside, self.incoming = top, top / "home", top / "outside", top / "incoming"
        shutil.copytree(good_home.path, self.home)
        for folder in (self.outside / WEEK, self.incoming):
            folder.mkdir(parents=True)
        self.foreign: dict[Path, tuple[object, ...]] = {}
        for name in ("mine.txt", "mine.csv", "a.duckdb", f"{WEEK}/internal.html", "reports.csv"):
            self.put(self.outside / name, "file")
        shutil.copy(good_home.records, top / "backup.duckdb")
        self.keep(top / "backup.duckdb")
        for link, target in (
            (top / "to-the-records", self.home / "records.duckdb"),
            (self.incoming / "home.csv", self.home / "records.duckdb"),
            (self.incoming / "around", self.home),
        ):
            link.symlink_to(target)
            self.foreign[link] = as_it_is(link)

    def put(self, path: Path, kind: str) -> None:
        """Put something of a person's in the place of what may be there; a place behind another link is left out."""
        if any(above.is_symlink() or above.is_file() for above in path.parents):
            return
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        self.foreign = {kept: was for kept, was in self.foreign.items() if os.path.lexists(kept)}
        path.parent.mkdir(parents=True, exist_ok=True)
        self.make(path, kind)
        self.keep(path)

    def make(self, path: Path, kind: str) -> None:
        """Make a file, folder or link of a kind."""
        match kind:
            case "link to a file":
                path.symlink_to(self.outside / "mine.txt")
            case "link to a folder":
                path.symlink_to(self.outside)
            case "link to nothing":
                path.symlink_to(self.outside / "nothing")
            case "folder":
                path.mkdir()
                (path / "mine.txt").write_text("mine")
                self.keep(path / "mine.txt")
            case "empty file":
                path.touch()
            case "database" | "database with its log":
                database_bytes, log_bytes = foreign_database()
                path.write_bytes(database_bytes)
                if kind.endswith("log"):
                    files.name_log(path).write_bytes(log_bytes)
                    self.keep(files.name_log(path))
            case "hard link":
                os.link(self.outside / "mine.txt", path)
            case "copy of the records":
                shutil.copy(self.top / "backup.duckdb", path)
            case _:
                path.write_bytes(b"this is mine, " + os.fsencode(path.name))

    def keep(self, path: Path) -> None:
        if not path.is_symlink():
            path.chmod(0o750 if path.is_dir() else 0o640)
            os.utime(path, ns=(OLD, OLD))
        self.foreign[path] = as_it_is(path)

    def run(self, name: str) -> int:
        places = {"top": self.top, "home": self.home, "outside": self.outside, "incoming": self.incoming}
        command, *rest = (part.format(**places) for part in COMMANDS[name])
        return main([command, "--home", str(self.home), *rest])

    def changed(self) -> list[str]:
        return [
            str(path.relative_to(self.top))
            for path, was in self.foreign.items()
            if not os.path.lexists(path) or as_it_is(path) != was
        ]


LINKS = {kind for kind in KINDS if kind.startswith("link")}
DATABASES = {"database", "database with its log"}
# a file of that name in that place is the state, unless it is plainly something else
FOREIGN_KINDS = {
    "records.duckdb": LINKS | DATABASES,
    "records.duckdb.wal": LINKS,
    "summaries.duckdb": LINKS | DATABASES | {"file", "empty file"},
    "summaries.duckdb.wal": LINKS,
    **dict.fromkeys(("writer.lock", "status.lock", "serve.lock"), set(KINDS) - {"empty file"}),
}


def held(top: Path, good_home: Home, placed: Sequence[tuple[str, str]], run: Sequence[str]) -> None:
    place = Place(top, good_home)
    for name, kind in placed:
        if kind in FOREIGN_KINDS.get(name, KINDS):
            place.put(place.home / name, kind)
    for command in run:
        code = place.run(command)
        assert code in range(8), command
        assert place.changed() == [], (placed, run, command, code)


def stays_as_it_was(
    placed: Sequence[tuple[str, str]], run: Sequence[str], good_home: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("place")
    held(top, good_home, placed, run)
    shutil.rmtree(top)


def tried_with(examples: int) -> Callable[..., None]:
    """The same property with so many examples."""
    checks = [HealthCheck.function_scoped_fixture]
    limits = settings(max_examples=examples, deadline=None, suppress_health_check=checks)
    return limits(given(placed=placements, run=commands)(stays_as_it_was))


test_what_calfwatch_did_not_make_stays_as_it_was = tried_with(4)
test_it_does_so_in_many_more_places = pytest.mark.slow(tried_with(40))


@pytest.mark.parametrize("name", ["tmp", "reports", "records.duckdb", "records.duckdb.wal", "writer.lock", "prefect"])
@pytest.mark.parametrize("command", ["ingest", "report", "withdraw", "retag", "backup", "restore", "check"])
def test_a_name_of_the_home_that_leads_elsewhere_ends_with_one_line(
    name: str, command: str, good_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, good_home)
    place.put(place.home / name, "link to a folder" if name in ("tmp", "reports", "prefect") else "link to a file")
    assert place.run(command) == 2
    told = capsys.readouterr().err
    assert "is a link; calfwatch writes to nothing behind it" in told
    assert told.count("\n") == 1
    assert place.changed() == []


FOREIGN = "is a DuckDB file of something else, and is left as it is"
NO_DATABASE = "is no DuckDB file, and is left as it is; move it away"


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("records.duckdb", "database with its log", FOREIGN),
        ("summaries.duckdb", "database with its log", FOREIGN),
        ("summaries.duckdb", "file", NO_DATABASE),
        ("summaries.duckdb", "empty file", NO_DATABASE),
    ],
)
@pytest.mark.parametrize("command", ["ingest", "retag", "restore"])
def test_what_somebody_put_in_the_place_of_a_database_is_looked_at_and_left(
    name: str, kind: str, told: str, command: str, good_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also its log, which DuckDB takes into the file as soon as it is opened for writing."""
    place = Place(tmp_path, good_home)
    (place.home / "summaries.duckdb").unlink()
    place.put(place.home / name, kind)
    assert place.run(command) == 5
    assert f"{name} {told}" in capsys.readouterr().err
    assert place.changed() == []


def test_a_log_without_its_database_is_not_lost(good_home: Home, tmp_path: Path) -> None:
    place = Place(tmp_path, good_home)
    (place.home / "records.duckdb").unlink()
    (place.home / "summaries.duckdb").unlink()
    place.put(place.home / "records.duckdb.wal", "file")
    assert place.run("ingest") == 5
    assert place.changed() == []


@pytest.mark.parametrize("name", ["status.json", "notices.json", "objects.json", "status.lock", "writer.lock"])
def test_a_file_of_somebody_else_under_a_name_of_ours_is_refused_before_anything_is_done(
    name: str, good_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, good_home)
    place.put(place.home / name, "file")
    before = (place.home / "records.duckdb").read_bytes()
    assert place.run("ingest") == 2
    assert "was not written by calfwatch, and is left as it is" in capsys.readouterr().err
    assert (place.changed(), (place.home / "records.duckdb").read_bytes() == before) == ([], True)


def test_metrics_do_not_replace_a_file_of_the_home(
    good_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, good_home)
    (place.home / "calfwatch.toml").write_text('metrics_file = "records.duckdb"\n')
    before = (place.home / "records.duckdb").read_bytes()
    assert place.run("ingest") == 2
    assert "is one of the files of the home" in capsys.readouterr().err
    assert (place.home / "records.duckdb").read_bytes() == before


def test_a_home_reached_through_a_link_is_the_same_home(good_home: Home, tmp_path: Path) -> None:
    place = Place(tmp_path, good_home)
    (tmp_path / "way").symlink_to(place.home)
    through = Home(tmp_path / "way")
    for way in (through, Home(place.home), Home(tmp_path / "outside" / ".." / "home")):
        assert way.owns(place.home / "records.duckdb")
        assert way.owns(tmp_path / "way" / "records.duckdb.wal")
        assert way.owns(tmp_path / "to-the-records")
        assert not way.owns(tmp_path / "backup.duckdb")
        assert not way.owns(place.home / "incoming" / "a.csv")


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_a_delivery_that_leads_to_the_records_keeps_other_programs_out(
    make: Callable[[Path, Path], None], good_home: Home, tmp_path: Path, pack: Pack
) -> None:
    """Opened and closed once, it would lose DuckDB's lock: another process could then attach the records."""
    place = Place(tmp_path, good_home)
    path = place.incoming / "z.csv"
    make(place.home / "records.duckdb", path)
    home = Home(place.home)
    with database.open_records(home, Settings(), pack) as connection:
        from pipelines.intake.deliveries import find_deliveries
        from pipelines.jobs.ingest import Run, ingest_file

        (delivery,) = find_deliveries([str(path)], Settings(), None)
        outcome = ingest_file(connection, delivery, Run(home, Settings(), pack))
        assert (outcome.status, "is not read" in str(outcome.reason)) == ("rejected", True)
        assert not other_process_may_attach(home.records)


def other_process_may_attach(path: Path) -> bool:
    code = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False).returncode == 0


def test_a_search_passes_over_the_home_and_says_so(
    good_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Path(shutil.copytree(good_home.path, tmp_path / "home"))
    shutil.copy(sorted((STATES / "v1").glob("*.csv"))[0], tmp_path / "a.csv")
    (home / "reports" / "mine.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    assert main(["ingest", "--home", "home", "."]) == 0
    told = capsys.readouterr()
    assert "skipped   home: it is the home's own" in told.err
    assert told.out.startswith("1 file: ")


def test_an_output_is_whole_or_the_old_one_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "a.csv", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)

    def fail() -> None:
        with files.open_output(link) as stream:
            stream.write(b"half of")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (target.read_text(), sorted(path.name for path in tmp_path.iterdir())) == ("old", ["a.csv", "link"])
    with files.open_output(link) as stream:
        stream.write(b"new")
    assert (target.read_text(), link.is_symlink(), target.stat().st_mode & 0o777) == ("new", True, 0o600)


def test_an_output_in_memory_is_a_file_like_any_other() -> None:
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("NOT TESTED: no /dev/shm to write to")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        target = Path(folder) / "a.csv"
        target.write_text("old")
        files.write_output(target, b"new")
        assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_device_stays_one(tmp_path: Path) -> None:
    before = os.stat("/dev/null")
    files.write_output(Path("/dev/null"), b"gone")
    assert (os.stat("/dev/null").st_mode, stat.S_ISCHR(before.st_mode)) == (before.st_mode, True)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_output(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    with pytest.raises(UsageError, match="cannot be written"):
        files.write_output(tmp_path / "no" / "such", b"")
