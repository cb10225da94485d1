-- One row per covered week and triage level; a level without reports has a zero.
WITH weeks AS (
  SELECT DISTINCT week, week_start FROM calendar
), levels AS (
  SELECT unnest(['emergency', 'contact_doctor', 'unresolved', 'self_care']) AS triage_level
), counts AS (
  SELECT
    calendar.week_start,
    daily_summary.triage_level,
    sum(reports)::BIGINT AS reports,
    coalesce(sum(reports) FILTER (triage_ceiling = 'emergency'), 0)::BIGINT AS could_be_emergency
  FROM daily_summary JOIN calendar USING (report_date)
  GROUP BY ALL
), cells AS (
  SELECT
    weeks.week, weeks.week_start, levels.triage_level,
    coalesce(counts.reports, 0) AS reports,
    coalesce(counts.could_be_emergency, 0) AS could_be_emergency
  FROM weeks CROSS JOIN levels LEFT JOIN counts USING (week_start, triage_level)
)
SELECT
  cells.week, cells.week_start, cells.triage_level, cells.reports,
  cells.reports / nullif(sum(cells.reports) OVER (PARTITION BY cells.week_start), 0) AS share,
  before.reports AS previous_week,
  cells.could_be_emergency
FROM cells
LEFT JOIN cells AS before
  ON before.week_start = cells.week_start - 7 AND before.triage_level = cells.triage_level
