-- One row: what of a delivery, just loaded, looks as if its ids or columns were not those of the sender's files before.
WITH fresh AS (
  SELECT *, ${day} AS day, {${content}} AS content FROM records WHERE delivery_no = $delivery_no
), corrections AS (
  SELECT
    ${old_day} <> fresh.day AS is_moved,
    {${old_content}} IS DISTINCT FROM fresh.content AS has_other_answers,
    replaced.triage_level = ${emergency} AND fresh.triage_level < ${emergency} AS is_lowered,
    ${lost} AS is_lost
  FROM replaced JOIN fresh USING (report_id)
), new_ids AS (
  SELECT report_id, day, reported_at, stated_date, content, ${plain_id} AS plain_id
  FROM fresh ANTI JOIN replaced USING (report_id)
), days AS (
  SELECT DISTINCT day FROM new_ids
), stored AS (
  -- what the delivery does not name itself: an id that it names, too, was not written anew
  SELECT report_id, ${day} AS day, reported_at, stated_date, {${content}} AS content, ${plain_id} AS plain_id
  FROM records ANTI JOIN stored_matches USING (report_id)
  WHERE source = $source AND delivery_no < $delivery_no AND ${day} IN (FROM days)
), once_new AS (
  SELECT reported_at, stated_date, content FROM new_ids GROUP BY ALL HAVING count(*) = 1
), once_stored AS (
  SELECT reported_at, stated_date, content FROM stored GROUP BY ALL HAVING count(*) = 1
), before AS (
  SELECT coalesce(sum(rows_read), 0)::BIGINT AS rows, coalesce(sum(rows_moved), 0)::BIGINT AS moved
  FROM files
  WHERE source = $source AND status = 'accepted' AND last_report > $last_report::TIMESTAMPTZ - INTERVAL 28 DAY
)
SELECT
  before.rows AS rows_before,
  before.moved AS moved_before,
  (SELECT count(*) FROM corrections WHERE is_moved) AS moved,
  (SELECT count(*) FROM corrections WHERE is_moved AND has_other_answers) AS exchanged,
  (SELECT count(*) FROM corrections WHERE is_lowered) AS lowered,
  (SELECT count(*) FROM corrections WHERE is_lost) AS lost,
  (SELECT count(*) FROM new_ids SEMI JOIN stored USING (plain_id, day)) AS same_plain_id,
  (
    SELECT count(*)
    FROM once_new JOIN once_stored
      ON once_new.reported_at = once_stored.reported_at
      AND once_new.stated_date IS NOT DISTINCT FROM once_stored.stated_date
      AND once_new.content = once_stored.content
  ) AS same_content
FROM before
