-- One row a day of every covered week: a week that the date range of an accepted file meets.
-- The middle day of a week decides its year, for ISO (Thursday) and MMWR (Wednesday) alike.
WITH ranges AS (
  SELECT DISTINCT
    (first_report AT TIME ZONE '${time_zone}')::DATE AS first_day,
    (last_report AT TIME ZONE '${time_zone}')::DATE AS last_day
  FROM files
  WHERE status = 'accepted' AND first_report IS NOT NULL
), starts AS (
  SELECT DISTINCT
    unnest(generate_series(
      first_day - ${days_into_week}(first_day)::INTEGER + ${first_day_number},
      last_day - ${days_into_week}(last_day)::INTEGER + ${first_day_number},
      INTERVAL 7 DAY
    ))::DATE AS week_start
  FROM ranges
)
SELECT
  week_start + unnest(range(7))::INTEGER AS report_date,
  year(week_start + 3) || '-${mark}' || lpad(((dayofyear(week_start + 3) - 1) // 7 + 1)::VARCHAR, 2, '0') AS week,
  week_start
FROM starts
ORDER BY report_date
