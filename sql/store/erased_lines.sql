-- The bad lines of a group's files that were erased before, or that name a report that was: a line whose report_id cannot be read
-- is searched for one word by word.
CREATE OR REPLACE TEMP TABLE erased_lines AS
WITH words AS (
  SELECT delivery_no, line_number, unnest(regexp_split_to_array(text, '[^A-Za-z0-9_.-]+')) AS word
  FROM raw_lines
  SEMI JOIN (FROM bad_cells WHERE report_id IS NULL) AS nameless USING (delivery_no, line_number)
)
SELECT delivery_no, line_number FROM raw_lines WHERE erased_mark('line', text) IN (SELECT mark FROM erased_marks)
UNION
SELECT delivery_no, line_number FROM bad_cells WHERE erased_mark('id', report_id) IN (SELECT mark FROM erased_marks)
UNION
SELECT delivery_no, line_number FROM words WHERE erased_mark('id', word) IN (SELECT mark FROM erased_marks)
