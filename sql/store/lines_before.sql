-- The quarantined lines that may be of a day before a date: lines of deliveries that began before it, but for those in
-- which every date that can be read is a later one.
SELECT DISTINCT delivery_no, line_number, files.source, raw_line
FROM quarantine JOIN files USING (delivery_no)
WHERE raw_line IS NOT NULL
  AND coalesce(first_report, ingested_at)::DATE < $before
  AND coalesce(
    list_min([try_cast(day AS DATE) FOR day IN regexp_extract_all(raw_line, '[0-9]{4}-[0-9]{2}-[0-9]{2}')]) < $before,
    true
  )
