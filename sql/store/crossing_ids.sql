-- Hashes of the ids that stand in several files of the group.
INSERT INTO crossing
SELECT hash(report_id) AS id
FROM incoming
WHERE (delivery_no::BIGINT << 32) + line_number NOT IN (
  SELECT (delivery_no::BIGINT << 32) + line_number FROM rows_left_out
)
GROUP BY id
HAVING count(*) > 1
