"""A publication that is made although nothing may be new."""

from __future__ import annotations

from pipelines.jobs import publish
from pipelines.settings import Settings
from pipelines.store import database
from pipelines.store.database import Home
from pipelines.store.packs import load_configured_pack


def publish_anew(home: Home, settings: Settings) -> None:
    """Publish the summaries of now, behind the home's lock."""
    with database.writing(home, settings, load_configured_pack(home, settings), 5) as connection:
        publish.publish(connection, home, settings)
