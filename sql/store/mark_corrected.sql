-- Open cells of a row that this delivery has among its accepted rows, stored by it or equal to a stored record.
UPDATE quarantine SET corrected_by = $file_id
FROM open_ids
WHERE quarantine.delivery_no = open_ids.delivery_no AND quarantine.report_id = open_ids.report_id
  AND corrected_by IS NULL
  AND open_ids.stored_id IN (
    SELECT report_id FROM records WHERE source = $source AND delivery_no = $delivery_no
    UNION ALL
    SELECT report_id FROM stored_matches
  )
  AND open_ids.report_id NOT IN (
    SELECT report_id FROM quarantine WHERE delivery_no = $delivery_no AND report_id IS NOT NULL
  )
