-- One row: the smallest group of records alike in region, age band, sex and week; groups and records below k.
-- An unknown region, age band or sex is a value like any other: whoever looks for a person sees it as it is.
WITH groups AS (
  SELECT week, region, age_band, sex, sum(reports) AS records
  FROM daily_summary JOIN calendar USING (report_date)
  GROUP BY ALL
)
SELECT
  min(records)::BIGINT,
  count(*) FILTER (records < $k),
  coalesce(sum(records) FILTER (records < $k), 0)::BIGINT,
  sum(records)::BIGINT
FROM groups
