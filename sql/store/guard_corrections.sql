-- One row a delivery that replaces records: how many it moves to another day, and so on, as GuardCounts says.
WITH corrections AS (
  SELECT
    replaced_by,
    ${old_day} <> fresh.day AS is_moved,
    {${old_content}} IS DISTINCT FROM fresh.content AS has_other_answers,
    replaced.triage_level = ${emergency} AND fresh.triage_level < ${emergency} AS is_lowered,
    ${lost} AS is_lost
  FROM replaced
  JOIN (
    SELECT delivery_no, report_id, triage_level, ${day} AS day, {${content}} AS content
    FROM records
    WHERE delivery_no BETWEEN $first AND $last
  ) AS fresh
    ON fresh.delivery_no = replaced.replaced_by AND fresh.report_id = replaced.report_id
)
SELECT
  replaced_by AS delivery_no,
  count(*) FILTER (is_moved) AS moved,
  count(*) FILTER (is_moved AND has_other_answers) AS exchanged,
  count(*) FILTER (is_lowered) AS lowered,
  count(*) FILTER (is_lost) AS lost
FROM corrections
GROUP BY ALL
