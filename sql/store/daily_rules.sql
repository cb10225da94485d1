-- How often each triage rule fired among the changed records, per day and source.
SELECT report_date, source, rule_id, sum(reports) AS reports
FROM (
  SELECT report_date, source, unnest(${rules}) AS rule_id, sign * unnest(rules) AS reports FROM day_sums
)
GROUP BY ALL
HAVING sum(reports) <> 0
