"""Compare how two rule packs tag the stored history; nothing is written."""

from __future__ import annotations

from pathlib import Path

from pipelines.explain.comparison import Comparison, compare
from pipelines.settings import Settings
from pipelines.store import database
from pipelines.store.database import Home
from schemas.pack_file import load_pack


def compare_packs(home: Home, settings: Settings, before: str, after: str) -> Comparison:
    """Compare how two packs would tag the history; each is a file, or `stored` for what tagged it."""
    with database.open_read_only(home, settings) as connection:
        stored = database.load_stored_pack(connection, database.get_state(connection, "rule_pack"))
        packs = [stored if name == "stored" else load_pack(Path(name)) for name in (before, after)]
        return compare(connection, stored, packs[0], packs[1])
