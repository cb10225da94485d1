-- One row per covered week, source and triage rule that fired; a record counts under every rule that is TRUE for it.
WITH counts AS (
  SELECT calendar.week, calendar.week_start, source, rule_id, sum(reports)::BIGINT AS reports
  FROM daily_rules JOIN calendar USING (report_date)
  GROUP BY ALL
), totals AS (
  SELECT calendar.week_start, source, sum(reports) AS total
  FROM daily_summary JOIN calendar USING (report_date)
  GROUP BY ALL
)
SELECT week, week_start, source, rule_id, rules.triage_level, counts.reports, counts.reports / total AS share
FROM counts JOIN totals USING (week_start, source) LEFT JOIN rules USING (rule_id)
WHERE counts.reports > 0
