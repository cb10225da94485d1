"""What is taken for a cluster's address, what is handed over in parcels, and what is missing is told in a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.cli.app import main
from pipelines.errors import ClusterError, UsageError
from pipelines.jobs.cluster.address import Workers
from pipelines.jobs.cluster.client import _shared_error
from pipelines.jobs.cluster.parcels import ParcelError, Parcels, make_key

ROWS = pa.table({"report_id": ["a patient's number"] * 50, "line_number": range(50)})


@pytest.mark.parametrize(
    "address",
    ["tls://scheduler.example:8786", "tls://10.0.0.7:8786", "tls://[::1]:8786", "tcp://127.0.0.1:8786", "tcp://[::1]:1",
     "tcp://localhost:8786", "local:1", "local:16"],
)  # fmt: skip
def test_tls_anywhere_and_plain_connections_to_this_machine_are_allowed(address: str) -> None:
    assert Workers(address).cluster == address


@pytest.mark.parametrize(
    "address",
    ["tcp://10.0.0.7:8786", "tcp://scheduler.example:8786", "tcp://127.0.0.1.example:8786", "tcp://0.0.0.0:8786",
     "tcp://[::]:8786", "tcp://localhost.example:1", "tcp://2130706433:8786"],
)  # fmt: skip
def test_a_cluster_that_others_could_listen_to_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="without TLS whoever reaches it runs code there"):
        Workers(address)


@pytest.mark.parametrize("address", ["", "local:0", "local:", "local:two", "http://127.0.0.1:1", "tls://host", "8786"])
def test_what_is_no_address_of_a_cluster_is_told_with_what_is_allowed(address: str) -> None:
    with pytest.raises(UsageError, match="allowed: tls://HOST:PORT, tcp:// of this machine alone, or local:N"):
        Workers(address)


@pytest.mark.parametrize("shared", ["s3://KEY:SECRET@bucket/x", "sftp://me:secret@host/x", "s3://", "s3://a b"])
def test_a_shared_folder_is_no_place_for_credentials(shared: str) -> None:
    with pytest.raises(UsageError) as told:
        Workers("local:2", shared)
    assert "SECRET" not in str(told.value)
    assert "secret" not in str(told.value)


def test_a_kind_of_address_that_is_not_known_is_no_full_disk() -> None:
    with pytest.raises(ClusterError, match=r"abc://.* cannot be used: ValueError; see --shared"):
        raise _shared_error(Workers("local:1", "abc://x"), _failing("abc://x"))


def _failing(address: str) -> ParcelError:
    with pytest.raises(ParcelError) as told:
        Parcels(address, make_key()).make_folder()
    return told.value


def test_a_shared_folder_without_a_cluster_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path), "--home", str(tmp_path / "home"), "--shared", str(tmp_path)]) == 2
    assert "name the cluster by --cluster" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_without_the_extra_a_cluster_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    csv = tmp_path / "a.csv"
    csv.write_text("report_id,reported_at,fever\n1,2026-11-16,yes\n")
    command = ["run", str(csv), "--home", str(tmp_path / "home"), "--no-server", "--cluster", "local:2"]
    assert main(command) == 2
    assert "pip install 'calfwatch[dask]'" in capsys.readouterr().err


def test_without_a_cluster_nothing_of_dask_is_imported(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_text("report_id,reported_at,fever\n1,2026-11-16,yes\n")
    code = f"""
import sys
from pipelines.cli.app import main
assert main(["run", {str(csv)!r}, "--home", {str(tmp_path / "home")!r}, "--no-server"]) == 0
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{"dask", "distributed", "fsspec", "tornado"}}))
print([name for name in sys.modules if name.startswith("pipelines.jobs.cluster.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["[]", "['pipelines.jobs.cluster.address']"]


# --- parcels -------------------------------------------------------------------------------------------------------


def test_a_parcel_is_read_by_its_key_alone(tmp_path: Path) -> None:
    parcels = Parcels(str(tmp_path), make_key())
    name = parcels.write(ROWS)
    assert parcels.read(name).equals(ROWS)
    assert b"patient" not in (tmp_path / name).read_bytes()
    assert b"PAR1" not in (tmp_path / name).read_bytes()
    with pytest.raises(ClusterError, match="is not what was written"):
        Parcels(str(tmp_path), make_key()).read(name)


def test_a_parcel_that_was_changed_or_exchanged_is_refused(tmp_path: Path) -> None:
    parcels = Parcels(str(tmp_path), make_key())
    first, second = parcels.write(ROWS), parcels.write(ROWS.slice(0, 1))
    (tmp_path / first).write_bytes((tmp_path / second).read_bytes())
    with pytest.raises(ClusterError):
        parcels.read(first)
    content = bytearray((tmp_path / second).read_bytes())
    content[-1] ^= 1
    (tmp_path / second).write_bytes(content)
    with pytest.raises(ClusterError):
        parcels.read(second)


def test_a_parcel_that_is_gone_and_a_folder_that_is_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="No such file"):
        Parcels(str(tmp_path), make_key()).read("0000.parquet")
    (tmp_path / "file").touch()
    with pytest.raises(ParcelError) as told:
        Parcels(str(tmp_path / "file" / "deeper"), make_key()).make_folder()
    assert told.value.filename == str(tmp_path / "file" / "deeper")
