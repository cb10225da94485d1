"""Which rule pack is meant: the configured one, the one that tagged a history, or that of the published summaries."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.connections import open_for_reading
from pipelines.errors import WHAT_TO_DO, StateError, UsageError
from pipelines.settings import Settings
from pipelines.statements import Row, first_row
from pipelines.store.home import Home
from pipelines.store.signatures import signatures_of
from pipelines.store.state import get_state
from schemas.pack import Field, Pack
from schemas.pack_file import default_pack_path, load_pack, parse_pack


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


def recorded_signatures(home: Path, pack_version: str) -> list[Row]:
    """The signatures under a pack that a home has recorded; none in a home of an older schema version."""
    records = home / "records.duckdb"
    with open_for_reading(records) as connection:
        known = first_row(connection, "SELECT 1 FROM duckdb_tables() WHERE table_name = 'signatures'")
        return signatures_of(connection, pack_version) if known else []


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
    pack = parse_pack(row[0], f"rule pack {pack_version}")
    if pack_version not in (pack.version, pack.short_version):  # states before schema version 4 keep the short one
        raise StateError(f"the text kept of rule pack {pack_version} is another one, {pack.version}. {WHAT_TO_DO}")
    return pack


def check_fits(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> None:
    """Raises UsageError where a pack could not read answers that are stored: a field or a value it does not know."""
    fields = {field.name: field for field in pack.fields}
    for field in stored.fields:
        same = fields.get(field.name)
        if (same is None or not _allows(same, field)) and _is_answered(connection, field.name):
            raise UsageError(
                f"rule pack {pack.version} cannot read the stored answers to '{field.name}': keep the field, its type "
                "and its values (no rule has to read it), or ingest into a new --home"
            )


def _allows(new: Field, old: Field) -> bool:
    """Whether every answer to `old` is one to `new`."""
    within = new.smallest <= old.smallest and old.largest <= new.largest
    return new.type == old.type and set(old.values) <= set(new.values) and within


def _is_answered(connection: duckdb.DuckDBPyConnection, field: str) -> bool:
    """Whether any record, superseded ones included, has an answer."""
    counted = first_row(connection, "SELECT 1 FROM daily_fields WHERE field = ? AND answered > 0 LIMIT 1", [field])
    return bool(counted or first_row(connection, f"SELECT 1 FROM superseded WHERE {field} IS NOT NULL LIMIT 1"))
