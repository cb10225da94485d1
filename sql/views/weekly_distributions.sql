-- One row per covered week, numeric field and value that has reports.
WITH counts AS (
  SELECT calendar.week, calendar.week_start, field, value, sum(reports)::BIGINT AS reports
  FROM daily_numbers JOIN calendar USING (report_date)
  GROUP BY ALL
)
SELECT
  week, week_start, field, value, reports,
  reports / sum(reports) OVER (PARTITION BY week_start, field) AS share
FROM counts
