-- The records of one series in a week, the latest first; a part of the series that is NULL does not narrow it.
WITH days AS (
  SELECT min(report_date) AS first_day, max(report_date) AS last_day
  FROM calendar
  WHERE week = $week
)
SELECT reports.*, count(*) OVER () AS total
FROM reports, days
WHERE reports.report_date BETWEEN first_day AND last_day
  AND ($triage_level IS NULL OR triage_level = $triage_level)
  AND ($cause_category IS NULL OR coalesce(cause_category, 'undetermined') = $cause_category)
  AND ($likely_cause IS NULL OR coalesce(likely_cause, 'undetermined') = $likely_cause)
  AND ($region IS NULL OR coalesce(region, 'unknown') = $region)
ORDER BY reported_at DESC, source, report_id
LIMIT $most
