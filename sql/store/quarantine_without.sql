-- The quarantine, of which the lines that are erased keep their place and their fault alone.
SELECT
  file_id, line_number,
  CASE WHEN erased THEN NULL ELSE report_id END AS report_id,
  column_name, check_name, allowed,
  CASE WHEN erased THEN NULL ELSE value END AS value,
  CASE WHEN erased THEN NULL ELSE raw_line END AS raw_line,
  delivery_no, corrected_by
FROM (
  SELECT *, (delivery_no, line_number) IN (SELECT (delivery_no, line_number) FROM going_lines) AS erased
  FROM calfwatch.quarantine
)
