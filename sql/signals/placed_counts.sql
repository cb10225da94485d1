-- One row per step, source and series that has reports: their places among those that are asked for, and the reports.
WITH places AS (
  SELECT unnest($series::VARCHAR[]) AS series, unnest(range(len($series::VARCHAR[]))) AS series_place
), sources AS (
  SELECT unnest($sources::VARCHAR[]) AS source, unnest(range(len($sources::VARCHAR[]))) AS source_place
)
SELECT ((start - $first::DATE) // $days::INTEGER)::INTEGER AS place, source_place, series_place, reports
FROM (${counts}) JOIN places USING (series) JOIN sources USING (source)
WHERE start BETWEEN $first::DATE AND $last::DATE
