-- The deliveries of a group that have an accepted row of a report with an open cell.
CREATE OR REPLACE TEMP TABLE came_right AS
SELECT report_id AS stored_id, delivery_no
FROM incoming
WHERE report_id IN (SELECT stored_id FROM open_ids)
  AND (delivery_no::BIGINT << 32) + line_number NOT IN (
    SELECT (delivery_no::BIGINT << 32) + line_number FROM rows_left_out
  )
