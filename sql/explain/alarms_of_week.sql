-- The series that alarm in a week, the strongest first.
SELECT series
FROM weekly_signals
WHERE week = $week AND status = 'alarm' AND upper IS NOT NULL
GROUP BY series
ORDER BY min(rank) NULLS LAST, series
LIMIT $most
