-- One row per region that has reports, `unknown` among them.
SELECT region, sum(reports)::BIGINT AS reports, min(report_date) AS first_date, max(report_date) AS last_date
FROM daily_summary
GROUP BY region
