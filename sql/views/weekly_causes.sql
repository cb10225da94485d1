-- One row per covered week and likely cause of the rule pack, `undetermined` among them.
WITH weeks AS (
  SELECT DISTINCT week, week_start FROM calendar
), counts AS (
  SELECT calendar.week_start, cause_category, likely_cause, sum(reports)::BIGINT AS reports
  FROM daily_summary JOIN calendar USING (report_date)
  GROUP BY ALL
), cells AS (
  SELECT
    weeks.week, weeks.week_start, causes.cause_category, causes.likely_cause,
    coalesce(counts.reports, 0) AS reports
  FROM weeks CROSS JOIN causes LEFT JOIN counts USING (week_start, cause_category, likely_cause)
)
SELECT
  cells.week, cells.week_start, cells.cause_category, cells.likely_cause, cells.reports,
  cells.reports / nullif(sum(cells.reports) OVER (PARTITION BY cells.week_start), 0) AS share,
  before.reports AS previous_week
FROM cells
LEFT JOIN cells AS before
  ON before.week_start = cells.week_start - 7 AND before.likely_cause = cells.likely_cause
