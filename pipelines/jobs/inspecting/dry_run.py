"""Ingest a file into a copy, in memory, of what its sender's files left: the real verdict, and nothing is kept."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.intake.deliveries import Delivery
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings
from pipelines.store.attachment import attach, private_database
from pipelines.store.database import Home, check_version, damage_told, find_pack_in_use
from pipelines.store.ledger import Outcome
from pipelines.store.packs import load_configured_pack
from pipelines.store.schema import create_tables


@dataclass(frozen=True)
class UntouchedHome(Home):
    """A home in which nothing is written: its scratch lies elsewhere."""

    elsewhere: Path = field(default_factory=Path)

    @property
    def scratch(self) -> Path:
        """Return the folder for what does not fit in memory."""
        return self.elsewhere


def try_ingest(home: Home, settings: Settings, delivery: Delivery) -> Outcome:
    """Return what would become of a file. Raises LockedError where a run is writing to the records."""
    with tempfile.TemporaryDirectory() as folder:
        untouched = UntouchedHome(home.path, Path(folder))
        with private_database(untouched, settings) as connection:
            attach(connection, home, "READ_ONLY")
            with damage_told(home.records):
                check_version(connection, home.records)
                pack = find_pack_in_use(connection, load_configured_pack(home, settings))
                connection.execute("USE memory")
                create_tables(connection, settings, pack)
                for table in ("files", "records", "erased"):
                    connection.execute(
                        f"INSERT INTO {table} BY NAME FROM calfwatch.{table} WHERE source = ?", [delivery.source.name]
                    )
                days = "FROM calfwatch.delivery_days SEMI JOIN files USING (delivery_no)"
                connection.execute(f"INSERT INTO delivery_days BY NAME {days}")
            return ingest_file(connection, delivery, Run(untouched, settings, pack))
