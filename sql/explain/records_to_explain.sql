-- One row a record of a week that a clinical lead should look at: an emergency (the latest $most), or one of a lower level
-- that could still be one; with how many of its kind there are in all (total). Which they are is found first, by few
-- columns: only theirs are decoded whole.
WITH chosen AS (
  SELECT
    source, report_id, triage_level = 'emergency' AS is_emergency,
    count(*) OVER (PARTITION BY triage_level = 'emergency') AS total
  FROM reports
  WHERE report_date BETWEEN $first_day AND $last_day AND reported_at BETWEEN $since AND $until
    AND triage_ceiling = 'emergency'
  QUALIFY triage_level <> 'emergency' OR row_number() OVER (
    PARTITION BY triage_level = 'emergency' ORDER BY reported_at DESC, source, report_id
  ) <= $most
)
SELECT reports.*, is_emergency, total
FROM reports JOIN chosen USING (source, report_id)
WHERE reported_at BETWEEN $since AND $until
ORDER BY is_emergency DESC, reported_at DESC, source, report_id
