-- One row a record of a week (the parameter) that a clinical lead should look at: an emergency, or one that could
-- still be one; with how many there are in all (total).
WITH days AS (
  SELECT min(report_date) AS first_day, max(report_date) AS last_day
  FROM calendar
  WHERE week = ?
)
SELECT reports.*, count(*) OVER () AS total
FROM reports, days
WHERE reports.report_date BETWEEN first_day AND last_day
  AND (triage_level = 'emergency' OR (triage_level = 'unresolved' AND triage_ceiling = 'emergency'))
ORDER BY triage_level = 'emergency' DESC, reported_at DESC, source, report_id
