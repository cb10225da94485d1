-- One row per covered week and source that has reports of it.
SELECT
  calendar.week, calendar.week_start, source,
  sum(reports)::BIGINT AS reports,
  coalesce(sum(reports) FILTER (triage_level = 'emergency'), 0)::BIGINT AS emergency,
  coalesce(sum(reports) FILTER (triage_level = 'contact_doctor'), 0)::BIGINT AS contact_doctor,
  coalesce(sum(reports) FILTER (triage_level = 'self_care'), 0)::BIGINT AS self_care,
  coalesce(sum(reports) FILTER (triage_level = 'unresolved'), 0)::BIGINT AS unresolved,
  sum(severe_pain)::BIGINT AS severe_pain
FROM daily_summary JOIN calendar USING (report_date)
GROUP BY ALL
