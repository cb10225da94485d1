-- One row a bad cell of a block, with the line it stands on; rows that repeat another row of the file are left out.
INSERT INTO quarantine BY NAME
SELECT
  $file_id AS file_id, $delivery_no AS delivery_no, line_number, report_id, column_name, check_name, allowed, value,
  text AS raw_line, NULL::VARCHAR AS corrected_by
FROM bad_cells JOIN raw_lines USING (line_number)
WHERE line_number NOT IN (SELECT line_number FROM rows_left_out WHERE kind = '${duplicate}')
ORDER BY line_number, column_name NULLS FIRST
