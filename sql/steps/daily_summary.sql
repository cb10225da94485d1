-- Counts per day and every dimension of the changed records; sign is -1 for a record that was taken out.
SELECT
  report_date, source, coalesce(region, 'unknown') AS region,
  CASE WHEN age_band = 0 THEN 'unknown' ELSE (${age_bands})[age_band] END AS age_band,
  CASE WHEN sex = 0 THEN 'unknown' ELSE (${sexes})[sex] END AS sex,
  (${levels})[triage_level + 1] AS triage_level,
  (${levels})[triage_ceiling + 1] AS triage_ceiling,
  (${categories})[likely_cause + 1] AS cause_category,
  (${causes})[likely_cause + 1] AS likely_cause,
  sum(reports) AS reports,
  sum(severe_pain) AS severe_pain
FROM (
  -- grouped by codes first: words are made for the few groups, not for every record
  SELECT
    report_date, source, region, age_band, sex, triage_level, triage_ceiling, likely_cause,
    sum(sign) AS reports, coalesce(sum(sign) FILTER (pain_score >= ${severe}), 0) AS severe_pain
  FROM changes
  GROUP BY ALL
)
GROUP BY ALL
