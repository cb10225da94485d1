-- One row per triage level: the records that should be counted, the reports that are.
WITH stored AS (
  SELECT level, sum(records)::BIGINT AS records
  FROM (
    SELECT triage_level AS level, count(*) AS records FROM records GROUP BY ALL
    UNION ALL
    SELECT list_position(${levels}, triage_level) - 1, sum(reports) FROM erased_summary GROUP BY ALL
  )
  GROUP BY ALL
), counted AS (
  SELECT
    list_position(${levels}, triage_level) - 1 AS level,
    sum(reports) AS reports
  FROM daily_summary
  GROUP BY ALL
)
SELECT 'records of a triage level in daily_summary', coalesce(records, 0), coalesce(reports, 0)::BIGINT
FROM stored FULL JOIN counted USING (level)
