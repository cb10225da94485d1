-- The delivery that first brought a report: a correction keeps it, and so does a report that a whole list took out and
-- a later one brings back.
coalesce(
    (SELECT any_value(stored.first_delivery_no) FROM stored_matches AS stored WHERE stored.report_id = tagged.report_id),
    (
      SELECT min(old.first_delivery_no) FROM superseded AS old
      WHERE old.source = $source AND old.report_id = tagged.report_id
    ),
    (SELECT min(contested.delivery_no) FROM contested WHERE contested.report_id = tagged.report_id),
    delivery_no
  )
