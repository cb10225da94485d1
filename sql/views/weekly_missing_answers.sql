-- One row per covered week and field; a record counts under every field that it lacks an answer of.
WITH weeks AS (
  SELECT week, week_start, sum(reports) AS week_reports
  FROM (SELECT DISTINCT week, week_start FROM calendar) AS covered
  LEFT JOIN (
    SELECT calendar.week_start, reports FROM daily_summary JOIN calendar USING (report_date)
  ) AS daily USING (week_start)
  GROUP BY ALL
), counts AS (
  SELECT calendar.week_start, field, sum(missing)::BIGINT AS reports, sum(unresolved)::BIGINT AS unresolved,
    sum(settles)::BIGINT AS settles
  FROM daily_fields JOIN calendar USING (report_date)
  GROUP BY ALL
), cells AS (
  SELECT
    weeks.week, weeks.week_start, weeks.week_reports, fields.field,
    coalesce(counts.reports, 0) AS reports,
    coalesce(counts.unresolved, 0) AS unresolved,
    coalesce(counts.settles, 0) AS settles
  FROM weeks CROSS JOIN fields LEFT JOIN counts USING (week_start, field)
)
SELECT
  cells.week, cells.week_start, cells.field, cells.reports,
  cells.reports / nullif(cells.week_reports, 0) AS share,
  before.reports AS previous_week,
  cells.unresolved,
  cells.settles
FROM cells
LEFT JOIN cells AS before ON before.week_start = cells.week_start - 7 AND before.field = cells.field
