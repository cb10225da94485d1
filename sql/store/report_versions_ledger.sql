-- One row a delivery of which the counts change: records it now brings, and records it now replaces, more than before.
WITH before AS (
  SELECT delivery_no, count(*) AS brought FROM stored_versions GROUP BY ALL
), now_kept AS (
  SELECT delivery_no, count(*) AS brought FROM versions WHERE kept GROUP BY ALL
), replacing_before AS (
  SELECT files.delivery_no, count(*) AS replaced
  FROM superseded JOIN files ON files.file_id = superseded.superseded_by AND files.source = superseded.source
  WHERE superseded.source = $source AND report_id IN (SELECT report_id FROM named)
  GROUP BY ALL
), replacing_now AS (
  SELECT replaced_by AS delivery_no, count(*) AS replaced FROM versions WHERE kept AND replaced_by IS NOT NULL GROUP BY ALL
)
SELECT
  delivery_no,
  coalesce(now_kept.brought, 0) - coalesce(before.brought, 0) AS brought,
  coalesce(replacing_now.replaced, 0) - coalesce(replacing_before.replaced, 0) AS replaced
FROM before
FULL JOIN now_kept USING (delivery_no)
FULL JOIN replacing_before USING (delivery_no)
FULL JOIN replacing_now USING (delivery_no)
WHERE delivery_no <> $withdrawn
