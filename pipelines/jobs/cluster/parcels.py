"""Tables in a folder that several machines see: Parquet files, each sealed with the key of one run.

The folder is an address of fsspec: a path, or s3://BUCKET/PREFIX. Who finds a parcel without the key can neither read
it nor put another in its place.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from pipelines.errors import ClusterError

AGAIN = "what was committed is kept; run the same again, with or without --cluster"
KEY_BYTES, NONCE_BYTES = 32, 12


class ParcelError(OSError):
    """The folder cannot be used; `filename` is its address."""


def make_key() -> bytes:
    """Return a new key, which only its run knows, and forgets."""
    return secrets.token_bytes(KEY_BYTES)


@dataclass(frozen=True)
class Parcels:
    """The parcels of one run, below the folder `address`."""

    address: str
    key: bytes = field(repr=False)

    def __reduce__(self) -> tuple[type[Parcels], tuple[str, bytes]]:
        return Parcels, (self.address, self.key)  # what is opened stays where it was opened

    @cached_property
    def _place(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        files, folder = url_to_fs(self.address)
        return files, str(folder)

    def make_folder(self) -> None:
        """Make the folder; a bucket needs none. Raises ParcelError."""
        with self._told():
            files, folder = self._place
            files.makedirs(folder, exist_ok=True)

    def write(self, table: pa.Table) -> str:
        """Write a table under a new name, and return it. Raises ParcelError."""
        import pyarrow.parquet

        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink, compression="lz4", write_statistics=False)
        name = f"{secrets.token_hex(8)}.parquet"
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, memoryview(sink.getvalue()).cast("B"), name.encode())
        with self._told():
            files, folder = self._place
            files.pipe_file(f"{folder}/{name}", nonce + sealed)
        return name

    def read(self, name: str) -> pa.Table:
        """Read a table. Raises ClusterError if it cannot be read, or is not what was written."""
        import pyarrow.parquet
        from cryptography.exceptions import InvalidTag

        try:
            with self._told():
                files, folder = self._place
                found = files.cat_file(f"{folder}/{name}")
            opened = self._cipher.decrypt(found[:NONCE_BYTES], found[NONCE_BYTES:], name.encode())
        except (ParcelError, InvalidTag) as error:
            words = f"cannot be read: {error.strerror}" if isinstance(error, ParcelError) else "is not what was written"
            raise ClusterError(f"{self.address}: what a worker put there {words}; see --shared", AGAIN) from error
        return pyarrow.parquet.read_table(pa.BufferReader(opened))

    def remove(self) -> None:
        """Remove the folder with all that is in it. Raises ParcelError."""
        with self._told():
            files, folder = self._place
            if files.exists(folder):
                files.rm(folder, recursive=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell every failure of a file system by the folder; of other libraries' errors only the kind."""
        try:
            yield
        except Exception as error:
            number, words = getattr(error, "errno", None) or errno.EINVAL, getattr(error, "strerror", None)
            raise ParcelError(number, words or type(error).__name__, self.address) from error

    @cached_property
    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self.key)
