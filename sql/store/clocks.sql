-- One row per accepted delivery: the sender's clock after it, the latest day that it or a delivery before it reached.
-- A delivery's day is the end of its period, unless most of its rows lie outside it; else the last plausible day of
-- its reports, after rows at the end that stand more than 3 days after the row before, at most 1 or 1 % of them.
WITH delivered AS (
  SELECT
    delivery_no, source,
    split_part(period, '/', 1)::DATE AS first_day,
    split_part(period, '/', -1)::DATE AS last_day
  FROM files
  WHERE status = 'accepted'
), days AS (
  SELECT delivery_no, report_date, delivery_days.reports
  FROM delivery_days
  JOIN files USING (delivery_no)
  JOIN (${plausible_days}) AS plausible USING (source, report_date)
  WHERE is_plausible
), ends AS (
  SELECT
    *,
    lead(report_date) OVER by_day - report_date AS gap,
    sum(reports) OVER (PARTITION BY delivery_no) AS total,
    coalesce(sum(reports) OVER (
      PARTITION BY delivery_no ORDER BY report_date DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS after
  FROM days
  WINDOW by_day AS (PARTITION BY delivery_no ORDER BY report_date)
), reached AS (
  SELECT
    delivery_no,
    coalesce(min(report_date) FILTER (gap > 3 AND after <= greatest(1, total // 100)), max(report_date)) AS day
  FROM ends
  GROUP BY delivery_no
), outside AS (
  SELECT delivery_no, sum(reports) FILTER (report_date NOT BETWEEN first_day AND last_day) * 2 > sum(reports) AS is_most
  FROM days JOIN delivered USING (delivery_no)
  WHERE last_day IS NOT NULL
  GROUP BY delivery_no
)
SELECT
  delivery_no,
  max(CASE WHEN coalesce(is_most, false) THEN day ELSE coalesce(last_day, day) END)
    OVER (PARTITION BY source ORDER BY delivery_no) AS clock
FROM delivered
LEFT JOIN reached USING (delivery_no)
LEFT JOIN outside USING (delivery_no)
