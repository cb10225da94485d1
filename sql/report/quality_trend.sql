-- One row per covered week and share: how many of its reports came late, and how many of its answers are given. A share
-- over all sources weighs each source by its reports of that week; fields count alike.
WITH weeks AS (
  SELECT DISTINCT week, week_start
  FROM weekly_triage
  WHERE week_start BETWEEN $first AND $last
), sources AS (
  SELECT week, week_start, source, sum(reports) AS reports
  FROM weeks JOIN daily_summary ON report_date BETWEEN week_start AND week_start + 6
  GROUP BY ALL
), shares AS (
  SELECT week_start, source, measure, avg(value) AS share
  FROM weekly_quality
  WHERE week_start BETWEEN $first AND $last AND measure IN ('late_share', 'completeness') AND value IS NOT NULL
  GROUP BY ALL
)
SELECT week, week_start, measure, CAST(sum(share * reports) / sum(reports) AS DOUBLE) AS share
FROM sources JOIN shares USING (week_start, source)
GROUP BY ALL
ORDER BY ALL
