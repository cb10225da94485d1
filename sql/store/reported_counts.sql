-- One row per series of a report's week, from the snapshot that it is made of.
SELECT DISTINCT week, week_start, series, reports
FROM weekly_signals
WHERE week = ${week}
ORDER BY series
