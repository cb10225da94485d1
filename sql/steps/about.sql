-- One row about the snapshot. The latest week is the last covered one that has ended in the reporting time zone.
SELECT
  (SELECT value FROM state WHERE key = 'rule_pack') AS rule_pack,
  (SELECT value FROM state WHERE key = 'complaint') AS complaint,
  '${time_zone}' AS time_zone,
  (SELECT value FROM state WHERE key = 'week_system') AS week_system,
  (
    SELECT max_by(week, week_start) FROM calendar
    WHERE week_start + 7 <= (now() AT TIME ZONE '${time_zone}')::DATE
  ) AS latest_week,
  (SELECT min(reported_at) FROM records) AS first_report,
  (SELECT max(reported_at) FROM records) AS last_report,
  (SELECT coalesce(max(delivery_no), 0) FROM files)::INTEGER AS last_delivery,
  now() AS published_at,
  (SELECT count(*)::INTEGER FROM audit) AS deeds,
  '${version}' AS version,
  (
    SELECT content FROM rule_packs
    WHERE rule_pack = (SELECT value FROM state WHERE key = 'rule_pack')
  ) AS rule_pack_content
