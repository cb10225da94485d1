-- One row a check: its name, the number that should be, the number that is there.
WITH stored AS (
  SELECT triage_level AS level, count(*) AS records FROM records GROUP BY ALL
), counted AS (
  SELECT
    list_position(${levels}, triage_level) - 1 AS level,
    sum(reports) AS reports
  FROM daily_summary
  GROUP BY ALL
), ledger AS (
  SELECT
    coalesce(sum(rows_accepted) - sum(rows_superseded), 0) AS records,
    coalesce(sum(rows_superseded), 0) AS superseded,
    coalesce(sum(rows_quarantined), 0) AS quarantined
  FROM files
)
SELECT 'records', ledger.records::BIGINT, (SELECT count(*) FROM records) FROM ledger
UNION ALL SELECT 'superseded records', ledger.superseded::BIGINT, (SELECT count(*) FROM superseded) FROM ledger
UNION ALL
SELECT
  'quarantined rows', ledger.quarantined::BIGINT,
  (SELECT count(*) FROM (SELECT DISTINCT delivery_no, line_number FROM quarantine))
FROM ledger
UNION ALL
SELECT 'records of a triage level in daily_summary', coalesce(records, 0), coalesce(reports, 0)::BIGINT
FROM stored FULL JOIN counted USING (level)
UNION ALL
SELECT
  'records in daily_arrivals', ledger.records::BIGINT,
  (SELECT coalesce(sum(reports), 0) FROM daily_arrivals)::BIGINT
FROM ledger
UNION ALL
SELECT
  'records in daily_fields', (ledger.records * (SELECT count(*) FROM fields))::BIGINT,
  (SELECT coalesce(sum(reports), 0) FROM daily_fields)::BIGINT
FROM ledger
