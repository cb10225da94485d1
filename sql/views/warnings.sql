-- One row per file, column, kind and value of what was taken with a word of caution.
-- Days are judged by all that the source has sent so far (plausible_days); a file lacks a column if the source's last
-- accepted file before it had it.
WITH accepted AS (
  SELECT
    file_id, delivery_no, source, columns, rows_read,
    lag(columns) OVER (PARTITION BY source ORDER BY delivery_no) AS columns_before
  FROM files
  WHERE status = 'accepted'
), cells AS (
  SELECT delivery_no, line_number, column_name, kind, value FROM warned_cells
  UNION ALL
  SELECT delivery_no, line_number, 'reported_at', 'implausible_day', NULL
  FROM records JOIN (${plausible_days}) AS days ON records.source = days.source AND ${day} = days.report_date
  WHERE NOT is_plausible
), lines AS (
  SELECT
    delivery_no, column_name, kind, value,
    count(DISTINCT line_number) AS rows,
    list_slice(list(DISTINCT line_number ORDER BY line_number), 1, 5) AS first_lines
  FROM cells
  GROUP BY ALL
  UNION ALL
  SELECT
    delivery_no,
    unnest(list_filter(columns_before, lambda name: NOT list_contains(columns, name))) AS column_name,
    'missing_column', NULL, rows_read, NULL
  FROM accepted
)
SELECT file_id, delivery_no, source, column_name, kind, value, rows, first_lines
FROM lines JOIN accepted USING (delivery_no)
