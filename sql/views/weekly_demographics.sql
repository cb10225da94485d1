-- One row per covered week, age band and sex ever reported together with the others.
WITH weeks AS (
  SELECT DISTINCT week, week_start FROM calendar
), groups AS (
  SELECT age_band, sex
  FROM (SELECT DISTINCT age_band FROM daily_summary) CROSS JOIN (SELECT DISTINCT sex FROM daily_summary)
), counts AS (
  SELECT
    calendar.week_start, age_band, sex,
    sum(reports)::BIGINT AS reports,
    sum(reports) FILTER (triage_level = 'emergency') AS emergency,
    sum(reports) FILTER (triage_level = 'contact_doctor') AS contact_doctor,
    sum(reports) FILTER (triage_level = 'self_care') AS self_care,
    sum(reports) FILTER (triage_level = 'unresolved') AS unresolved,
    sum(severe_pain) AS severe_pain
  FROM daily_summary JOIN calendar USING (report_date)
  GROUP BY ALL
), cells AS (
  SELECT
    weeks.week, weeks.week_start, groups.age_band, groups.sex,
    coalesce(counts.reports, 0) AS reports,
    coalesce(counts.emergency, 0)::BIGINT AS emergency,
    coalesce(counts.contact_doctor, 0)::BIGINT AS contact_doctor,
    coalesce(counts.self_care, 0)::BIGINT AS self_care,
    coalesce(counts.unresolved, 0)::BIGINT AS unresolved,
    coalesce(counts.severe_pain, 0)::BIGINT AS severe_pain
  FROM weeks CROSS JOIN groups LEFT JOIN counts USING (week_start, age_band, sex)
)
SELECT
  cells.week, cells.week_start, cells.age_band, cells.sex, cells.reports,
  cells.reports / nullif(sum(cells.reports) OVER (PARTITION BY cells.week_start), 0) AS share,
  before.reports AS previous_week,
  cells.emergency, cells.contact_doctor, cells.self_care, cells.unresolved, cells.severe_pain
FROM cells
LEFT JOIN cells AS before
  ON before.week_start = cells.week_start - 7
  AND before.age_band = cells.age_band AND before.sex = cells.sex
