-- One row: how many new ids of a delivery have the plain form or the content of a stored record that it does not name.
WITH new_ids AS (
  SELECT
    delivery_no, report_id, ${day} AS day, reported_at, stated_date, {${content}} AS content, ${plain_id} AS plain_id
  FROM records ANTI JOIN replaced USING (report_id)
  WHERE delivery_no = $last
), days AS (
  SELECT DISTINCT day FROM new_ids
), stored AS (
  -- what the delivery does not name itself: an id that it names, too, was not written anew
  SELECT report_id, ${day} AS day, reported_at, stated_date, {${content}} AS content, ${plain_id} AS plain_id
  FROM records ANTI JOIN stored_matches USING (report_id)
  WHERE source = $source AND delivery_no < $first AND ${day} IN (FROM days) AND reported_at BETWEEN $since AND $until
), once_new AS (
  SELECT reported_at, stated_date, content FROM new_ids GROUP BY ALL HAVING count(*) = 1
), once_stored AS (
  SELECT reported_at, stated_date, content FROM stored GROUP BY ALL HAVING count(*) = 1
)
SELECT
  $last::INTEGER AS delivery_no,
  (SELECT count(*) FROM new_ids SEMI JOIN stored USING (plain_id, day)) AS same_plain_id,
  (
    SELECT count(*)
    FROM once_new JOIN once_stored
      ON once_new.reported_at = once_stored.reported_at
      AND once_new.stated_date IS NOT DISTINCT FROM once_stored.stated_date
      AND once_new.content = once_stored.content
  ) AS same_content
