-- The last whole list that took out a report which the withdrawn file named, if one did after it.
SELECT lists.file_id, lists.path
FROM superseded
JOIN named USING (report_id)
JOIN files AS lists ON lists.file_id = superseded.superseded_by AND lists.source = superseded.source
WHERE superseded.source = $source AND lists.delivery_no > $withdrawn AND lists.rows_removed > 0
  AND NOT EXISTS (
    FROM records WHERE records.delivery_no = lists.delivery_no AND records.report_id = superseded.report_id
  )
  AND NOT EXISTS (
    FROM superseded AS brought
    WHERE brought.file_id = lists.file_id AND brought.source = lists.source
      AND brought.report_id = superseded.report_id
  )
ORDER BY lists.delivery_no DESC
LIMIT 1
