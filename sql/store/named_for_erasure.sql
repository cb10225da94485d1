-- The reports of certain ids that are stored, were replaced, or stand in the quarantine; of one sender, if it is given.
SELECT DISTINCT source, report_id
FROM (
  SELECT source, report_id FROM records
  UNION ALL
  SELECT source, report_id FROM superseded
  UNION ALL
  SELECT files.source, quarantine.report_id FROM quarantine JOIN files USING (delivery_no)
)
WHERE report_id IN (SELECT unnest($ids::VARCHAR[]))
  AND (source = $source OR $source IS NULL)
