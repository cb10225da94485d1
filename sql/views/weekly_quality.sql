-- One row per week, source, measure and item. A file counts in the week of its delivery clock; a file without one
-- (rejected, or without any report) in the week it was tried. A record's delay is the clock of the delivery that first
-- brought it, less its day: a correction is no late report. Reasons count the cells that no later delivery corrected.
WITH placed AS (
  SELECT * FROM files WHERE status <> 'withdrawn'
), dated AS (
  SELECT *, coalesce(clock, (ingested_at AT TIME ZONE '${time_zone}')::DATE) AS day FROM placed
), filed AS (
  SELECT *, day - ${days_into_week}(day)::INTEGER + ${first_day_number} AS week_start FROM dated
), file_measures AS (
  UNPIVOT (
    SELECT
      week_start, source,
      count(*) FILTER (status = 'accepted')::DOUBLE AS files_accepted,
      count(*) FILTER (status = 'rejected')::DOUBLE AS files_rejected,
      sum(rows_read)::DOUBLE AS rows_read,
      sum(rows_accepted)::DOUBLE AS rows_accepted,
      sum(rows_quarantined)::DOUBLE AS rows_quarantined,
      sum(rows_duplicate)::DOUBLE AS rows_duplicate,
      sum(rows_out_of_scope)::DOUBLE AS rows_out_of_scope,
      sum(rows_superseded)::DOUBLE AS rows_superseded
    FROM filed
    GROUP BY week_start, source
  ) ON COLUMNS(* EXCLUDE (week_start, source)) INTO NAME measure VALUE value
), reasons AS (
  SELECT
    filed.week_start, filed.source, 'quarantine_reason' AS measure,
    coalesce(quarantine.column_name, 'line') || ': ' || quarantine.check_name AS item,
    count(*)::DOUBLE AS value
  FROM quarantine JOIN filed USING (delivery_no)
  WHERE corrected_by IS NULL
  GROUP BY ALL
), completeness AS (
  SELECT
    calendar.week_start, source, 'completeness' AS measure, field AS item,
    sum(answered) / nullif(sum(reports), 0) AS value
  FROM daily_fields JOIN calendar USING (report_date)
  GROUP BY ALL
), delays AS (
  SELECT
    calendar.week_start, arrivals.source,
    greatest(files.clock - arrivals.report_date, 0) AS delay_days,
    sum(arrivals.reports) AS reports
  FROM daily_arrivals AS arrivals
  JOIN calendar USING (report_date)
  JOIN files ON files.delivery_no = arrivals.first_delivery_no
  GROUP BY ALL
), ranked AS (
  SELECT
    *,
    sum(reports) OVER (PARTITION BY week_start, source ORDER BY delay_days) AS up_to,
    sum(reports) OVER (PARTITION BY week_start, source) AS total
  FROM delays
), timeliness AS (
  -- the median of an even number of reports lies halfway between the middle two
  SELECT
    week_start, source, 'median_delay_days' AS measure,
    (min(delay_days) FILTER (up_to * 2 >= total) + min(delay_days) FILTER (up_to * 2 > total)) / 2 AS value
  FROM ranked GROUP BY ALL
  UNION ALL
  SELECT week_start, source, 'late_share', coalesce(sum(reports) FILTER (delay_days > 7), 0) / sum(reports)
  FROM delays GROUP BY ALL
), measures AS (
  SELECT week_start, source, measure, NULL::VARCHAR AS item, value FROM file_measures
  UNION ALL BY NAME FROM reasons
  UNION ALL BY NAME FROM completeness
  UNION ALL BY NAME FROM timeliness
)
SELECT
  year(week_start + 3) || '-${mark}' || lpad(((dayofyear(week_start + 3) - 1) // 7 + 1)::VARCHAR, 2, '0') AS week,
  week_start, source, measure, item, value
FROM measures
