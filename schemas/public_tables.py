"""What is published: the tables of public.duckdb, each with its grain and its columns."""

from __future__ import annotations

from dataclasses import replace

from schemas.tables import RELEASED_COUNTS, RELEASES, Column, Table

PUBLIC_RELEASE_COLUMNS = ("week", "week_start", "status", "released_on", "method", "incomplete", "note")

WEEKLY_COUNTS = replace(
    RELEASED_COUNTS, name="weekly_counts", grain="one released week, attribute and value; a region only once shown"
)
PUBLIC_RELEASES = Table(
    "releases",
    "one week that was released, held back or withdrawn",
    tuple(column for column in RELEASES.columns if column.name in PUBLIC_RELEASE_COLUMNS),
)
PUBLIC_ABOUT = Table(
    "about",
    "the database as a whole",
    (
        Column("version", "VARCHAR", "version of calfwatch"),
        Column("complaint", "VARCHAR", "the complaint that the reports are about"),
        Column("method", "VARCHAR", "how to read the numbers"),
        Column("disclaimer", "VARCHAR", "what the numbers are not"),
        Column("time_zone", "VARCHAR", "the time zone in which days and weeks begin"),
    ),
)
PUBLIC_TABLES = (WEEKLY_COUNTS, PUBLIC_RELEASES, PUBLIC_ABOUT)
