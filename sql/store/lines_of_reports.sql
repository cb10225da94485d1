-- The quarantined lines of reports that are erased: those with their id, and those of the sender that name it where no
-- id could be read, or that name an id too long to stand there by chance.
SELECT DISTINCT delivery_no, line_number, files.source, raw_line
FROM quarantine JOIN files USING (delivery_no)
WHERE (
    files.source IN (SELECT source FROM going)
    OR files.source = $source
    OR ($source IS NULL AND NOT EXISTS (SELECT 1 FROM going))
  )
  AND (
    quarantine.report_id IN (SELECT report_id FROM going WHERE going.source = files.source)
    OR list_bool_or([regexp_matches(raw_line, p) FOR p IN $long_ones::VARCHAR[]])
    OR (quarantine.report_id IS NULL AND list_bool_or([regexp_matches(raw_line, p) FOR p IN $patterns::VARCHAR[]]))
  )
