-- Open cells of a report of which a later delivery brought a record, the first of them if there were several; and,
-- where it was read again, one that repeated what was stored.
UPDATE quarantine SET corrected_by = found.file_id
FROM (
  SELECT cells.delivery_no, cells.report_id, arg_min(brought.file_id, brought.delivery_no) AS file_id
  FROM (
    SELECT quarantine.delivery_no, report_id
    FROM quarantine JOIN files USING (delivery_no)
    WHERE files.source = $source AND corrected_by IS NULL
  ) AS cells
  JOIN (
    SELECT report_id, delivery_no, file_id FROM records JOIN files USING (delivery_no) WHERE files.source = $source
    UNION ALL
    SELECT report_id, files.delivery_no, file_id
    FROM superseded JOIN files USING (file_id, source)
    WHERE source = $source${repeated}
  ) AS brought ON brought.report_id = cells.report_id AND brought.delivery_no > cells.delivery_no
  GROUP BY ALL
) AS found
WHERE quarantine.delivery_no = found.delivery_no AND quarantine.report_id = found.report_id AND corrected_by IS NULL
