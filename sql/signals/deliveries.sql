-- One row per accepted delivery: its sender, clock and period, and whether it had any data row.
SELECT source, delivery_no, clock, period, rows_read > 0 AS has_rows
FROM files
WHERE status = 'accepted'
ORDER BY source, delivery_no
