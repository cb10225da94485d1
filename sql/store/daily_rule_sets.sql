-- Which triage rules fired together among the changed records, per day and source: sets of at least two.
WITH sets AS (
  SELECT report_date, source, rules_true, sum(sign) AS reports
  FROM changes
  WHERE bit_count(rules_true) > 1
  GROUP BY ALL
  HAVING sum(sign) <> 0
)
SELECT
  report_date, source, reports,
  list_filter(${rules}, lambda rule, place: (rules_true >> (place - 1)) & 1 = 1) AS rule_ids
FROM sets
