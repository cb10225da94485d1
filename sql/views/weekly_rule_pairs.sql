-- One row per covered week and pair of triage rules that were TRUE in one record.
WITH sets AS (
  SELECT calendar.week, calendar.week_start, rule_ids, sum(reports)::BIGINT AS reports
  FROM daily_rule_sets JOIN calendar USING (report_date)
  GROUP BY ALL
), firsts AS (
  SELECT *, unnest(rule_ids) AS rule_id FROM sets
), pairs AS (
  SELECT week, week_start, rule_id, unnest(rule_ids) AS other_rule_id, reports FROM firsts
)
SELECT week, week_start, rule_id, other_rule_id, sum(reports)::BIGINT AS reports
FROM pairs
WHERE rule_id < other_rule_id
GROUP BY ALL
