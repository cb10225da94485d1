-- One row per delivery and day of the records that are erased now, and of their versions.
SELECT delivery_no, report_date, count(*) AS reports
FROM (
  SELECT delivery_no, ${day} AS report_date FROM gone
  UNION ALL
  SELECT files.delivery_no, gone_versions.report_date FROM gone_versions JOIN files USING (file_id, source)
)
GROUP BY ALL
