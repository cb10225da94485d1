-- One row per week (or day), source and series that has reports: what counts are summed from. Names are given as places.
WITH named AS (
  SELECT report_date, source, reports, unnest(${series_names}) AS series
  FROM daily_summary
  WHERE report_date BETWEEN $first AND $last
), places AS (
  SELECT unnest($series::VARCHAR[]) AS series, unnest(range(len($series::VARCHAR[]))) AS series_place
), sources AS (
  SELECT unnest($sources::VARCHAR[]) AS source, unnest(range(len($sources::VARCHAR[]))) AS source_place
)
SELECT
  ((report_date - $first) // ${days})::INTEGER AS place, source_place, series_place,
  sum(reports)::BIGINT AS reports
FROM named JOIN places USING (series) JOIN sources USING (source)
GROUP BY ALL
