-- One row per covered week, region with a denominator, and age band with one; age_band is NULL for the region as a whole.
-- A number for one week goes before one for every week; a region without any has no row, and no rate.
WITH weeks AS (
  SELECT DISTINCT week, week_start FROM calendar
), chosen AS (
  SELECT weeks.week, week_start, region, age_band, denominator_kind, denominator
  FROM weeks JOIN denominators ON denominators.week IS NULL OR denominators.week = weeks.week
  QUALIFY row_number() OVER (PARTITION BY weeks.week, region, age_band ORDER BY denominators.week IS NULL) = 1
), counts AS (
  SELECT
    week_start, region, CASE WHEN grouping(age_band) = 0 THEN age_band END AS age_band,
    sum(reports)::BIGINT AS reports,
    coalesce(sum(reports) FILTER (triage_level = 'emergency'), 0)::BIGINT AS emergency
  FROM daily_summary SEMI JOIN denominators USING (region) JOIN calendar USING (report_date)
  GROUP BY GROUPING SETS ((week_start, region), (week_start, region, age_band))
)
SELECT
  chosen.week, chosen.week_start, chosen.region, chosen.age_band, chosen.age_band IS NULL AS is_whole_region,
  denominator_kind, denominator, coalesce(counts.reports, 0) AS reports, coalesce(counts.emergency, 0) AS emergency,
  coalesce(counts.reports, 0) * 100000.0 / denominator AS reports_rate,
  coalesce(counts.emergency, 0) * 100000.0 / denominator AS emergency_rate
FROM chosen
LEFT JOIN counts
  ON counts.week_start = chosen.week_start AND counts.region = chosen.region
  AND counts.age_band IS NOT DISTINCT FROM chosen.age_band
