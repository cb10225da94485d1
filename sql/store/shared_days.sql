-- One row a delivery of the group: how many of its records are of a day that an earlier delivery of the source has, too.
WITH brought AS (
  SELECT ${day} AS day, delivery_no, count(*) AS rows
  FROM records
  WHERE delivery_no BETWEEN $first AND $last
  GROUP BY ALL
), held AS (
  SELECT day, delivery_no FROM brought
  UNION ALL
  SELECT DISTINCT report_date, 0
  FROM delivery_days JOIN files USING (delivery_no)
  WHERE source = $source AND delivery_no < $first AND report_date IN (SELECT day FROM brought)
), firsts AS (
  SELECT day, min(delivery_no) AS since FROM held GROUP BY day
)
SELECT delivery_no, sum(rows)::BIGINT AS rows
FROM brought JOIN firsts ON firsts.day = brought.day AND firsts.since < brought.delivery_no
GROUP BY delivery_no
