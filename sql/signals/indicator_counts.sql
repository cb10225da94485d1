-- One row per week, source and number that weekly_indicators judges: its reports, if there are any that count to it.
WITH sums AS (
  SELECT
    ${step} AS start, source,
    sum(reports) FILTER (WHERE triage_ceiling = 'emergency' AND triage_level <> 'emergency') AS could_be_emergency,
    sum(serious_signs) AS serious_signs,
    sum(severe_pain) AS severe_pain
  FROM daily_summary
  WHERE ${of_days}
  GROUP BY ALL
)
SELECT start, source, series, reports::BIGINT AS reports
FROM sums UNPIVOT (reports FOR series IN (could_be_emergency, serious_signs, severe_pain))
