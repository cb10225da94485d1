-- One row a day of every covered week: a week of which some source has plausible reports, or said that it has none.
-- The middle day of a week decides its year, for ISO (Thursday) and MMWR (Wednesday) alike.
WITH starts AS (
  SELECT report_date - ${days_into_week}(report_date)::INTEGER + ${first_day_number} AS week_start
  FROM (${plausible_days})
  WHERE is_plausible
  UNION
  SELECT week_start FROM weekly_sources WHERE state IN ('reported', 'zero', 'partial')
)
SELECT
  week_start + place::INTEGER AS report_date,
  year(week_start + 3) || '-${mark}' || lpad(((dayofyear(week_start + 3) - 1) // 7 + 1)::VARCHAR, 2, '0') AS week,
  week_start,
  strftime(week_start + place::INTEGER, '%Y-%m') AS month,
  year(week_start + place::INTEGER) || '-Q' || quarter(week_start + place::INTEGER) AS quarter
FROM starts CROSS JOIN range(7) AS days (place)
ORDER BY report_date
