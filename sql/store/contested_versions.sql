-- One row a version of a report that stands in several files of the group, and a first one if it is stored: `kept`
-- where it differs from the version before. Most reports say the same in all their versions: only those that do not are
-- put in order.
INSERT INTO contested
WITH versions AS MATERIALIZED (
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
), contents AS (
  SELECT report_id, said, min(delivery_no) AS first_no FROM versions GROUP BY report_id, said
), reports AS MATERIALIZED (
  SELECT report_id, min(first_no) AS first_no, count(*) = 1 AS says_the_same FROM contents GROUP BY report_id
)
SELECT report_id, delivery_no, line_number, delivery_no = first_no AS kept
FROM versions JOIN reports USING (report_id)
WHERE says_the_same
UNION ALL
SELECT
  report_id, delivery_no, line_number,
  lag(said) OVER earlier IS DISTINCT FROM said AS kept
FROM versions SEMI JOIN (FROM reports WHERE NOT says_the_same) AS differing USING (report_id)
WINDOW earlier AS (PARTITION BY report_id ORDER BY delivery_no)
