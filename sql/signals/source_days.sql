-- One row per source and day of its time: its records of that day. Days that are implausible for it are left out.
SELECT daily_arrivals.source, report_date, sum(daily_arrivals.reports)::BIGINT AS reports
FROM daily_arrivals
JOIN (${plausible_days}) AS plausible USING (source, report_date)
WHERE is_plausible
GROUP BY ALL
