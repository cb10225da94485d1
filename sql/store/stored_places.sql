-- Where the stored records of this source lie that the delivery names again: to read their ids alone, of all records,
-- and then these as a whole, costs half of reading all as a whole.
CREATE OR REPLACE TEMP TABLE stored_places AS
SELECT rowid AS place
FROM records SEMI JOIN incoming USING (report_id)
WHERE source = $source
