-- One row per source and day of its time: its records of that day. Days that are implausible for it are left out.
SELECT daily_summary.source, report_date, sum(daily_summary.reports)::BIGINT AS reports
FROM daily_summary
JOIN (${plausible_days}) AS plausible USING (source, report_date)
WHERE is_plausible
GROUP BY ALL
