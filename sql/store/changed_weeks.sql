-- One row per published week and series whose count is another now; a series that did not exist counts 0, a week
-- that is no longer covered counts NULL. A week that was cut otherwise is not compared: one row says so.
WITH now_counts AS (
  SELECT DISTINCT week_start, series, reports FROM weekly_signals
), covered AS (
  SELECT DISTINCT week_start FROM calendar
), frozen AS (
  SELECT
    reported_weeks.*,
    reported_weeks.time_zone = '${time_zone}' AND reported_weeks.week_system = '${week_system}' AS comparable,
    covered.week_start IS NOT NULL AS covered
  FROM reported_weeks LEFT JOIN covered USING (week_start)
), names AS (
  SELECT week_start, series FROM reported_counts
  UNION
  SELECT week_start, series FROM now_counts SEMI JOIN frozen USING (week_start)
), compared AS (
  SELECT
    frozen.* EXCLUDE (covered),
    names.series,
    coalesce(reported_counts.reports, 0) AS as_reported,
    CASE WHEN frozen.covered THEN coalesce(now_counts.reports, 0) END AS as_known_now
  FROM frozen
  JOIN names USING (week_start)
  LEFT JOIN reported_counts ON reported_counts.week = frozen.week AND reported_counts.series = names.series
  LEFT JOIN now_counts ON now_counts.week_start = frozen.week_start AND now_counts.series = names.series
)
SELECT * FROM compared WHERE comparable AND as_reported IS DISTINCT FROM as_known_now
UNION ALL BY NAME
SELECT * REPLACE (NULL AS as_known_now) FROM compared WHERE NOT comparable AND series = 'all'
