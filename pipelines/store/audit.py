"""The audit trail: who changed what was stored before, when, and what it did. Rows are added and never changed."""

from __future__ import annotations

import os
import pwd
from importlib.metadata import version

import duckdb

from pipelines import clock


def note(connection: duckdb.DuckDBPyConnection, action: str, subject: str, detail: str) -> None:
    """One deed, inside the caller's transaction: it is there exactly if what it tells of is."""
    row = [clock.now(), action, subject, detail, name_account(), version("calfwatch")]
    connection.execute("INSERT INTO audit SELECT ?, ?, ?, ?, ?, ?", row)


def name_account() -> str:
    """Return the user account of this process; its number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
