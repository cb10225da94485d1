"""Publishing: the week's alarms and the revisions are worked out, then the snapshot for readers is replaced."""

from __future__ import annotations

import duckdb

from pipelines import clock
from pipelines.connections import transaction
from pipelines.jobs import denominators, sharing
from pipelines.settings import Settings
from pipelines.signals import weekly_signals
from pipelines.store import database, revisions, snapshot
from pipelines.store.home import Home
from pipelines.store.packs import load_configured_pack


def publish(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings) -> None:
    """Work out signals and revisions in one transaction, then replace summaries.duckdb by a snapshot of now."""
    numbers = denominators.read_file(home, settings)  # before anything is worked out: a fault in it is told at once
    moment = clock.now()
    with transaction(connection):
        snapshot.note_unfinished(connection)
        denominators.replace(connection, numbers)
        weekly_signals.update_signals(connection, settings, clock.day_of(moment, settings.time_zone))
        revisions.adopt(connection, home.reports)
        revisions.update_revisions(connection, settings)
    snapshot.write_snapshot(connection, home, settings, moment)
    sharing.share(home, settings)


def publish_if_stale(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings) -> None:
    """Publish if the snapshot is older than the state, the settings, the denominators, the day or the week."""
    if _is_stale(connection, home, settings):
        publish(connection, home, settings)


def publish_or_share(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings) -> None:
    """Publish if the snapshot is stale; where nothing is new, let those read it whom the settings name now."""
    if _is_stale(connection, home, settings):
        publish(connection, home, settings)
    else:
        sharing.share(home, settings)


def _is_stale(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings) -> bool:
    numbers, moment = denominators.read_file(home, settings), clock.now()
    return (
        weekly_signals.find_day(connection, settings) != clock.day_of(moment, settings.time_zone)
        or not denominators.is_current(connection, numbers)
        or snapshot.is_stale(connection, home, settings, moment)
    )


def publish_news(home: Home, settings: Settings, wait_seconds: float) -> None:
    """As `publish_or_share`, behind the home's lock."""
    pack = load_configured_pack(home, settings)
    with database.writing(home, settings, pack, wait_seconds) as connection:
        publish_or_share(connection, home, settings)
