"""Which rule pack is meant: the configured one, the one that tagged a history, or that of the published summaries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb

from pipelines.connections import PUBLISH_ANEW, open_for_reading
from pipelines.errors import WHAT_TO_DO, StateError, UsageError
from pipelines.settings import Settings
from pipelines.statements import Row, fetch_first_row, fetch_number
from pipelines.store.home import Home
from pipelines.store.signatures import read_signatures
from pipelines.store.state import get_state
from schemas.pack import Field, Pack
from schemas.pack_file import InvalidPack, find_default_pack_path, load_pack, parse_pack

LONG_VERSIONS_SINCE = 4  # the schema version whose pack versions carry 128 bits of the digest


def load_configured_pack(home: Home, settings: Settings) -> Pack:
    """Return the pack that the settings name, else the shipped one; what tagged a history is `find_pack_in_use`.

    Raises UsageError that lists what is wrong with it.
    """
    try:
        return load_pack(find_pack_path(home.path, settings))
    except InvalidPack as error:
        raise UsageError(*error.args) from error


def load_history_pack(home: Path) -> Pack:
    """Return the pack that tagged the records of a home."""
    records = home / "records.duckdb"
    with open_for_reading(records) as connection:
        return load_stored_pack(connection, get_state(connection, "rule_pack"))


def read_recorded_signatures(home: Path, pack_version: str) -> list[Row]:
    """Return the signatures under a pack that a home has recorded; none in a home of an older schema version."""
    records = home / "records.duckdb"
    with open_for_reading(records) as connection:
        known = fetch_first_row(connection, "SELECT 1 FROM duckdb_tables() WHERE table_name = 'signatures'")
        return read_signatures(connection, pack_version) if known else []


def find_pack_path(home: Path, settings: Settings) -> Path:
    """Return the file of the configured pack."""
    return home / settings.rule_pack if settings.rule_pack else find_default_pack_path()


def load_published_pack(home: Home) -> Pack:
    """The pack that tagged what summaries.duckdb counts, from the snapshot itself, whose text is held to its digest."""
    with open_for_reading(home.summaries) as connection:
        try:
            row = fetch_first_row(connection, "SELECT rule_pack_content, rule_pack FROM about")
        except duckdb.BinderException as error:
            text = f"{home.summaries} was published by an older calfwatch; `calfwatch run` publishes it anew"
            raise StateError(text) from error
    assert row is not None
    return _read_kept(row[0], row[1], f"{home.summaries}: {PUBLISH_ANEW}")


def find_pack_in_use(connection: duckdb.DuckDBPyConnection, pack: Pack) -> Pack:
    """Return the pack that tagged the stored history. `pack`, the configured one, is given back where it is the same.

    Called at every start: the text kept is held to its digest, and the configured file to the text kept. A newer pack
    in the settings, or shipped with an update, changes no tag by itself: `retag` does. Raises StateError.
    """
    stored = get_state(connection, "rule_pack")
    if stored != pack.version:
        return load_stored_pack(connection, stored)
    if _read_kept_text(connection, stored) == pack.text:  # the digest of the configured text was taken when it was read
        return pack
    kept = load_stored_pack(connection, stored)
    if replace(kept, text="") != replace(pack, text=""):  # comments may differ, nothing else
        raise StateError(f"the rule pack kept as {stored} is not the configured one of this version. {WHAT_TO_DO}")
    return kept


def load_stored_pack(connection: duckdb.DuckDBPyConnection, pack_version: str) -> Pack:
    """Return a pack that has tagged records here, from the text kept of it.

    Raises UsageError if no text was kept, StateError if it is not the text of this version.
    """
    text = _read_kept_text(connection, pack_version)
    if text is None:
        raise UsageError(
            f"the history is tagged with rule pack {pack_version}, and its text was not kept; "
            "name its file as rule_pack in calfwatch.toml"
        )
    version = fetch_number(connection, "SELECT try_cast(value AS INTEGER) FROM state WHERE key = 'schema_version'")
    is_older = version < LONG_VERSIONS_SINCE
    return _read_kept(text, pack_version, WHAT_TO_DO, is_older)


def list_kept_packs(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    """Return version, number and article of every pack whose text is kept, as the table says them."""
    return connection.execute(
        "SELECT rule_pack, number, article FROM rule_packs WHERE content IS NOT NULL ORDER BY ALL"
    ).fetchall()


def _read_kept_text(connection: duckdb.DuckDBPyConnection, pack_version: str) -> str | None:
    row = fetch_first_row(connection, "SELECT content FROM rule_packs WHERE rule_pack = ?", [pack_version])
    return None if row is None or row[0] is None else str(row[0])


def _read_kept(text: str, pack_version: str, advice: str, is_older: bool = False) -> Pack:
    """Read a text kept, and hold it to its version; that of an older state is short."""
    try:
        pack = parse_pack(text, f"rule pack {pack_version}")
    except InvalidPack as error:
        raise StateError(f"the text kept of rule pack {pack_version} is damaged. {advice}") from error
    if pack_version != pack.version and not (is_older and pack_version == pack.short_version):
        raise StateError(f"the text kept of rule pack {pack_version} is another one, {pack.version}. {advice}")
    return pack


def check_fits(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> None:
    """Raise UsageError if a pack could not read answers that are stored: a field or a value it does not know."""
    fields = {field.name: field for field in pack.fields}
    for field in stored.fields:
        same = fields.get(field.name)
        if (same is None or not _allows(same, field)) and _is_answered(connection, field.name):
            raise UsageError(
                f"rule pack {pack.version} cannot read the stored answers to '{field.name}': keep the field, its type "
                "and its values (no rule has to read it), or ingest into a new --home"
            )


def _allows(new: Field, old: Field) -> bool:
    """Return whether every answer to `old` is one to `new`."""
    within = new.smallest <= old.smallest and old.largest <= new.largest
    return new.type == old.type and set(old.values) <= set(new.values) and within


def _is_answered(connection: duckdb.DuckDBPyConnection, field: str) -> bool:
    """Return whether any record, superseded ones included, has an answer."""
    counted = fetch_first_row(
        connection, "SELECT 1 FROM daily_fields WHERE field = ? AND answered > 0 LIMIT 1", [field]
    )
    return bool(counted or fetch_first_row(connection, f"SELECT 1 FROM superseded WHERE {field} IS NOT NULL LIMIT 1"))
