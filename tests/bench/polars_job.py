"""The same job as a polars script: read leniently, validate, tag, count.

What it leaves out, beside calfwatch: strict reading, line numbers and reasons, identifiers, a ledger, corrections (the
last delivery of an id is kept), ceilings and missing answers, quarantine, weekly tables and signals.

usage: polars_job.py DATABASE PATH...   (a folder stands for its CSVs)
"""

import sys
from pathlib import Path

import duckdb
import polars as pl

from schemas.fields import AGE_BANDS, SEXES
from schemas.pack_file import load_pack

pack = load_pack()
database, *given = sys.argv[1:]
paths = [file for path in map(Path, given) for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
frame = pl.concat([pl.read_csv(path, infer_schema=False) for path in paths])
frame = frame.unique("report_id", keep="last", maintain_order=True).with_columns(
    pl.col("reported_at").str.to_datetime(time_zone="UTC"),
    pl.col("pain_score").cast(pl.Int8),
    pl.col("duration_days").cast(pl.Int16),
    *(pl.col(name).replace_strict({"yes": True, "no": False}, return_dtype=pl.Boolean) for name in pack.field_names),
)
wrong = frame.filter(
    ~pl.col("report_id").str.contains(r"^[A-Za-z0-9._-]{1,64}$")
    | ~pl.col("region").str.contains(r"^[A-Za-z0-9_-]{1,32}$")
    | ~pl.col("age_band").is_in(AGE_BANDS)
    | ~pl.col("sex").is_in(SEXES)
    | ~pl.col("pain_score").is_between(0, 10)
    | ~pl.col("duration_days").is_between(0, 3650)
)
if len(wrong):
    raise SystemExit(f"{len(wrong)} rows are not valid")


def any_of(level: str) -> pl.Expr:
    """Whether any rule of a level is met; polars' booleans are three-valued too."""
    return pl.any_horizontal(pl.sql_expr(rule.when) for rule in pack.triage if rule.level == level)


points = {
    cause.name: pl.sum_horizontal(
        pl.sql_expr(row.when).fill_null(False).cast(pl.Int8) * row.points
        for row in pack.evidence
        if row.cause == cause.name
    )
    for cause in pack.causes
}
frame = frame.with_columns(
    triage_level=pl.when(any_of("emergency"))
    .then(pl.lit("emergency"))
    .when(any_of("contact_doctor"))
    .then(pl.lit("contact_doctor"))
    .when(~any_of("emergency") & ~any_of("contact_doctor"))
    .then(pl.lit("self_care"))
    .otherwise(pl.lit("unresolved")),
    **points,
)
best = pl.max_horizontal(*points)
frame = frame.with_columns(
    likely_cause=pl.coalesce(*(pl.when((pl.col(name) == best) & (best > 0)).then(pl.lit(name)) for name in points)),
    report_date=pl.col("reported_at").dt.date(),
)
dimensions = ["report_date", "region", "age_band", "sex", "triage_level", "likely_cause"]
daily = frame.group_by(dimensions).agg(pl.len().alias("reports"))
connection = duckdb.connect(database)
connection.execute("CREATE TABLE reports AS FROM frame")
connection.execute("CREATE TABLE daily_summary AS FROM daily")
connection.close()
