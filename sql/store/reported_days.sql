-- One row: a day up to which the first report of the calendar's span surely came, and one from which on the last did. They
-- are the first and last day that are counted, with a day before and after the span; where reports were erased, whose
-- counts stay, any day may have none, and the two are the other way round.
WITH days AS (
  SELECT min(report_date) AS first_day, max(report_date) AS last_day
  FROM daily_summary
  WHERE report_date >= (SELECT min(report_date) - 1 FROM calendar)
    AND report_date <= (SELECT max(report_date) + 1 FROM calendar)
), erased AS (
  SELECT count(*) > 0 AS is_any FROM erased_files
)
SELECT if(is_any, last_day, first_day) AS first_day, if(is_any, first_day, last_day) AS last_day
FROM days CROSS JOIN erased
