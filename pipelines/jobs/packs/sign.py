"""A clinician's signature under a rule pack, recorded in the home and published."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pipelines import clock
from pipelines.errors import UsageError
from pipelines.jobs import publish as publish_job
from pipelines.settings import Settings
from pipelines.store import audit, database
from pipelines.store.database import Home
from pipelines.store.packs import load_configured_pack
from pipelines.store.signatures import read_signatures, record_signature
from pipelines.text import describe_signatures
from schemas.pack_file import load_pack


def sign_pack(
    home: Home, settings: Settings, pack_file: str | None, signature: tuple[str, str, date], wait_seconds: float
) -> str:
    """Record a signature (name, role, day) under a pack file, or under the pack in use; return what was recorded.

    Raises UsageError without a printable name or role, or for a day to come.
    """
    name, role = (" ".join(part.split()) for part in signature[:2])
    day = signature[2]
    if not name or not role:
        raise UsageError("a signature needs a name and a role; try --name NAME --role ROLE")
    if not (name + role).isprintable():
        raise UsageError("the name and the role of a signature are one line of printable characters each")
    if day > clock.today(settings.time_zone):
        raise UsageError(f"the signature is dated {day}, which is a day to come")
    configured = load_configured_pack(home, settings)
    with database.writing(home, settings, configured, wait_seconds) as connection:
        pack = load_pack(Path(pack_file)) if pack_file else database.find_pack_in_use(connection, configured)
        with database.transaction(connection):
            record_signature(connection, pack.version, name, role, day)
            audit.note(connection, "sign", pack.version, f"signed by {name} ({role}) on {day}")
        publish_job.publish(connection, home, settings)
        return describe_signatures(pack.version, read_signatures(connection, pack.version))
