-- One row a version of a report that stands in several files of the group, and a first one if it is stored: `kept`
-- where it differs from the version before.
INSERT INTO contested
WITH versions AS (
  SELECT report_id, delivery_no, line_number, {${content}} AS said
  FROM incoming
  WHERE hash(report_id) IN (FROM crossing)
    AND (delivery_no::BIGINT << 32) + line_number NOT IN (
      SELECT (delivery_no::BIGINT << 32) + line_number FROM rows_left_out
    )
  UNION ALL
  SELECT report_id, delivery_no, line_number, {${content}} AS said
  FROM stored_matches
  WHERE hash(report_id) IN (FROM crossing)
)
SELECT
  report_id, delivery_no, line_number,
  row_number() OVER earlier = 1 OR lag(said) OVER earlier IS DISTINCT FROM said AS kept
FROM versions
WINDOW earlier AS (PARTITION BY report_id ORDER BY delivery_no)
