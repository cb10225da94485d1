-- The rows of a source's deliveries so far with cells that are still bad, by the sender's own id.
SELECT DISTINCT quarantine.delivery_no, report_id, path
FROM quarantine JOIN files USING (delivery_no)
WHERE files.source = $source AND quarantine.delivery_no < $last
  AND report_id IS NOT NULL AND corrected_by IS NULL
