-- How many changed records each delivery first brought, per day, source and level; sign is -1 for one taken out.
SELECT
  report_date, source, (${levels})[triage_level + 1] AS triage_level, first_delivery_no,
  sum(sign) AS reports
FROM changes
GROUP BY ALL
HAVING sum(sign) <> 0
