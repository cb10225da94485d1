-- One row about the snapshot as of $now, which is $today in the reporting time zone. The latest week is the last covered one that has ended in the reporting time zone.
WITH facts AS (
  SELECT
    max(value) FILTER (key = 'rule_pack') AS rule_pack,
    max(value) FILTER (key = 'complaint') AS complaint,
    max(value) FILTER (key = 'week_system') AS week_system
  FROM state
), covered AS (
  SELECT
    min(report_date)::TIMESTAMP AT TIME ZONE '${time_zone}' AS first_day,
    (max(report_date) + 1)::TIMESTAMP AT TIME ZONE '${time_zone}' AS last_day
  FROM calendar
), span AS (
  -- a row of another century is in no calendar, and in no span; $first_day and $last_day, those of reported_days, are
  -- known when this is planned, so that most of a long history is passed over
  SELECT
    (
      SELECT min(reported_at) FROM records, covered
      WHERE reported_at < ($first_day::DATE + 3)::TIMESTAMP AT TIME ZONE 'UTC'
        AND reported_at >= first_day AND reported_at < last_day
    ) AS first_report,
    (
      SELECT max(reported_at) FROM records, covered
      WHERE reported_at >= ($last_day::DATE - 3)::TIMESTAMP AT TIME ZONE 'UTC'
        AND reported_at >= first_day AND reported_at < last_day
    ) AS last_report
)
SELECT
  facts.rule_pack,
  facts.complaint,
  '${time_zone}' AS time_zone,
  facts.week_system,
  (
    SELECT max_by(week, week_start) FROM calendar
    WHERE week_start + 7 <= $today
  ) AS latest_week,
  span.first_report,
  span.last_report,
  (SELECT coalesce(max(delivery_no), 0) FROM files)::INTEGER AS last_delivery,
  $now AS published_at,
  (SELECT count(*)::INTEGER FROM audit) AS deeds,
  '${version}' AS version,
  rule_packs.content AS rule_pack_content
FROM facts CROSS JOIN span LEFT JOIN rule_packs USING (rule_pack)
