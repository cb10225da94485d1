-- One row: the week of a report, and what the snapshot that it is made of knew.
SELECT
  ${week} AS week,
  (SELECT any_value(week_start) FROM weekly_signals WHERE week = ${week}) AS week_start,
  $now::VARCHAR AS reported_at,
  rule_pack, last_delivery, version, time_zone, week_system
FROM about
