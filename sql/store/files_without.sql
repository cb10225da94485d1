-- The ledger, in which a first or last time that was an erased record's becomes the beginning of its day.
WITH moments AS (
  SELECT source, reported_at FROM gone
  UNION
  SELECT source, reported_at FROM gone_versions
)
SELECT
  files.* REPLACE (
    CASE WHEN (source, first_report) IN (SELECT (source, reported_at) FROM moments)
      THEN date_trunc('day', first_report) ELSE first_report END AS first_report,
    CASE WHEN (source, last_report) IN (SELECT (source, reported_at) FROM moments)
      THEN date_trunc('day', last_report) ELSE last_report END AS last_report
  )
FROM calfwatch.files AS files
