"""The dearest files of everyday tests, more than twelve seconds each: they are begun first.

A worker takes a file as a whole. With two of them, a file of half a minute that comes last lets a core wait so long.
"""

from __future__ import annotations

DEAREST = (
    "tests/store/test_store.py",
    "tests/jobs/test_between_files.py",
    "tests/report/test_page.py",
    "tests/report/test_report_signals.py",
    "tests/release/test_release.py",
    "tests/end_to_end/test_commands.py",
    "tests/store/test_revisions.py",
    "tests/jobs/test_forget.py",
    "tests/report/test_report.py",
    "tests/jobs/test_check.py",
    "tests/jobs/test_retag.py",
    "tests/store/test_snapshot.py",
    "tests/store/test_daily_counts.py",
    "tests/store/test_disk.py",
    "tests/rules/test_mutants.py",
    "tests/jobs/test_status.py",
    "tests/jobs/test_withdraw.py",
    "tests/intake/test_sources_sql.py",
    "tests/end_to_end/test_flows.py",
    "tests/jobs/test_sharing.py",
    "tests/test_blocks.py",
    "tests/jobs/test_inspect.py",
    "tests/jobs/test_notices.py",
    "tests/store/test_kill.py",
    "tests/jobs/test_groups.py",
    "tests/jobs/test_backup.py",
    "tests/jobs/test_scheduled_run.py",
    "tests/explain/test_explanation.py",
    "tests/intake/test_objects.py",
    "tests/jobs/test_corrections.py",
    "tests/jobs/test_moments.py",
    "tests/end_to_end/test_cluster.py",
    "tests/release/test_public_bytes.py",
    "tests/explain/test_pages.py",
)
