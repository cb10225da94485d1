-- One row per published week and series that changed, with every reason that applies. Records that came after the
-- report explain a part of the difference; what they leave unexplained is a withdrawn file's, or another pack's.
WITH deliveries AS (
  SELECT file_id, source, delivery_no FROM files WHERE status = 'accepted'
), frozen AS (
  SELECT DISTINCT week_start, last_delivery, reported_at FROM revised WHERE comparable
), replaced AS (
  SELECT superseded.*, deliveries.delivery_no, later.delivery_no AS replaced_by
  FROM superseded
  JOIN deliveries USING (file_id, source)
  JOIN deliveries AS later ON later.file_id = superseded.superseded_by AND later.source = superseded.source
), came AS (
  SELECT
    frozen.week_start, 1 AS sign, triage_level, cause_category, likely_cause, region,
    EXISTS (
      FROM replaced
      WHERE replaced.source = reports.source AND replaced.report_id = reports.report_id
        AND replaced.delivery_no <= frozen.last_delivery AND replaced.replaced_by > frozen.last_delivery
    ) AS corrected
  FROM reports
  JOIN deliveries USING (file_id, source)
  JOIN frozen
    ON frozen.week_start <= reports.report_date
    AND frozen.week_start + 7 > reports.report_date
    AND deliveries.delivery_no > frozen.last_delivery
  -- named one by one, so that of a long history the records of young files alone are read
  WHERE list_contains($young_files::VARCHAR[], reports.file_id)
), went AS (
  SELECT frozen.week_start, -1 AS sign, triage_level, cause_category, likely_cause, region, true AS corrected
  FROM replaced
  JOIN frozen
    ON frozen.week_start <= replaced.report_date
    AND frozen.week_start + 7 > replaced.report_date
    AND replaced.delivery_no <= frozen.last_delivery AND replaced.replaced_by > frozen.last_delivery
), moved AS (
  SELECT * REPLACE (coalesce(likely_cause, 'undetermined') AS likely_cause, coalesce(region, 'unknown') AS region)
  FROM (FROM came UNION ALL BY NAME FROM went)
), named AS (
  SELECT week_start, sign, corrected, unnest(${series_names}) AS series
  FROM moved
), explained AS (
  SELECT
    week_start, series, sum(sign) AS net, bool_or(NOT corrected) AS late, bool_or(corrected) AS corrected
  FROM named
  GROUP BY ALL
), withdrawn AS (
  SELECT DISTINCT frozen.week_start
  FROM frozen JOIN audit ON audit.action = 'withdraw' AND audit.happened_at > frozen.reported_at
), judged AS (
  SELECT
    revised.*,
    revised.as_known_now - revised.as_reported AS difference,
    coalesce(explained.late, false) AS late,
    coalesce(explained.corrected, false) AS corrected,
    revised.as_known_now IS NULL OR difference <> coalesce(explained.net, 0) AS unexplained,
    withdrawn.week_start IS NOT NULL AS withdrawn,
    revised.rule_pack <> (SELECT value FROM state WHERE key = 'rule_pack')
      AND regexp_matches(revised.series, 'triage_level=|^cause_category=|^likely_cause=') AS retagged
  FROM revised
  LEFT JOIN explained USING (week_start, series)
  LEFT JOIN withdrawn USING (week_start)
)
SELECT
  week, week_start, series, as_reported, as_known_now, difference,
  CASE
    WHEN NOT comparable THEN 'not compared: reported in ' || week_system || ' weeks of time zone ' || time_zone
    ELSE coalesce(nullif(concat_ws(
      ', ',
      CASE WHEN late THEN 'late records' END,
      CASE WHEN corrected THEN 'corrected records' END,
      CASE WHEN unexplained AND withdrawn THEN 'withdrawn file' END,
      CASE WHEN unexplained AND retagged THEN 'another rule pack' END
    ), ''), 'not known')
  END AS reason
FROM judged
ORDER BY week_start, series
