-- Open cells of a row that a later delivery has among its accepted rows; the first such one corrected it.
UPDATE quarantine SET corrected_by = found.file_id
FROM (
  SELECT open_ids.delivery_no, open_ids.report_id, arg_min(files.file_id, came_right.delivery_no) AS file_id
  FROM open_ids
  JOIN came_right ON came_right.stored_id = open_ids.stored_id AND came_right.delivery_no > open_ids.delivery_no
  JOIN files ON files.delivery_no = came_right.delivery_no
  GROUP BY ALL
) AS found
WHERE quarantine.delivery_no = found.delivery_no AND quarantine.report_id = found.report_id AND corrected_by IS NULL
