-- One row a bad cell of a block, with the line it stands on; rows that repeat another row of the file are left out. A line
-- of a report that was erased is counted, and nothing of it is kept.
INSERT INTO quarantine BY NAME
SELECT
  $file_id AS file_id, $delivery_no AS delivery_no, line_number,
  CASE WHEN erased THEN NULL ELSE report_id END AS report_id,
  column_name, check_name, allowed,
  CASE WHEN erased THEN NULL ELSE value END AS value,
  CASE WHEN erased THEN NULL ELSE text END AS raw_line,
  NULL::VARCHAR AS corrected_by
FROM (
  SELECT *, line_number IN (SELECT line_number FROM erased_lines) AS erased
  FROM bad_cells JOIN raw_lines USING (line_number)
)
WHERE line_number NOT IN (SELECT line_number FROM rows_left_out WHERE kind = '${duplicate}')
ORDER BY line_number, column_name NULLS FIRST
