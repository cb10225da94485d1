-- The first and last day of the calendar's span that have reports, a day before and after it among them.
SELECT min(report_date) AS first_day, max(report_date) AS last_day
FROM daily_summary
WHERE report_date >= (SELECT min(report_date) - 1 FROM calendar)
  AND report_date <= (SELECT max(report_date) + 1 FROM calendar)
