-- One row per delivery and day: the rows of it that became a record, whether a later delivery replaced it or not.
WITH versions AS (
  SELECT delivery_no, ${day} AS report_date FROM records
  UNION ALL
  SELECT files.delivery_no, superseded.report_date FROM superseded JOIN files USING (file_id, source)
)
SELECT delivery_no, report_date, count(*) AS reports
FROM versions
GROUP BY ALL
