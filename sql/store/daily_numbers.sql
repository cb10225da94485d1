-- How many changed records have each value of one numeric field, per day and source; without a value: unknown.
SELECT report_date, source, '${field}' AS field, ${field}::INTEGER AS value, sum(sign) AS reports
FROM changes
GROUP BY ALL
HAVING sum(sign) <> 0
