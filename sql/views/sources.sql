-- One row per sender of which a file was taken.
WITH sent AS (
  SELECT source, count(*)::BIGINT AS files, max(clock) AS clock FROM files WHERE status = 'accepted' GROUP BY source
), counts AS (
  SELECT source, sum(reports)::BIGINT AS reports, min(report_date) AS first_date, max(report_date) AS last_date
  FROM daily_summary
  GROUP BY source
), rhythms AS (
  SELECT source, arg_max(rhythm, week_start) AS rhythm FROM weekly_sources GROUP BY source
)
SELECT source, files, coalesce(reports, 0) AS reports, first_date, last_date, clock, rhythm
FROM sent LEFT JOIN counts USING (source) LEFT JOIN rhythms USING (source)
