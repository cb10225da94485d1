-- Per day, source and field: changed records, those with an answer, those that lack one they need.
SELECT
  report_date, source, field,
  sum(reports) AS reports, sum(answered) AS answered, sum(missing) AS missing, sum(unresolved) AS unresolved
FROM (
  SELECT
    report_date, source, unnest(${fields}) AS field,
    sign * reports AS reports,
    sign * unnest(answered) AS answered,
    sign * unnest(missing) AS missing,
    sign * unnest(unresolved) AS unresolved
  FROM day_sums
)
GROUP BY ALL
