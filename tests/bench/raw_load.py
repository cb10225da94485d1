"""The yardstick: DuckDB's typed read_csv of a canonical CSV into a table, and nothing else."""

import sys

import duckdb

TYPES = {
    "report_id": "VARCHAR",
    "reported_at": "TIMESTAMPTZ",
    "region": "VARCHAR",
    "age_band": "VARCHAR",
    "sex": "VARCHAR",
    "pain_score": "TINYINT",
    "duration_days": "SMALLINT",
}

path, database = sys.argv[1:]
with open(path, encoding="utf-8") as stream:
    names = stream.readline().rstrip("\n").split(",")
columns = {name: TYPES.get(name, "BOOLEAN") for name in names}
connection = duckdb.connect(database)
connection.execute(
    f"CREATE TABLE reports AS FROM read_csv(?, header = true, auto_detect = false, delim = ',', columns = {columns})",
    [path],
)
connection.close()
