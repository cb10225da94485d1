-- Per day, source and field: changed records, those with an answer, those that say yes, those that lack an answer they
-- need, and of these the unresolved ones that lack no other.
WITH names AS (
  SELECT unnest(${fields}) AS field, unnest(range(len(${fields}))) AS place
), sums AS (
  SELECT
    report_date, source, field,
    sum(reports) AS reports, sum(answered) AS answered, sum(missing) AS missing, sum(unresolved) AS unresolved,
    sum(yes) AS yes
  FROM (
    SELECT
      report_date, source, unnest(${fields}) AS field,
      sign * reports AS reports,
      sign * unnest(answered) AS answered,
      sign * unnest(missing) AS missing,
      sign * unnest(unresolved) AS unresolved,
      sign * unnest(yes) AS yes
    FROM day_sums
  )
  GROUP BY ALL
), alone AS (
  -- a mask of one bit is that bit's value
  SELECT report_date, source, field, sum(sign) AS settles
  FROM changes JOIN names ON changes.missing = (1::BIGINT << names.place)
  WHERE triage_level = ${unresolved}
  GROUP BY ALL
)
SELECT sums.*, coalesce(alone.settles, 0) AS settles
FROM sums LEFT JOIN alone USING (report_date, source, field)
