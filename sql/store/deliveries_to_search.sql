-- The files of the senders whose reports are erased: where each lies, whether it brought one of the reports itself, and
-- whether it began before the last of them.
WITH moments AS (
  SELECT source, reported_at FROM records SEMI JOIN going USING (source, report_id)
  UNION ALL
  SELECT source, reported_at FROM superseded SEMI JOIN going USING (source, report_id)
)
SELECT
  path,
  delivery_no IN (
    SELECT delivery_no FROM records SEMI JOIN going USING (source, report_id)
    UNION ALL
    SELECT brought.delivery_no
    FROM superseded SEMI JOIN going USING (source, report_id)
    JOIN files AS brought ON brought.file_id = superseded.file_id AND brought.source = superseded.source
    UNION ALL
    SELECT delivery_no FROM going_lines
  ) AS brought,
  coalesce(
    first_report <= (SELECT max(reported_at) FROM moments WHERE moments.source = files.source), true
  ) AS began_before,
  source
FROM files
WHERE source IN (SELECT source FROM going UNION ALL SELECT source FROM going_lines)
ORDER BY delivery_no
