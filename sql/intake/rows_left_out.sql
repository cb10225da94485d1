-- Rows of one file that share a report_id with another of its rows: `duplicate` for every one but the first
-- where all are alike, `conflict` for every one where they differ.
SELECT
  candidates.line_number,
  candidates.report_id,
  candidates.accepted,
  CASE WHEN alike.same THEN 'duplicate' ELSE 'conflict' END AS kind
FROM candidates JOIN alike USING (report_id)
WHERE NOT alike.same OR candidates.line_number > alike.first_line
ORDER BY candidates.line_number
