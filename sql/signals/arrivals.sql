-- One row per source, week, level and clock: records of the week that first came with deliveries up to that clock.
SELECT
  arrivals.source,
  arrivals.report_date - ${days_into_week}(arrivals.report_date)::INTEGER + ${first_day_number} AS week_start,
  arrivals.triage_level, files.clock,
  sum(arrivals.reports)::BIGINT AS reports
FROM daily_arrivals AS arrivals
JOIN files ON files.delivery_no = arrivals.first_delivery_no
WHERE files.clock IS NOT NULL AND arrivals.report_date >= $first
GROUP BY ALL
