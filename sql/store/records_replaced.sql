-- Records that the group's files replace, each with the delivery that does: stored ones that a file named again with
-- other content, and versions of a file of the group that a later one of it replaces.
CREATE OR REPLACE TEMP TABLE replaced AS
WITH fresh AS (
  FROM records WHERE delivery_no BETWEEN $first AND $last
), firsts AS (
  SELECT report_id, min(delivery_no) AS replaced_by
  FROM fresh SEMI JOIN stored_matches USING (report_id)
  GROUP BY report_id
), followed AS (
  SELECT *, lead(delivery_no) OVER (PARTITION BY report_id ORDER BY delivery_no) AS replaced_by
  FROM (FROM fresh WHERE hash(report_id) IN (FROM crossing))
)
SELECT stored_matches.*, firsts.replaced_by FROM stored_matches JOIN firsts USING (report_id)
UNION ALL BY NAME
SELECT * FROM followed WHERE replaced_by IS NOT NULL
