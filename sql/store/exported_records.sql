-- One row per stored record, as the view `reports` has it, with the week of its day and the year of that week.
-- The middle day of a week decides its year, for ISO (Thursday) and MMWR (Wednesday) alike.
WITH dated AS (
  SELECT *, report_date - ${days_into_week}(report_date)::INTEGER + ${first_day_number} AS week_start FROM reports
)
SELECT
  * EXCLUDE (week_start),
  year(week_start + 3)::INTEGER AS year,
  year(week_start + 3) || '-${mark}' || lpad(((dayofyear(week_start + 3) - 1) // 7 + 1)::VARCHAR, 2, '0') AS week
FROM dated
