"""List the objects below an s3:// address, and stream one to a file, by s3fs, the client that fsspec keeps.

It takes credentials, region and endpoint from the environment, as the tools of AWS do. It is imported where an address
is given, and nowhere else. Of its errors only the kind is told, never their words.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, TypeVar

from pipelines.errors import FileRejected, UsageError
from pipelines.files import open_private
from pipelines.settings import SCHEME, check_address

READ_BYTES = 8 << 20
CHANGED_IN_BUCKET = "was replaced while it was read; it is tried again in the next run"
Found = TypeVar("Found")


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket; its version changes when it is written anew."""

    address: str
    size: int = 0
    version: str = ""


def find_objects(address: str) -> list[StoredObject]:
    """List the objects at any depth below an address, or the one that it names, by name.

    Raises UsageError if the extra is missing, and for a bucket that is not there, refuses access or cannot be reached.
    """
    check_address(address)
    files = _open_files()
    found = _try(lambda: files.find(address, detail=True), address, UsageError)
    return [_describe(each) for name, each in sorted(found.items()) if each["type"] == "file" and name[-1:] != "/"]


def locate_objects(addresses: Sequence[str]) -> dict[str, StoredObject]:
    """Return objects as they lie there now, each folder of a bucket listed once; one that is gone has no version."""
    found = {address: StoredObject(address) for address in addresses}
    for folder in dict.fromkeys(address.rpartition("/")[0] for address in addresses):
        found |= {each.address: each for each in find_objects(folder) if each.address in found}
    return found


def fetch_objects(objects: Sequence[StoredObject], folder: Path) -> Iterator[tuple[Path, StoredObject | FileRejected]]:
    """Stream objects to private files of a folder; yield each file, and the object as it was read, or why it was not.

    Raises UsageError if the extra is missing, OSError if the files cannot be written.
    """
    files = _open_files()
    for number, each in enumerate(objects):
        suffix = Path(each.address).suffix.lower()
        target = folder / f"{number:06}{suffix if suffix in ('.gz', '.zst') else ''}"
        try:
            yield target, _fetch(files, each.address, target)
        except FileRejected as error:
            yield target, error


def _fetch(files: Any, address: str, target: Path) -> StoredObject:
    """Raises FileRejected, for now, if the object cannot be read to its end as one version."""
    source = _try(lambda: files.open(address, "rb", block_size=READ_BYTES, cache_type="readahead"), address, _unread)
    with contextlib.closing(source), open(target, "xb", opener=open_private) as file:
        while chunk := _try(lambda: source.read(READ_BYTES), address, _unread):
            file.write(chunk)
        if file.tell() != source.details["size"]:
            raise FileRejected(CHANGED_IN_BUCKET, passing=True)
    return _describe(source.details)


def _describe(found: Mapping[str, Any]) -> StoredObject:
    changed = found["LastModified"].astimezone(UTC).replace(microsecond=0)  # a listing and a look differ below it
    tag = str(found.get("ETag", "")).strip('"')
    return StoredObject(SCHEME + found["name"], int(found["size"]), f"{tag} {found['size']} {changed:%Y%m%dT%H%M%SZ}")


def _open_files() -> Any:
    """Return the file system of s3:// addresses, which keeps nothing of earlier listings."""
    try:
        import s3fs
    except ImportError:
        raise UsageError(
            "s3:// addresses need the extra `s3`: install calfwatch with it (pip install 'calfwatch[s3]')"
        ) from None
    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


def _unread(words: str) -> FileRejected:
    return FileRejected(f"cannot be read: {words}", passing=True)


def _try(read: Callable[[], Found], address: str, make_error: Callable[[str], Exception]) -> Found:
    """Return what a call of the client returns. Raises the made error, without what led to it: that may quote more."""
    from aiohttp import ClientError
    from botocore.exceptions import BotoCoreError

    try:
        return read()
    except (OSError, TimeoutError, BotoCoreError, ClientError) as error:
        words = _explain(error, address)
    raise make_error(words)


def _explain(error: Exception, address: str) -> str:
    """Return what is wrong, where, and what to do, without a word of the client's own."""
    kind = type(error).__name__
    if kind in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"):
        return (
            f"{address}: the environment has no credentials for it ({kind}); set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where the machine has a role"
        )
    if isinstance(error, PermissionError):
        return f"{address}: access is refused; the credentials of the environment must be valid, and may list and read"
    if isinstance(error, FileNotFoundError):
        bucket = address.removeprefix(SCHEME).partition("/")[0]
        return f"{address}: there is no such bucket or object; is '{bucket}' its name, and AWS_ENDPOINT_URL its server?"
    if kind == "FileExpired":
        return CHANGED_IN_BUCKET
    return f"{address}: cannot be reached ({kind}); check the network, AWS_ENDPOINT_URL and AWS_DEFAULT_REGION"
