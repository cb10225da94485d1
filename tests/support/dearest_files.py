"""The dearest files of tests, more than ten seconds of processor time each: they are begun first.

A worker takes a file as a whole. With two of them, a file of half a minute that comes last lets a core wait so long.
"""

from __future__ import annotations

DEAREST = (
    "tests/jobs/test_between_files.py",
    "tests/store/test_revisions.py",
    "tests/store/test_store.py",
    "tests/jobs/test_check.py",
    "tests/store/test_disk.py",
    "tests/jobs/test_status.py",
    "tests/release/test_release.py",
    "tests/jobs/test_retag.py",
    "tests/end_to_end/test_commands.py",
    "tests/test_blocks.py",
    "tests/intake/test_damage.py",
    "tests/store/test_daily_counts.py",
    "tests/report/test_report.py",
    "tests/jobs/test_moments.py",
    "tests/end_to_end/test_flows.py",
    "tests/end_to_end/test_cluster.py",
    "tests/store/test_kill.py",
    "tests/store/test_snapshot.py",
    "tests/end_to_end/test_odd_places.py",
    "tests/rules/test_mutants.py",
    "tests/intake/test_sources_sql.py",
    "tests/jobs/test_backup.py",
    "tests/release/test_release_kill.py",
    "tests/jobs/test_withdraw.py",
    "tests/store/test_migrations.py",
    "tests/store/test_foreign_files.py",
    "tests/store/test_views.py",
    "tests/jobs/test_groups.py",
    "tests/signals/test_weekly_signals.py",
    "tests/jobs/test_query.py",
)
