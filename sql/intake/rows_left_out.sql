-- One row a row of the file that shares its report_id with another row: `duplicate` for every one but the first if
-- all are the same, `conflict` for every one if they differ.
SELECT
  candidates.line_number,
  candidates.report_id,
  candidates.accepted,
  CASE WHEN repeated_ids.is_same THEN 'duplicate' ELSE 'conflict' END AS kind
FROM candidates JOIN repeated_ids USING (report_id)
WHERE NOT repeated_ids.is_same OR candidates.line_number > repeated_ids.first_line
ORDER BY candidates.line_number
