-- One row per delivery of which records are erased now or were before: those it brought that were in use, those that
-- had been replaced, and those that it had replaced itself.
SELECT
  delivery_no,
  sum(records)::BIGINT AS records,
  sum(superseded)::BIGINT AS superseded,
  sum(replaced)::BIGINT AS replaced
FROM (
  FROM erased_files
  UNION ALL
  SELECT delivery_no, 1, 0, 0 FROM gone
  UNION ALL
  SELECT files.delivery_no, 0, 1, 0 FROM gone_versions JOIN files USING (file_id, source)
  UNION ALL
  SELECT files.delivery_no, 0, 0, 1
  FROM gone_versions JOIN files ON files.file_id = superseded_by AND files.source = gone_versions.source
)
GROUP BY delivery_no
