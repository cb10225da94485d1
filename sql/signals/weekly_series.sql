-- One row per covered week and series, a week without reports being 0.
WITH weeks AS (
  SELECT DISTINCT week, week_start FROM calendar
), sums AS (
  SELECT calendar.week_start, triage_level, cause_category, likely_cause, region, sum(daily_summary.reports) AS reports
  FROM daily_summary JOIN calendar USING (report_date)
  GROUP BY ALL
), named AS (
  SELECT week_start, reports, unnest(${series_names}) AS series
  FROM sums
), counts AS (
  SELECT week_start, series, sum(reports)::BIGINT AS reports
  FROM named
  WHERE series IS NOT NULL
  GROUP BY ALL
), regions AS (
  SELECT DISTINCT region FROM daily_summary
), names AS (
  SELECT 'all' AS series
  UNION ALL SELECT 'triage_level=' || unnest(['emergency', 'contact_doctor', 'unresolved', 'self_care'])
  UNION ALL SELECT DISTINCT 'cause_category=' || cause_category FROM causes
  UNION ALL SELECT 'likely_cause=' || likely_cause FROM causes
  UNION ALL SELECT 'region=' || region FROM regions
  UNION ALL SELECT 'region=' || region || ',triage_level=emergency' FROM regions
)
SELECT weeks.week, weeks.week_start, names.series, coalesce(counts.reports, 0) AS reports
FROM weeks CROSS JOIN names LEFT JOIN counts USING (week_start, series)
ORDER BY weeks.week_start, names.series
