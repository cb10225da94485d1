-- One row a delivery of a group: how many of its new ids have, at most, the plain form or the content of a record that
-- an earlier delivery brought. Whether that was replaced since, or the delivery names it itself, is not asked.
WITH candidates AS (
  SELECT *, ${day} AS day FROM records WHERE delivery_no IN (SELECT unnest($suspects))
), new_ids AS (
  SELECT delivery_no, day, reported_at, stated_date, {${content}} AS content, ${plain_id} AS plain_id
  FROM candidates
  ANTI JOIN replaced ON replaced.replaced_by = candidates.delivery_no AND replaced.report_id = candidates.report_id
), days AS (
  SELECT DISTINCT day FROM new_ids
), stored AS (
  SELECT
    delivery_no, ${day} AS day, reported_at, stated_date, {${content}} AS content, ${plain_id} AS plain_id
  FROM records
  WHERE source = $source AND ${day} IN (FROM days) AND reported_at BETWEEN $since AND $until
), plain_ids AS (
  SELECT plain_id, day, min(delivery_no) AS since FROM stored GROUP BY ALL
), contents AS (
  SELECT reported_at, stated_date, content, min(delivery_no) AS since FROM stored GROUP BY ALL
), same_plain AS (
  SELECT new_ids.delivery_no, count(*) AS rows
  FROM new_ids JOIN plain_ids USING (plain_id, day)
  WHERE plain_ids.since < new_ids.delivery_no
  GROUP BY ALL
), once_new AS (
  SELECT delivery_no, reported_at, stated_date, content FROM new_ids GROUP BY ALL HAVING count(*) = 1
), same_content AS (
  SELECT once_new.delivery_no, count(*) AS rows
  FROM once_new JOIN contents
    ON contents.reported_at = once_new.reported_at
    AND contents.stated_date IS NOT DISTINCT FROM once_new.stated_date
    AND contents.content = once_new.content
  WHERE contents.since < once_new.delivery_no
  GROUP BY ALL
)
SELECT
  delivery_no,
  coalesce(same_plain.rows, 0) AS same_plain_id,
  coalesce(same_content.rows, 0) AS same_content
FROM same_plain FULL JOIN same_content USING (delivery_no)
