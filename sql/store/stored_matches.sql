-- The stored records of this source that the delivery names again.
CREATE OR REPLACE TEMP TABLE stored_matches AS
SELECT records.*
FROM records SEMI JOIN incoming USING (report_id)
WHERE records.source = $source
