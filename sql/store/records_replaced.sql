-- Stored records that the delivery replaces: it named them again and was stored with other content.
CREATE OR REPLACE TEMP TABLE replaced AS
SELECT stored_matches.*
FROM stored_matches
SEMI JOIN (FROM records WHERE delivery_no = $delivery_no) AS fresh USING (report_id)
