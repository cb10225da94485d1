-- One row a report of which the withdrawn file brought a version, stored still or superseded since; or that
-- it took out, being a whole list that lacks it; or of which it brought bad cells of an earlier file right.
CREATE OR REPLACE TEMP TABLE named AS
SELECT report_id FROM records WHERE delivery_no = $withdrawn
UNION
SELECT superseded.report_id
FROM superseded JOIN files USING (file_id, source)
WHERE files.delivery_no = $withdrawn
UNION
SELECT superseded.report_id
FROM superseded JOIN files ON files.file_id = superseded.superseded_by AND files.source = superseded.source
WHERE files.delivery_no = $withdrawn
UNION
SELECT quarantine.report_id
FROM quarantine JOIN files USING (delivery_no)
WHERE (files.source, corrected_by) = (SELECT (source, file_id) FROM files WHERE delivery_no = $withdrawn)
