-- The deliveries of a source of which every stored report was made at midnight in a zone: their dates stood alone.
CREATE OR REPLACE TEMP TABLE midnight_files AS
WITH reported AS (
  SELECT delivery_no, reported_at FROM records WHERE source = $source
  UNION ALL
  SELECT files.delivery_no, superseded.reported_at
  FROM superseded JOIN files USING (file_id, source)
  WHERE superseded.source = $source
)
SELECT delivery_no, any_value(file_id) AS file_id
FROM reported JOIN files USING (delivery_no)
GROUP BY delivery_no
HAVING bool_and((reported_at AT TIME ZONE $zone)::TIME = TIME '00:00')
