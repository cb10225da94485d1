-- One row per covered week and yes/no field of the rule pack; a number or choice is none.
WITH weeks AS (
  SELECT DISTINCT week, week_start FROM calendar
), asked AS (
  SELECT DISTINCT field FROM daily_fields WHERE yes IS NOT NULL
), counts AS (
  SELECT
    calendar.week_start, field,
    sum(yes)::BIGINT AS yes, sum(answered)::BIGINT AS answered, sum(reports)::BIGINT AS reports
  FROM daily_fields JOIN calendar USING (report_date)
  GROUP BY ALL
)
SELECT
  weeks.week, weeks.week_start, asked.field,
  coalesce(yes, 0) AS yes,
  coalesce(answered - yes, 0) AS no,
  coalesce(reports - answered, 0) AS unknown,
  yes / nullif(answered, 0) AS share
FROM weeks CROSS JOIN asked LEFT JOIN counts USING (week_start, field)
