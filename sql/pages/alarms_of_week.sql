-- The series that alarm in a week: new ones first, which a closed one that has risen is again, then those that go on, then
-- closed ones; the strongest of each first.
WITH raised AS (
  SELECT series, any_value(week_start) AS week_start, min(rank) AS rank
  FROM weekly_signals
  WHERE week = $week AND status = 'alarm' AND upper IS NOT NULL
  GROUP BY series
)
SELECT raised.series
FROM raised LEFT JOIN alarm_episodes AS episode
  ON episode.series = raised.series AND week_start BETWEEN first_start AND last_start
ORDER BY
  coalesce(state, '') = 'closed',
  coalesce(first_start < week_start AND NOT (state = 'new' AND last_start = week_start), false),
  rank NULLS LAST, raised.series
LIMIT $most
