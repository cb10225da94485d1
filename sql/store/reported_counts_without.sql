-- Counts as they were reported, in which the rare regions are `unknown`.
SELECT
  week, week_start,
  CASE WHEN regexp_extract(series, '^region=([^,]*)', 1) IN (SELECT region FROM rare_regions)
    THEN regexp_replace(series, '^region=[^,]*', 'region=unknown') ELSE series END AS series,
  sum(reports)::BIGINT AS reports
FROM calfwatch.reported_counts
GROUP BY ALL
ORDER BY ALL
