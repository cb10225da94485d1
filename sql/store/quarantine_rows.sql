-- One row a bad cell of the group's files, with the line it stands on; rows that repeat another row of their file are
-- left out. A line of a report that was erased is counted, and nothing of it is kept.
INSERT INTO quarantine BY NAME
SELECT
  file_id, delivery_no, line_number,
  CASE WHEN erased THEN NULL ELSE report_id END AS report_id,
  column_name, check_name, allowed,
  CASE WHEN erased THEN NULL ELSE value END AS value,
  CASE WHEN erased THEN NULL ELSE text END AS raw_line,
  NULL::VARCHAR AS corrected_by
FROM (
  SELECT *, (delivery_no, line_number) IN (SELECT (delivery_no, line_number) FROM erased_lines) AS erased
  FROM bad_cells
  JOIN (
    -- a line in conflict stands in the block of the conflicts, too
    SELECT delivery_no, line_number, any_value(text) AS text FROM raw_lines GROUP BY ALL
  ) AS lines USING (delivery_no, line_number)
)
JOIN delivered USING (delivery_no)
ANTI JOIN (FROM rows_left_out WHERE kind = '${duplicate}') AS duplicates USING (delivery_no, line_number)
ORDER BY delivery_no, line_number, column_name NULLS FIRST
