-- One row per week (or day), source and series that has reports: what counts are summed from. Names are given as places.
-- Reports alike in all that names a series are summed first: each row is in up to six of them.
WITH alike AS (
  SELECT
    (report_date - $first) // ${days} AS place, source, region, triage_level, cause_category, likely_cause,
    sum(reports) AS reports
  FROM daily_summary
  WHERE report_date BETWEEN $first AND $last
  GROUP BY ALL
), named AS (
  SELECT place, source, reports, unnest(${series_names}) AS series
  FROM alike
), places AS (
  SELECT unnest($series::VARCHAR[]) AS series, unnest(range(len($series::VARCHAR[]))) AS series_place
), sources AS (
  SELECT unnest($sources::VARCHAR[]) AS source, unnest(range(len($sources::VARCHAR[]))) AS source_place
)
SELECT place::INTEGER AS place, source_place, series_place, sum(reports)::BIGINT AS reports
FROM named JOIN places USING (series) JOIN sources USING (source)
GROUP BY ALL
