"""What is packed: the code, the SQL and the rule pack; never a CSV. The wheel works from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    stray = ROOT / "data" / "incoming" / "patients.csv"  # git ignores the folder; a wheel must leave it out too
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("report_id\n1\n")
    try:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
        subprocess.run(command, capture_output=True, check=True, timeout=120)
    finally:
        stray.unlink()
        stray.parent.rmdir()
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_holds_code_sql_and_rules_and_no_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"pipelines", "schemas", "sql", "data"}
    assert not [name for name in names if name.endswith((".csv", ".gz", ".duckdb"))]
    names_of_pages = ("document.html.jinja", "blocks.html.jinja", "base.css", "document.css", "document.typ")
    templates = {f"pipelines/pages/templates/{name}" for name in names_of_pages}
    templates |= {f"pipelines/report/templates/{name}" for name in ("index.html.jinja", "index.css")}
    templates |= {"pipelines/explain/templates/rules.md.jinja", "sql/store/insert_records.sql"}
    assert {
        "data/rules/calf_pain.toml",
        "data/synthetic/calf_pain.toml",
        "sql/views/weekly_triage.sql",
        *templates,
    } <= set(names)


def test_the_wheel_works_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(site)
    empty.mkdir()
    # before the editable install on the path, so that the wheel's files are the ones that run
    program = (
        "import sys; from pipelines.cli.app import main; import pipelines; print(pipelines.__file__); sys.exit(main())"
    )
    command = [sys.executable, "-c", program, "demo", "--reports", "1500"]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
    assert (empty / "calfwatch-home" / "summaries.duckdb").exists()
