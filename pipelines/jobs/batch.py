"""Publish the summaries of now."""

from __future__ import annotations

from pipelines.settings import Settings
from pipelines.store import database, snapshot
from pipelines.store.database import Home
from pipelines.store.packs import configured_pack


def publish_snapshot(home: Home, settings: Settings, wait_seconds: float) -> None:
    """Publish the summaries of now."""
    pack = configured_pack(home, settings)
    with database.writing(home, settings, pack, wait_seconds) as connection:
        snapshot.publish(connection, home, settings)
