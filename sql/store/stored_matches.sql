-- The stored records of this source that the delivery names again.
CREATE OR REPLACE TEMP TABLE stored_matches AS
FROM records
WHERE rowid IN (FROM stored_places)
