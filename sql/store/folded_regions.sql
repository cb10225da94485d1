-- Counts of days in which the rare regions are `unknown`.
SELECT
  * EXCLUDE (reports, severe_pain, close_causes, serious_signs)
    REPLACE (CASE WHEN region IN (SELECT region FROM rare_regions) THEN 'unknown' ELSE region END AS region),
  ${sums}
FROM ${relation}
GROUP BY ALL
ORDER BY ALL
