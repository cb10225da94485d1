-- One row per covered week, source and field; a record counts under every field that it lacks an answer of.
WITH counts AS (
  SELECT
    calendar.week, calendar.week_start, source, field,
    sum(missing)::BIGINT AS missing, sum(unresolved)::BIGINT AS unresolved, sum(settles)::BIGINT AS settles,
    sum(reports) AS total
  FROM daily_fields JOIN calendar USING (report_date)
  GROUP BY ALL
)
SELECT week, week_start, source, field, missing AS reports, missing / total AS share, unresolved, settles
FROM counts
WHERE missing > 0
