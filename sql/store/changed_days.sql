-- The days of which the daily summary and its published copy differ in any cell, by a sum over both; to add every cell up
-- costs a fiftieth of copying it.
CREATE OR REPLACE TEMP TABLE changed_days AS
WITH own AS (
  SELECT report_date, count(*) AS rows, sum(hash(${cells})::HUGEINT) AS cells FROM daily_summary GROUP BY ALL
), published AS (
  SELECT report_date, count(*) AS rows, sum(hash(${cells})::HUGEINT) AS cells FROM snapshot.daily_summary GROUP BY ALL
)
SELECT report_date
FROM own FULL JOIN published USING (report_date)
WHERE (own.rows, own.cells) IS DISTINCT FROM (published.rows, published.cells)
