-- One row per covered week and triage rule; a record counts under every rule that is TRUE for it.
WITH weeks AS (
  SELECT week, week_start, sum(reports) AS week_reports
  FROM (SELECT DISTINCT week, week_start FROM calendar) AS covered
  LEFT JOIN (
    SELECT calendar.week_start, reports FROM daily_summary JOIN calendar USING (report_date)
  ) AS daily USING (week_start)
  GROUP BY ALL
), counts AS (
  SELECT calendar.week_start, rule_id, sum(reports)::BIGINT AS reports
  FROM daily_rules JOIN calendar USING (report_date)
  GROUP BY ALL
), cells AS (
  SELECT
    weeks.week, weeks.week_start, weeks.week_reports, rules.rule_id, rules.triage_level,
    coalesce(counts.reports, 0) AS reports
  FROM weeks CROSS JOIN rules LEFT JOIN counts USING (week_start, rule_id)
)
SELECT
  cells.week, cells.week_start, cells.rule_id, cells.triage_level, cells.reports,
  cells.reports / nullif(cells.week_reports, 0) AS share,
  before.reports AS previous_week
FROM cells
LEFT JOIN cells AS before ON before.week_start = cells.week_start - 7 AND before.rule_id = cells.rule_id
