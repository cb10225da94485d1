-- Regions that no record names any more once `gone` is erased, and that the counts name at most so many times: such a
-- place can tell of one person. Their counts become those of `unknown`.
SELECT region
FROM daily_summary
WHERE region <> 'unknown'
  AND region IN (
    SELECT region FROM gone
    UNION ALL
    SELECT region FROM gone_versions
  )
  AND region NOT IN (
    SELECT region FROM records ANTI JOIN going USING (source, report_id) WHERE region IS NOT NULL
    UNION ALL
    SELECT region FROM superseded ANTI JOIN going USING (source, report_id) WHERE region IS NOT NULL
  )
GROUP BY region
HAVING sum(reports) <= $few
