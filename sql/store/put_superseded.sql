-- The versions that a later one replaces, each with what replaced it.
INSERT INTO superseded BY NAME
SELECT
  old.* EXCLUDE (first_delivery_no), versions.first_delivery_no,
  later.file_id AS superseded_by, later.ingested_at AS superseded_at
FROM (${relation}) AS old
JOIN files AS own USING (file_id, source)
JOIN versions ON versions.delivery_no = own.delivery_no AND versions.report_id = old.report_id AND versions.kept
JOIN files AS later ON later.delivery_no = versions.replaced_by
