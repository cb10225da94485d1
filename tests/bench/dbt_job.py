"""The same job as a dbt project on DuckDB: read, keep the last of each id, tag, count, test.

What it leaves out, beside calfwatch: strict reading, line numbers and reasons, identifiers, a ledger, corrections
within a file, ceilings and missing answers, quarantine, weekly tables and signals; a tie of causes goes to the
first of the pack. Every run reads all files again. dbt is no part of the environment, as its libraries contradict
ours: `dbt` is looked for on the path.

usage: dbt_job.py DATABASE PATH...   (a folder stands for its CSVs)
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from schemas.fields import AGE_BANDS, SEXES
from schemas.pack_file import load_pack

pack = load_pack()
database, *given = sys.argv[1:]
paths = [file for path in map(Path, given) for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
texts = dict.fromkeys(("report_id", "region", "age_band", "sex"), "VARCHAR")
numbers = {"reported_at": "TIMESTAMPTZ", "pain_score": "TINYINT", "duration_days": "SMALLINT"}
levels = {
    level: " OR ".join(f"({rule.when})" for rule in pack.triage if rule.level == level)
    for level in ("emergency", "contact_doctor")
}
points = {
    cause.name: " + ".join(
        ["0", *(f"if({row.when}, {row.points}, 0)" for row in pack.evidence if row.cause == cause.name)]
    )
    for cause in pack.causes
}
variables = {
    "files": str([str(path.resolve()) for path in paths]),
    "types": str(texts | numbers | dict.fromkeys(pack.field_names, "BOOLEAN")),
    "levels": levels,
    "points": points,
    "age_bands": list(AGE_BANDS),
    "sexes": list(SEXES),
}
with tempfile.TemporaryDirectory() as folder:
    project = shutil.copytree(Path(__file__).with_name("dbt_project"), Path(folder) / "project")
    subprocess.run(
        ["dbt", "--quiet", "build", "--vars", json.dumps(variables)],
        cwd=project,
        env=os.environ | {"BENCH_DATABASE": database, "DO_NOT_TRACK": "1", "DBT_PROFILES_DIR": str(project)},
        check=True,
    )
