"""`python -m tests.bench.signal_speed`: what it costs to work out all signals; five years, ten senders, 40 regions.

Prints the CPU seconds from nothing, after one more delivery of the last week, and with one row of another century, and
the most memory that the process took.
"""

from __future__ import annotations

import resource
import time
from datetime import date, timedelta

from pipelines.settings import Settings, Source
from tests.support.histories import MONDAY, Store, empty_store

SENDERS, REGIONS, WEEKS = 10, 40, 260
SETTINGS = Settings(sources=tuple(Source(f"s{number}") for number in range(SENDERS)))


def filled_store() -> Store:
    """Return a store with a delivery a week and sender; 1,600 reports a week, a cause and a level for each."""
    store = empty_store()
    store.connection.execute("SELECT setseed(0.5)")
    store.connection.execute(f"""CREATE TEMP TABLE reports AS
        SELECT
          's' || sender AS source, week * {SENDERS} + sender + 1 AS delivery_no,
          DATE '{MONDAY}' - 7 * ({WEEKS} - week)::INTEGER + (random() * 7)::INTEGER % 7 AS report_date,
          'r' || (random() * 1000)::INTEGER % {REGIONS} AS region,
          ['emergency', 'contact_doctor', 'unresolved', 'self_care'][1 + (random() * 100)::INTEGER % 4] AS triage_level,
          1 + (random() * 1000)::INTEGER % (SELECT count(*) FROM causes)::INTEGER AS cause
        FROM range({WEEKS}) AS weeks (week), range({SENDERS}) AS senders (sender), range(160)""")
    store.connection.execute("""INSERT INTO files (delivery_no, file_id, source, status, rows_read, ingested_at)
        SELECT delivery_no, 'f' || delivery_no, source, 'accepted', count(*), now() FROM reports GROUP BY ALL""")
    store.connection.execute("""INSERT INTO delivery_days
        SELECT delivery_no, report_date, count(*) FROM reports GROUP BY ALL""")
    store.connection.execute("""INSERT INTO daily_arrivals
        SELECT report_date, source, triage_level, delivery_no, count(*) FROM reports GROUP BY ALL""")
    store.connection.execute("""INSERT INTO daily_summary
        SELECT report_date, source, region, '18-29', 'female', triage_level, triage_level, causes.cause_category,
          causes.likely_cause, count(*), 0, 0, 0
        FROM reports JOIN (SELECT *, row_number() OVER () AS cause FROM causes) AS causes USING (cause)
        GROUP BY ALL""")
    return store


def timed(what: str, store: Store) -> None:
    """Print what it costs to bring the signals up to date."""
    cpu, wall = time.process_time(), time.monotonic()
    store.judge(SETTINGS)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    spent, passed = time.process_time() - cpu, time.monotonic() - wall
    print(f"{what}: {spent:.1f} s CPU, {passed:.1f} s wall, at most {memory} MiB", flush=True)


def main() -> None:
    store = filled_store()
    rows = store.ask("SELECT sum(reports), count(DISTINCT report_date) FROM daily_summary")
    print("reports, days:", *rows[0])
    timed("from nothing", store)
    print(
        "rows of weekly_signals, series:", *store.ask("SELECT count(*), count(DISTINCT series) FROM weekly_signals")[0]
    )
    store.deliver("s0", {MONDAY - timedelta(days=2): 5}, region="r1", level="emergency")
    timed("one week touched", store)
    for year in (2062, 2099, 1970):
        store.deliver("s1", {date(year, 3, 3): 1}, region="r1")
        timed(f"one row of {year}", store)
    timed("nothing touched", store)


if __name__ == "__main__":
    main()
