-- One row per week and source that has reports: all of them, and those that weekly_indicators judges. Given as places.
WITH sources AS (
  SELECT unnest($sources::VARCHAR[]) AS source, unnest(range(len($sources::VARCHAR[]))) AS source_place
)
SELECT
  ((report_date - $first::DATE) // 7)::INTEGER AS place, source_place,
  sum(reports)::BIGINT AS reports,
  coalesce(
    sum(reports) FILTER (WHERE triage_ceiling = 'emergency' AND triage_level <> 'emergency'), 0
  )::BIGINT AS could_be_emergency,
  coalesce(sum(serious_signs), 0)::BIGINT AS serious_signs,
  coalesce(sum(severe_pain), 0)::BIGINT AS severe_pain
FROM daily_summary JOIN sources USING (source)
WHERE report_date BETWEEN $first::DATE AND $first::DATE + 7 * $weeks::INTEGER - 1
GROUP BY ALL
