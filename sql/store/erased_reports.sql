-- The reports of days before a date, by their latest version: one row a sender and report_id.
SELECT source, report_id
FROM (
  SELECT source, report_id, report_date FROM reports
  UNION ALL
  SELECT source, report_id, report_date FROM superseded ANTI JOIN records USING (source, report_id)
)
GROUP BY ALL
HAVING max(report_date) < $before
