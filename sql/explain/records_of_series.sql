-- The records of one series in a week, the latest first; a part of the series that is NULL does not narrow it. Which they
-- are is found first, by few columns: only theirs are decoded whole.
WITH chosen AS (
  SELECT source, report_id, count(*) OVER () AS total
  FROM reports
  WHERE report_date BETWEEN $first_day AND $last_day AND reported_at BETWEEN $since AND $until
    AND ($triage_level IS NULL OR triage_level = $triage_level)
    AND ($cause_category IS NULL OR coalesce(cause_category, 'undetermined') = $cause_category)
    AND ($likely_cause IS NULL OR coalesce(likely_cause, 'undetermined') = $likely_cause)
    AND ($region IS NULL OR coalesce(region, 'unknown') = $region)
  ORDER BY reported_at DESC, source, report_id
  LIMIT $most
)
SELECT reports.*, total
FROM reports JOIN chosen USING (source, report_id)
WHERE reported_at BETWEEN $since AND $until
ORDER BY reported_at DESC, source, report_id
