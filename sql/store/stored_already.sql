-- How many accepted rows of each delivery equal a stored record, without those of reports that other files of the
-- group name, too; unknown equals unknown.
SELECT incoming.delivery_no, count(*)
FROM incoming
JOIN stored_matches AS stored USING (report_id)
WHERE (incoming.delivery_no::BIGINT << 32) + incoming.line_number NOT IN (
    SELECT (delivery_no::BIGINT << 32) + line_number FROM rows_left_out
  )
  AND hash(report_id) NOT IN (FROM crossing)
  AND (${said_incoming}) IS NOT DISTINCT FROM (${said_stored})
GROUP BY ALL
