-- The weeks of which the weekly tables are counted anew: those of days that changed, those that are in one calendar
-- alone, and the week after each, which shows the one before. All of them where a region, an age or a sex is new or gone:
-- every week has a row of each.
CREATE OR REPLACE TEMP TABLE counted_weeks AS
WITH here_or_there AS (
  (SELECT report_date, week, week_start FROM calendar EXCEPT SELECT report_date, week, week_start FROM snapshot.calendar)
  UNION
  (SELECT report_date, week, week_start FROM snapshot.calendar EXCEPT SELECT report_date, week, week_start FROM calendar)
), own AS (
  SELECT
    list_sort(list(DISTINCT region)) AS regions,
    list_sort(list(DISTINCT age_band)) AS ages,
    list_sort(list(DISTINCT sex)) AS sexes
  FROM daily_summary
), published AS (
  SELECT
    (SELECT list_sort(list(DISTINCT region)) FROM snapshot.weekly_regions) AS regions,
    (SELECT list_sort(list(DISTINCT age_band)) FROM snapshot.weekly_demographics) AS ages,
    (SELECT list_sort(list(DISTINCT sex)) FROM snapshot.weekly_demographics) AS sexes
), changed AS (
  SELECT report_date - ${days_into_week}(report_date)::INTEGER + ${first_day_number} AS week_start
  FROM touched_days
  UNION
  SELECT week_start FROM here_or_there
  UNION
  SELECT week_start FROM calendar WHERE (SELECT own FROM own) IS DISTINCT FROM (SELECT published FROM published)
)
SELECT week_start FROM changed
UNION
SELECT week_start + 7 FROM changed
