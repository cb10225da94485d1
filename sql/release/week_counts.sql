-- One row per attribute and value: the exact number of reports of the week that begins on $week_start. Every level,
-- cause, age band, sex, and every region that any stored record has, has a row.
WITH of_week AS (
  SELECT * FROM daily_summary WHERE report_date BETWEEN $week_start AND $week_start + 6
), names AS (
  SELECT 'triage_level' AS attribute, unnest($levels) AS value
  UNION SELECT 'age_band', unnest($age_bands)
  UNION SELECT 'sex', unnest($sexes)
  UNION SELECT 'likely_cause', likely_cause FROM causes
  UNION SELECT 'region', region FROM daily_summary
), counted AS (
  SELECT 'triage_level' AS attribute, triage_level AS value, sum(reports) AS reports FROM of_week GROUP BY ALL
  UNION ALL SELECT 'age_band', age_band, sum(reports) FROM of_week GROUP BY ALL
  UNION ALL SELECT 'sex', sex, sum(reports) FROM of_week GROUP BY ALL
  UNION ALL SELECT 'likely_cause', likely_cause, sum(reports) FROM of_week GROUP BY ALL
  UNION ALL SELECT 'region', region, sum(reports) FROM of_week GROUP BY ALL
)
SELECT attribute, value, coalesce(reports, 0)::BIGINT AS reports
FROM names FULL JOIN counted USING (attribute, value)
ORDER BY attribute, value
