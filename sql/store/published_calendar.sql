-- One row per day of a covered week, and what of it was over when the snapshot was made. A month or quarter is complete if
-- it is over and every one of its days is in a covered week.
WITH ends AS (
  SELECT
    *,
    (SELECT (published_at AT TIME ZONE time_zone)::DATE FROM temp.about) AS today,
    last_day(report_date) AS month_end,
    last_day((date_trunc('quarter', report_date) + INTERVAL 2 MONTH)::DATE) AS quarter_end,
    count(*) OVER (PARTITION BY month) AS month_days,
    count(*) OVER (PARTITION BY quarter) AS quarter_days
  FROM calendar
)
SELECT
  report_date, week, week_start, month, quarter,
  week_start + 7 <= today AS is_complete,
  month_end < today AND month_days = day(month_end) AS month_is_complete,
  quarter_end < today
    AND quarter_days = quarter_end - date_trunc('quarter', report_date)::DATE + 1 AS quarter_is_complete
FROM ends
