-- The days of one series, by region and age band; a part of the series that is NULL does not narrow it.
SELECT report_date, region, age_band, sum(reports)::BIGINT AS reports
FROM daily_summary
WHERE report_date BETWEEN $first AND $last
  AND ($triage_level IS NULL OR triage_level = $triage_level)
  AND ($cause_category IS NULL OR cause_category = $cause_category)
  AND ($likely_cause IS NULL OR likely_cause = $likely_cause)
  AND ($region IS NULL OR region = $region)
GROUP BY ALL
ORDER BY ALL
