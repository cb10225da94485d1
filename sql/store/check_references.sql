-- One row a check of what points to what: its name, and how many rows break it.
WITH accepted AS (
  SELECT * FROM files WHERE status = 'accepted'
), brought AS (
  SELECT delivery_no FROM records
  UNION ALL
  SELECT files.delivery_no FROM superseded JOIN files USING (file_id, source)
), brought_by_file AS (
  SELECT delivery_no, sum(records)::BIGINT AS records
  FROM (
    SELECT delivery_no, count(*) AS records FROM brought GROUP BY ALL
    UNION ALL
    SELECT delivery_no, records + superseded FROM erased_files
  )
  GROUP BY ALL
), replaced_by_file AS (
  SELECT delivery_no, sum(records)::BIGINT AS records
  FROM (
    SELECT files.delivery_no, count(*) AS records
    FROM superseded JOIN files ON files.file_id = superseded.superseded_by AND files.source = superseded.source
    GROUP BY ALL
    UNION ALL
    SELECT delivery_no, replaced FROM erased_files
  )
  GROUP BY ALL
), set_aside_by_file AS (
  SELECT delivery_no, count(DISTINCT line_number) AS lines FROM quarantine GROUP BY ALL
)
SELECT 'records of a file that the ledger does not have as accepted', count(*)
FROM records ANTI JOIN accepted USING (delivery_no, source)
UNION ALL
SELECT 'superseded records of a file that the ledger does not have as accepted', count(*)
FROM superseded ANTI JOIN accepted USING (file_id, source)
UNION ALL
SELECT 'superseded records replaced by a file that the ledger does not have as accepted', count(*)
FROM superseded ANTI JOIN accepted ON accepted.file_id = superseded_by AND accepted.source = superseded.source
UNION ALL
SELECT 'superseded records without a record in their place', count(*)
FROM superseded ANTI JOIN records USING (source, report_id)
WHERE superseded_by NOT IN (SELECT file_id FROM accepted WHERE rows_removed > 0)
UNION ALL
SELECT 'quarantined cells of a file that the ledger does not have as accepted', count(*)
FROM quarantine ANTI JOIN accepted USING (delivery_no, file_id)
UNION ALL
SELECT 'warned cells of a file that the ledger does not have as accepted', count(*)
FROM warned_cells ANTI JOIN accepted USING (delivery_no)
UNION ALL
SELECT 'warned cells of a report that is neither a record nor superseded', count(*)
FROM warned_cells JOIN accepted USING (delivery_no)
ANTI JOIN (
  SELECT source, report_id FROM records
  UNION ALL
  SELECT source, report_id FROM superseded
) AS known ON known.source = accepted.source AND known.report_id = warned_cells.report_id
UNION ALL
SELECT 'records of which the sender and report_id stand twice', count(*) - count(DISTINCT (source, report_id))
FROM records
UNION ALL
SELECT 'files that did not bring as many records as the ledger says', count(*)
FROM files LEFT JOIN brought_by_file USING (delivery_no)
WHERE rows_accepted <> coalesce(records, 0)
UNION ALL
SELECT 'files that did not replace as many records as the ledger says', count(*)
FROM files LEFT JOIN replaced_by_file USING (delivery_no)
WHERE rows_superseded <> coalesce(records, 0)
UNION ALL
SELECT 'files of which not as many rows are in the quarantine as the ledger says', count(*)
FROM files LEFT JOIN set_aside_by_file USING (delivery_no)
WHERE rows_quarantined <> coalesce(lines, 0)
UNION ALL
SELECT 'files of which the rows do not add up', count(*)
FROM accepted
WHERE rows_read <> rows_accepted + rows_quarantined + rows_duplicate + rows_out_of_scope
UNION ALL
SELECT 'files with the delivery number of another', count(*) - count(DISTINCT delivery_no)
FROM files
