-- One row per ${step} (a day, or the first of a week), source and series that has reports: what counts are summed from.
-- Reports alike in all that names a series are summed first: each row is in up to six of them.
WITH alike AS (
  SELECT
    ${step} AS start, source, region, triage_level, cause_category, likely_cause,
    sum(reports) AS reports
  FROM daily_summary
  WHERE ${of_days}
  GROUP BY ALL
), named AS (
  SELECT start, source, reports, unnest(${series_names}) AS series
  FROM alike
)
SELECT start, source, series, sum(reports)::BIGINT AS reports
FROM named
WHERE series IS NOT NULL
GROUP BY ALL
