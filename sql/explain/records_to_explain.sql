-- One row a record of a week that a clinical lead should look at: an emergency (the latest $most), or one of a lower level
-- that could still be one; with how many of its kind there are in all (total).
WITH days AS (
  SELECT min(report_date) AS first_day, max(report_date) AS last_day
  FROM calendar
  WHERE week = $week
)
SELECT
  reports.*, triage_level = 'emergency' AS is_emergency,
  count(*) OVER (PARTITION BY triage_level = 'emergency') AS total
FROM reports, days
WHERE reports.report_date BETWEEN first_day AND last_day AND triage_ceiling = 'emergency'
QUALIFY triage_level <> 'emergency' OR row_number() OVER (
  PARTITION BY triage_level = 'emergency' ORDER BY reported_at DESC, source, report_id
) <= $most
ORDER BY is_emergency DESC, reported_at DESC, source, report_id
