-- One row per covered week and pair of triage rules that were TRUE in one record.
-- Pairs are counted by day first: sets of rules are dear to group by.
WITH firsts AS (
  SELECT report_date, rule_ids, unnest(rule_ids) AS rule_id, reports FROM daily_rule_sets SEMI JOIN calendar USING (report_date)
), pairs AS (
  SELECT report_date, rule_id, unnest(rule_ids) AS other_rule_id, reports FROM firsts
), days AS (
  SELECT report_date, rule_id, other_rule_id, sum(reports) AS reports
  FROM pairs
  WHERE rule_id < other_rule_id
  GROUP BY ALL
)
SELECT calendar.week, calendar.week_start, rule_id, other_rule_id, sum(reports)::BIGINT AS reports
FROM days JOIN calendar USING (report_date)
GROUP BY ALL
