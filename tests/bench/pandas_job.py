"""The same job as one would write it first: pandas reads, pandera validates, pandas tags and counts.

It keeps every row in memory, reads leniently, and knows neither corrections nor a ledger.

usage: pandas_job.py DATABASE PATH...   (a folder stands for its CSVs)
"""

import sys
from pathlib import Path

import duckdb
import pandas as pd
import pandera.pandas as pandera

from schemas.fields import AGE_BANDS, SEXES
from schemas.pack_file import load_pack

pack = load_pack()
symptoms = list(pack.field_names)
database, *given = sys.argv[1:]
paths = [file for path in map(Path, given) for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
frames = [
    pd.read_csv(
        path,
        dtype={"report_id": "str", "region": "str", "age_band": "str", "sex": "str"},
        true_values=["yes"],
        false_values=["no"],
        parse_dates=["reported_at"],
    )
    for path in paths
]
# a cumulative export repeats reports: the last delivery of one is kept
frame = (
    pd.concat(frames, ignore_index=True)
    .drop_duplicates("report_id", keep="last", ignore_index=True)
    .astype(dict.fromkeys(symptoms, "boolean") | {"pain_score": "Int8", "duration_days": "Int16"})
)
schema = pandera.DataFrameSchema(
    {
        "report_id": pandera.Column(str, pandera.Check.str_matches(r"^[A-Za-z0-9._-]{1,64}$"), unique=True),
        "region": pandera.Column(str, pandera.Check.str_matches(r"^[A-Za-z0-9_-]{1,32}$"), nullable=True),
        "age_band": pandera.Column(str, pandera.Check.isin(AGE_BANDS), nullable=True),
        "sex": pandera.Column(str, pandera.Check.isin(SEXES), nullable=True),
        "pain_score": pandera.Column("Int8", pandera.Check.in_range(0, 10), nullable=True),
        "duration_days": pandera.Column("Int16", pandera.Check.in_range(0, 3650), nullable=True),
    }
)
schema.validate(frame, lazy=True)


def state(condition: str) -> pd.Series:
    """A rule's state: pandas' nullable booleans are three-valued too."""
    words = condition.replace(" AND ", " & ").replace(" OR ", " | ")
    return eval(words, {}, {name: frame[name] for name in frame.columns})


def any_of(level: str) -> pd.Series:
    total = pd.Series(False, index=frame.index, dtype="boolean")
    for rule in pack.triage:
        if rule.level == level:
            total = total | state(rule.when)
    return total


emergency, doctor = any_of("emergency"), any_of("contact_doctor")
frame["triage_level"] = "unresolved"
frame.loc[(~(emergency | doctor)).fillna(False), "triage_level"] = "self_care"
frame.loc[doctor.fillna(False), "triage_level"] = "contact_doctor"
frame.loc[emergency.fillna(False), "triage_level"] = "emergency"
for cause in pack.causes:
    frame[cause.name] = sum(
        (state(row.when).fillna(False).astype("int8") * row.points for row in pack.evidence if row.cause == cause.name),
        start=pd.Series(0, index=frame.index, dtype="int8"),
    )
causes = [cause.name for cause in pack.causes]
frame["likely_cause"] = frame[causes].idxmax(axis=1).where(frame[causes].max(axis=1) > 0, "undetermined")
frame["report_date"] = frame["reported_at"].dt.date
dimensions = ["report_date", "region", "age_band", "sex", "triage_level", "likely_cause"]
daily = frame.groupby(dimensions, dropna=False).size().reset_index(name="reports")
connection = duckdb.connect(database)
connection.execute("CREATE TABLE reports AS FROM frame")
connection.execute("CREATE TABLE daily_summary AS FROM daily")
connection.close()
