-- One row a version of a report that the withdrawn file named, without that file's own: what is stored, what was
-- superseded, and what later files repeated; `kept` where it differs from the version before it.
CREATE OR REPLACE TEMP TABLE versions AS
WITH stored AS (
  SELECT 'record' AS place, * FROM stored_versions
  UNION ALL
  SELECT 'repeated' AS place, * FROM repeated
  WHERE (delivery_no, report_id) NOT IN (SELECT (delivery_no, report_id) FROM stored_versions)
), placed AS (
  SELECT *, {${content}} AS said FROM stored
), compared AS (
  SELECT *, lag(said) OVER earlier IS DISTINCT FROM said OR row_number() OVER earlier = 1 AS kept
  FROM placed
  WINDOW earlier AS (PARTITION BY report_id ORDER BY delivery_no)
)
SELECT
  * EXCLUDE (said),
  lead(delivery_no) OVER (PARTITION BY report_id, kept ORDER BY delivery_no) AS replaced_by,
  min(delivery_no) OVER (PARTITION BY report_id) AS first_delivery_no
FROM compared
