-- One row a version of a report that stands in several files of the group, and a first one if it is stored: `kept`
-- where it differs from the version before. Contents are compared by their hashes, as the rows of one file are. Most
-- reports say the same in all their versions: only those that do not are put in order.
INSERT INTO contested
WITH versions AS MATERIALIZED (
  SELECT report_id, delivery_no, line_number, hash(${content}) AS said
  FROM incoming
  WHERE hash(report_id) IN (FROM crossing)
    AND (delivery_no::BIGINT << 32) + line_number NOT IN (
      SELECT (delivery_no::BIGINT << 32) + line_number FROM rows_left_out
    )
  UNION ALL
  SELECT report_id, delivery_no, line_number, hash(${content}) AS said
  FROM stored_matches
  WHERE hash(report_id) IN (FROM crossing)
), reports AS MATERIALIZED (
  SELECT report_id, min(delivery_no) AS first_no, min(said) = max(said) AS says_the_same
  FROM versions
  GROUP BY report_id
)
SELECT report_id, delivery_no, line_number, delivery_no = first_no AS kept
FROM versions JOIN reports USING (report_id)
WHERE says_the_same
UNION ALL
SELECT
  report_id, delivery_no, line_number,
  lag(said) OVER (PARTITION BY report_id ORDER BY delivery_no) IS DISTINCT FROM said AS kept
FROM versions SEMI JOIN (FROM reports WHERE NOT says_the_same) AS differing USING (report_id)
