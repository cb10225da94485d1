"""Deliveries in a bucket fare as files do; what is wrong is told in a line, and credentials are kept nowhere."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.app import main
from pipelines.errors import FileRejected, UsageError
from pipelines.intake.deliveries import assign_sources, find_deliveries, find_other_files
from pipelines.intake.objects import bucket as bucket_module
from pipelines.intake.objects.bucket import StoredObject, find_objects
from pipelines.jobs.ingest import ingest_batch
from pipelines.jobs.outcome import Lines, describe_other_files
from pipelines.prefect_server import check_served_paths
from pipelines.settings import Settings
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from tests.conftest import opened
from tests.support.prepared import Here

s3fs = pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

KEY, SECRET = "AKIDOFNOBODY", "wJalrXUtnFEMI-secret-of-nobody"
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server on loopback that speaks S3."""
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The client of an empty bucket `clinic`; credentials and server are in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))  # whose ~/.aws is not there
    client = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    if client.exists("clinic"):
        client.rm("clinic", recursive=True)
    client.mkdir("clinic")
    return client


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were read."""
    seen: list[str] = []
    fetch = bucket_module._fetch

    def note(files: Any, address: str, target: Path) -> Any:
        seen.append(address.rpartition("/")[2])
        return fetch(files, address, target)

    monkeypatch.setattr(bucket_module, "_fetch", note)
    return seen


def ingest(home: Home, *paths: str, settings: Settings | None = None) -> list[Outcome]:
    used = settings or Settings()
    return ingest_batch(home, used, find_deliveries(paths, used, None), 5, Lines(), publish=False)


def delivered(write_csv: Write) -> list[Path]:
    """A history with a correction across files, bad rows, a direct identifier, a damaged archive and an empty file."""
    rows = [{"report_id": f"a{n}", "reported_at": f"2026-11-{1 + n % 20:02}T10:00:00Z"} for n in range(40)]
    late = [rows[0], rows[1] | {"fever": "yes"}, rows[2] | {"report_id": "a99", "pain_score": "11"}, {"report_id": "b"}]
    late += [{"report_id": f"c{n}"} for n in range(9)]
    first, second = write_csv(rows, "in/1 first.csv"), write_csv(late, "in/deep/2.csv")
    named = write_csv([{"report_id": "d", "region": "jo@example.org"}], "in/3.csv")
    packed, damaged, empty = first.with_name("4.csv.gz"), first.with_name("5.csv.gz"), first.with_name("6.csv")
    packed.write_bytes(gzip.compress(write_csv([{"report_id": "e"}], "e.csv").read_bytes()))
    damaged.write_bytes(packed.read_bytes()[:-20])
    empty.write_bytes(b"")
    return [first, named, packed, damaged, empty, second]


def put(bucket: Any, paths: list[Path], top: Path) -> None:
    for path in paths:
        bucket.pipe_file(f"clinic/{path.relative_to(top).as_posix()}", path.read_bytes())


def content(home: Home) -> dict[str, list[tuple[Any, ...]]]:
    """Every table of records and of files, without moments and places."""
    kept = {
        "files": "SELECT * EXCLUDE (path, ingested_at, run_id) REPLACE (regexp_replace(file_id, '^unread.*', 'unread') "
        "AS file_id) FROM files",
        "reports": "FROM reports",
        "superseded": "SELECT * EXCLUDE (superseded_at) FROM superseded",
        "quarantine": "FROM quarantine",
        "daily_summary": "FROM daily_summary",
    }
    with opened(home.records) as connection:
        return {name: sorted(connection.execute(sql).fetchall(), key=repr) for name, sql in kept.items()}


def test_objects_fare_as_files_do(bucket: Any, home: Home, write_csv: Write, tmp_path: Path) -> None:
    paths = delivered(write_csv)
    put(bucket, paths, tmp_path)
    bucket.pipe_file("clinic/in/note.xlsx", b"no CSV")
    local = Home(tmp_path / "local")
    local.make()
    told = ingest(local, str(tmp_path / "in"))
    outcomes = ingest(home, "s3://clinic/in")
    assert [each.status for each in outcomes] == [each.status for each in told]
    assert sorted(each.status for each in outcomes) == ["accepted"] * 3 + ["rejected"] * 3
    assert [each.reason for each in outcomes] == [each.reason for each in told]
    assert outcomes[0].path == "s3://clinic/in/1 first.csv"
    assert content(home) == content(local)
    assert list(home.scratch.iterdir()) == []
    assert "s3://clinic/in/note.xlsx" in describe_other_files(find_other_files(["s3://clinic/in"]))


@pytest.mark.slow
def test_workers_fetch_objects_and_hand_over_through_a_bucket(
    bucket: Any, home: Home, write_csv: Write, tmp_path: Path, fetched: list[str]
) -> None:
    put(bucket, delivered(write_csv), tmp_path)
    local = Home(tmp_path / "local")
    local.make()
    ingest(local, "s3://clinic/in")
    fetched.clear()
    deliveries = find_deliveries(["s3://clinic/in"], Settings(), None)
    here = Here("s3://clinic/shared")
    outcomes = ingest_batch(home, Settings(), deliveries, 5, Lines(), publish=False, preparer=here)
    assert sorted(each.status for each in outcomes) == ["accepted"] * 3 + ["rejected"] * 3
    assert content(home) == content(local)
    # all of them by the worker, and again what it was not sure of
    assert sorted(fetched) == sorted(["1 first.csv", "2.csv", "4.csv.gz", *2 * ["3.csv", "5.csv.gz", "6.csv"]])
    assert bucket.find("clinic/shared")
    here.parcels.remove()
    assert bucket.find("clinic/shared") == []
    again = ingest_batch(home, Settings(), deliveries, 5, Lines(), publish=False, preparer=here)
    assert sorted(each.status for each in again) == ["known"] * 3 + ["rejected"] * 3


def test_a_version_that_was_read_is_not_read_again(
    bucket: Any, home: Home, write_csv: Write, tmp_path: Path, fetched: list[str]
) -> None:
    put(bucket, delivered(write_csv), tmp_path)
    ingest(home, "s3://clinic/in")
    assert sorted(fetched) == ["1 first.csv", "2.csv", "3.csv", "4.csv.gz", "5.csv.gz", "6.csv"]
    before = content(home)
    fetched.clear()
    statuses = [each.status for each in ingest(home, "s3://clinic/in")]
    assert (statuses.count("known"), statuses.count("rejected")) == (3, 3)
    assert sorted(fetched) == ["5.csv.gz"]  # damaged, it has no content that it could be known by
    fetched.clear()
    ingest(home, "s3://clinic/in", settings=Settings(max_quarantined_share=0.5))  # what was rejected may fare otherwise
    assert sorted(fetched) == ["3.csv", "5.csv.gz", "6.csv"]
    fetched.clear()
    (home.path / "objects.json").unlink()
    ingest(home, "s3://clinic/in")
    assert len(fetched) == 6
    assert content(home)["reports"] == before["reports"]
    same = (tmp_path / "in" / "1 first.csv").read_bytes()
    bucket.pipe_file("clinic/in/copy.csv", same)  # the same content in another place
    assert [each.status for each in ingest(home, "s3://clinic/in/copy.csv", "s3://clinic/in/copy.csv")] == ["known"]
    bucket.pipe_file("clinic/in/copy.csv", same + same.splitlines()[1].replace(b"a0", b"new") + b"\n")
    assert [(each.rows_accepted, each.rows_duplicate) for each in ingest(home, "s3://clinic/in/copy.csv")] == [(2, 39)]


def test_an_object_that_is_gone_or_replaced_is_tried_again(
    bucket: Any, home: Home, write_csv: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, [write_csv([{"report_id": "1"}], "in/1.csv"), write_csv([{"report_id": "2"}], "in/2.csv")], tmp_path)
    deliveries = find_deliveries(["s3://clinic/in"], Settings(), None)
    bucket.rm("clinic/in/2.csv")
    again = assign_sources(["s3://clinic/in/1.csv", "s3://clinic/in/2.csv"], Settings(), None)  # as a task of a flow
    assert [each.stored for each in again] == [deliveries[0].stored, StoredObject("s3://clinic/in/2.csv")]
    outcomes = ingest_batch(home, Settings(), deliveries, 5, Lines(), publish=False)
    assert [each.status for each in outcomes] == ["accepted", "rejected"]
    assert str(outcomes[1].reason).startswith("cannot be read: s3://clinic/in/2.csv: there is no such bucket or object")
    put(bucket, [tmp_path / "in" / "2.csv"], tmp_path)
    with monkeypatch.context() as changed:
        changed.setattr(bucket_module, "_fetch", lambda *_: raise_(FileRejected("was replaced", passing=True)))
        assert [each.reason for each in ingest(home, "s3://clinic/in/2.csv")] == ["was replaced"]
    assert [each.status for each in ingest(home, "s3://clinic/in/2.csv")] == ["accepted"]


def raise_(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    "address", [f"s3://{KEY}:{SECRET}@clinic/in", "s3://", "s3:///in", "S3://clinic", "s3://x\ty/in"]
)
def test_an_address_that_is_none_is_not_repeated(address: str, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("ingest", "run"):
        assert main([command, address, "--home", str(home.path)]) == 2
        told = capsys.readouterr().err
        assert "allowed: s3://BUCKET/PREFIX" in told
        assert SECRET not in told
    assert main(["inspect", "s3://clinic/a.csv", "--home", str(home.path)]) == 2
    assert "inspect reads a file of this machine" in capsys.readouterr().err


def test_what_is_wrong_with_a_bucket_is_told_in_a_line(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(address: str = "s3://clinic/in") -> str:
        with pytest.raises(UsageError) as raised:
            find_objects(address)
        assert raised.value.__cause__ is None
        assert "\n" not in str(raised.value)
        return str(raised.value)

    assert find_objects("s3://clinic/in") == []
    assert "there is no such bucket or object; is 'absent' its name" in told("s3://absent/in")
    assert "takes no *, ? or [" in told("s3://clinic/*.csv")
    with monkeypatch.context() as changed:
        changed.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert "cannot be reached (EndpointConnectionError); check the network" in told()
    with monkeypatch.context() as changed:
        changed.delenv("AWS_ACCESS_KEY_ID")
        changed.delenv("AWS_SECRET_ACCESS_KEY")
        assert "no credentials for it (NoCredentialsError); set AWS_ACCESS_KEY_ID" in told()
    with monkeypatch.context() as changed:
        changed.setattr(s3fs.S3FileSystem, "find", lambda *_, **__: raise_(PermissionError("Forbidden for " + KEY)))
        assert "access is refused; the credentials of the environment" in (words := told())
        assert KEY not in words
    with monkeypatch.context() as changed:
        changed.setitem(sys.modules, "s3fs", None)
        assert "pip install 'calfwatch[s3]'" in told()


def test_a_run_over_a_bucket_leaves_no_credentials_anywhere(
    bucket: Any, home: Home, write_csv: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(bucket, delivered(write_csv), tmp_path)
    (home.path / "calfwatch.toml").write_text("incoming = ['s3://clinic/in', 'incoming']\n")
    assert main(["run", "--no-server", "--home", str(home.path)]) == 3
    assert "s3://clinic/in/3.csv" in capsys.readouterr().err
    assert main(["status", "--home", str(home.path)]) == 7
    assert main(["config", "--home", str(home.path)]) == 0
    told = "".join(capsys.readouterr())
    texts = [told.encode(), *(path.read_bytes() for path in home.path.rglob("*") if path.is_file())]
    assert [1 for text in texts if KEY.encode() in text or SECRET.encode() in text] == []
    assert len(json.loads((home.path / "objects.json").read_text())["objects"]) == 5
    assert main(["forget", "a0", "--dry-run", "--home", str(home.path)]) == 0
    assert "still held by s3://clinic/in/1 first.csv" in capsys.readouterr().out


def test_a_served_flow_takes_addresses_below_its_own_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALFWATCH_SERVED_HOME", str(home.path))
    check_served_paths(home.path, ["s3://clinic/in", "s3://clinic/in/a.csv"], ("s3://clinic/in",))
    for other in ("s3://clinic/inner", "s3://clinic", "s3://other/in/a.csv"):
        with pytest.raises(UsageError, match="outside the incoming folders"):
            check_served_paths(home.path, [other], ("s3://clinic/in", "incoming"))


@pytest.mark.slow  # a process of its own
def test_without_an_address_nothing_of_the_extras_is_imported(home: Home, write_csv: Write) -> None:
    path = write_csv([{"report_id": "1"}])
    code = f"""import sys; from pipelines.cli.app import main
assert main(["run", "--no-server", {str(path)!r}, "--home", {str(home.path)!r}]) == 0
print(sorted({{"s3fs", "aiobotocore", "botocore", "boto3", "dask", "distributed"}} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.splitlines()[-1] == "[]"
