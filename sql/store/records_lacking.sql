-- Stored records of a whole list's days that it does not name, not even in a row that is quarantined.
INSERT INTO replaced BY NAME
SELECT records.*, $delivery_no AS replaced_by
FROM records
ANTI JOIN present_ids USING (report_id)
WHERE source = $source AND delivery_no < $delivery_no AND ${day} BETWEEN $first_day AND $last_day
