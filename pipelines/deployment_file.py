"""`calfwatch deploy`: prefect.yaml for people with a Prefect server and a work pool of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.settings import Settings

POOL = "calfwatch"
HEADER = """\
# Written by `calfwatch deploy`: both flows as Prefect deployments. Then, once:
#   prefect work-pool create --type process calfwatch
#   prefect deploy --all
#   prefect worker start --pool calfwatch --limit 1
# The workers need calfwatch installed, and must reach the home. `calfwatch serve` needs none of this.
"""


def render_deployment(home: Path, settings: Settings) -> str:
    """Return prefect.yaml for a home. Scalars are written as JSON, which is YAML."""
    incoming = settings.find_incoming(home)
    jobs = [
        ("ingest", "ingest_flow", "Ingest what is new and publish the summaries.", settings.ingest_cron, incoming),
        ("weekly-report", "report_flow", "Write the reports that are due.", settings.report_cron, None),
    ]
    lines = [HEADER + "name: calfwatch", "pull: []", "deployments:"]
    for name, flow, description, cron, paths in jobs:
        parameters: dict[str, Any] = {"home": str(home)} | ({"paths": paths} if paths else {})
        variables = {"env": {"CALFWATCH_SERVED_HOME": str(home)}}
        lines += [
            f"  - name: {json.dumps(f'{name} {home.name}')}",
            f"    entrypoint: pipelines.flows:{flow}",
            f"    description: {json.dumps(description)}",
            f"    parameters: {json.dumps(parameters)}",
            f"    schedules: [{{cron: {json.dumps(cron)}, timezone: {json.dumps(settings.time_zone)}}}]",
            f"    work_pool: {{name: {POOL}, job_variables: {json.dumps(variables)}}}",
        ]
    return "\n".join(lines) + "\n"
