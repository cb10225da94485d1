"""Which rule pack is meant: the configured one, the one that tagged a history, or that of the published summaries."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.connections import open_for_reading
from pipelines.errors import StateError, UsageError
from pipelines.settings import Settings
from pipelines.statements import first_row
from pipelines.store.home import Home
from pipelines.store.state import get_state
from schemas.pack import Pack, default_pack_path, load_pack, parse_pack


def configured_pack(home: Home, settings: Settings) -> Pack:
    """The pack that the settings name, else the shipped one; what tagged a history is `pack_in_use`.

    Raises UsageError that lists what is wrong with it.
    """
    return load_pack(pack_path(home.path, settings))


def history_pack(home: Path) -> Pack:
    """The pack that tagged the records of a home."""
    records = home / "records.duckdb"
    with open_for_reading(records) as connection:
        return stored_pack(connection, get_state(connection, "rule_pack"))


def pack_path(home: Path, settings: Settings) -> Path:
    """The file of the configured pack."""
    return home / settings.rule_pack if settings.rule_pack else default_pack_path()


def published_pack(home: Home) -> Pack:
    """The pack that tagged what summaries.duckdb counts, from the snapshot itself."""
    with open_for_reading(home.summaries) as connection:
        try:
            row = first_row(connection, "SELECT rule_pack_content FROM about")
        except duckdb.BinderException as error:
            text = f"{home.summaries} was published by an older calfwatch; `calfwatch run` publishes it anew"
            raise StateError(text) from error
    assert row is not None
    return parse_pack(row[0], str(home.summaries))


def pack_in_use(connection: duckdb.DuckDBPyConnection, pack: Pack) -> Pack:
    """The pack that tagged the stored history. `pack`, the configured one, is given back where it is the same.

    A newer pack in the settings, or shipped with an update, changes no tag by itself: `retag` does.
    """
    stored = get_state(connection, "rule_pack")
    return pack if stored == pack.version else stored_pack(connection, stored)


def stored_pack(connection: duckdb.DuckDBPyConnection, pack_version: str) -> Pack:
    """A pack that has tagged records here, from the text kept of it. Raises UsageError where no text was kept."""
    row = first_row(connection, "SELECT content FROM rule_packs WHERE rule_pack = ?", [pack_version])
    if row is None or row[0] is None:
        raise UsageError(
            f"the history is tagged with rule pack {pack_version}, and its text was not kept; "
            "name its file as rule_pack in calfwatch.toml"
        )
    return parse_pack(row[0], f"rule pack {pack_version}")
