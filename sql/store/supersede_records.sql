-- The replaced records, as reports, each with the file that replaced it.
INSERT INTO superseded BY NAME
SELECT old.*, later.file_id AS superseded_by, $now AS superseded_at
FROM (${relation}) AS old
JOIN files AS own USING (file_id, source)
JOIN replaced ON replaced.delivery_no = own.delivery_no AND replaced.report_id = old.report_id
JOIN files AS later ON later.delivery_no = replaced.replaced_by
