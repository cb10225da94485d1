"""Which rule pack is meant: the configured one, the one that tagged a history, or that of the published summaries."""

from __future__ import annotations

import contextlib
from pathlib import Path

import duckdb

from pipelines.connections import read_only
from pipelines.errors import StateError
from pipelines.settings import Settings
from pipelines.statements import first_row
from pipelines.store import database
from pipelines.store.database import Home
from schemas.pack import Pack, default_pack_path, load_pack, parse_pack


def configured_pack(home: Home, settings: Settings) -> Pack:
    """The pack that the settings name, else the shipped one; what tagged a history is `store.pack_in_use`.

    Raises UsageError that lists what is wrong with it.
    """
    return load_pack(pack_path(home.path, settings))


def history_pack(home: Path) -> Pack:
    """The pack that tagged the records of a home."""
    records = home / "records.duckdb"
    with contextlib.closing(read_only(records)) as connection, database.damage_told(records):
        return database.stored_pack(connection, database.get_state(connection, "rule_pack"))


def pack_path(home: Path, settings: Settings) -> Path:
    """The file of the configured pack."""
    return home / settings.rule_pack if settings.rule_pack else default_pack_path()


def published_pack(home: Home) -> Pack:
    """The pack that tagged what summaries.duckdb counts, from the snapshot itself."""
    with contextlib.closing(read_only(home.summaries)) as connection, database.damage_told(home.summaries):
        try:
            row = first_row(connection, "SELECT rule_pack_content FROM about")
        except duckdb.BinderException as error:
            text = f"{home.summaries} was published by an older calfwatch; `calfwatch run` publishes it anew"
            raise StateError(text) from error
    assert row is not None
    return parse_pack(row[0], str(home.summaries))
