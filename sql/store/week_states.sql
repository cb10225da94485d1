-- One row per covered week: whether its counts are whole, or why not. A source that is expected is expected in every
-- week from the first one that it covers; it covers the weeks that the date range of an accepted file of it meets.
WITH weeks AS (
  SELECT DISTINCT week, week_start FROM calendar
), ranges AS (
  SELECT
    source,
    (first_report AT TIME ZONE '${time_zone}')::DATE AS first_day,
    (last_report AT TIME ZONE '${time_zone}')::DATE AS last_day
  FROM files
  WHERE status = 'accepted' AND first_report IS NOT NULL AND source IN (SELECT unnest(${expected}))
), covering AS (
  SELECT DISTINCT weeks.week_start, ranges.source
  FROM weeks JOIN ranges ON ranges.first_day < weeks.week_start + 7 AND ranges.last_day >= weeks.week_start
), begins AS (
  SELECT source, min(week_start) AS first_week FROM covering GROUP BY source
), lacking AS (
  SELECT DISTINCT weeks.week_start
  FROM weeks JOIN begins ON begins.first_week <= weeks.week_start
  ANTI JOIN covering ON covering.week_start = weeks.week_start AND covering.source = begins.source
)
SELECT
  weeks.week, weeks.week_start,
  CASE
    WHEN weeks.week_start + 7 > (now() AT TIME ZONE '${time_zone}')::DATE THEN 'running week'
    WHEN lacking.week_start IS NOT NULL THEN 'incomplete reporting'
  END AS reason
FROM weeks LEFT JOIN lacking USING (week_start)
ORDER BY weeks.week_start
