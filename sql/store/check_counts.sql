-- One row a check: its name, the number that should be, the number that is there.
WITH ledger AS (
  SELECT
    coalesce(sum(rows_accepted) - sum(rows_superseded), 0) AS records,
    coalesce(sum(rows_superseded), 0) AS superseded,
    coalesce(sum(rows_quarantined), 0) AS quarantined
  FROM files
), erased_rows AS (
  SELECT coalesce(sum(records), 0)::BIGINT AS records, coalesce(sum(superseded), 0)::BIGINT AS superseded
  FROM erased_files
)
SELECT 'records', ledger.records::BIGINT, (SELECT count(*) FROM records) + erased_rows.records
FROM ledger CROSS JOIN erased_rows
UNION ALL
SELECT 'superseded records', ledger.superseded::BIGINT, (SELECT count(*) FROM superseded) + erased_rows.superseded
FROM ledger CROSS JOIN erased_rows
UNION ALL
SELECT
  'quarantined rows', ledger.quarantined::BIGINT,
  (SELECT count(*) FROM (SELECT DISTINCT delivery_no, line_number FROM quarantine))
FROM ledger
UNION ALL
SELECT
  'records in daily_summary', ledger.records::BIGINT, (SELECT coalesce(sum(reports), 0) FROM daily_summary)::BIGINT
FROM ledger
UNION ALL
SELECT
  'records in daily_arrivals', ledger.records::BIGINT,
  (SELECT coalesce(sum(reports), 0) FROM daily_arrivals)::BIGINT
FROM ledger
UNION ALL
SELECT
  'records in daily_fields',
  ((ledger.records - erased_rows.records) * (SELECT count(*) FROM fields))::BIGINT
    + (SELECT coalesce(sum(reports), 0) FROM erased_fields)::BIGINT,
  (SELECT coalesce(sum(reports), 0) FROM daily_fields)::BIGINT
FROM ledger CROSS JOIN erased_rows
