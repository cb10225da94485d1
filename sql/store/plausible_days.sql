-- One row per source and day that deliveries brought reports of, and whether that day is one of the source's time.
-- Days with more than 13 weeks between them part a source's rows into groups. A group of at most 2 rows or 1 % of the
-- rows is implausible (a date typed wrong), if the largest group is another one and most rows are plausible: a sender
-- with a report now and then has such gaps by nature.
WITH brought AS (
  SELECT source, report_date, sum(reports) AS reports
  FROM delivery_days JOIN files USING (delivery_no)
  WHERE status = 'accepted'
  GROUP BY ALL
), breaks AS (
  SELECT
    *,
    (report_date - lag(report_date) OVER (PARTITION BY source ORDER BY report_date) > 7 * 13)::INTEGER AS begins
  FROM brought
), numbered AS (
  SELECT *, sum(coalesce(begins, 0)) OVER (PARTITION BY source ORDER BY report_date) AS part FROM breaks
), sums AS (
  SELECT
    *,
    sum(reports) OVER (PARTITION BY source, part) AS in_part,
    sum(reports) OVER (PARTITION BY source) AS in_all
  FROM numbered
), largest AS (
  SELECT source, max(in_part) AS in_part FROM sums GROUP BY source
), judged AS (
  SELECT sums.*, sums.in_part <= greatest(2, sums.in_all * 0.01) AND sums.in_part < largest.in_part AS is_small
  FROM sums JOIN largest USING (source)
), shares AS (
  SELECT source, coalesce(sum(reports) FILTER (is_small), 0) * 2 < sum(reports) AS has_most FROM judged GROUP BY source
)
SELECT source, report_date, reports, NOT (is_small AND has_most) AS is_plausible
FROM judged JOIN shares USING (source)
