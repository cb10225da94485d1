"""The yardstick: DuckDB's typed read_csv of canonical CSVs into a table, and nothing else.

usage: raw_load.py DATABASE PATH...   (a folder stands for its CSVs)
"""

import sys
from pathlib import Path

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

database, *given = sys.argv[1:]
paths = [str(file) for path in map(Path, given) for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
with open(paths[0], encoding="utf-8") as stream:
    names = stream.readline().rstrip("\n").split(",")
columns = {name: TYPES.get(name, "BOOLEAN") for name in names}
connection = duckdb.connect(database)
connection.execute(
    f"CREATE TABLE reports AS FROM read_csv(?, header = true, auto_detect = false, delim = ',', columns = {columns})",
    [paths],
)
connection.close()
