-- One row: what the last complete week says, as the first screen of its report does. No row where no week is complete.
WITH latest AS (
  SELECT week, any_value(week_start) AS week_start, sum(reports)::BIGINT AS reports,
    coalesce(sum(reports) FILTER (WHERE triage_level = 'emergency'), 0)::BIGINT AS emergencies
  FROM weekly_triage
  WHERE week = (SELECT latest_week FROM about)
  GROUP BY week
), signals AS (
  SELECT series, min(rank) AS rank, bool_or(status = 'alarm') AS is_raised, bool_or(status <> 'not_evaluable') AS is_judged
  FROM weekly_signals JOIN latest USING (week_start)
  GROUP BY series
), episodes AS (
  -- a closed alarm is new again in the week in which it has risen
  SELECT series, state, first_start = week_start OR (state = 'new' AND last_start = week_start) AS begins,
    last_start >= week_start AS is_now
  FROM alarm_episodes JOIN latest ON first_start <= week_start
), raised AS (
  SELECT series, rank, coalesce(begins, true) AS begins, coalesce(state, '') = 'closed' AS is_closed
  FROM signals LEFT JOIN (FROM episodes WHERE is_now) USING (series)
  WHERE is_raised
), open_ones AS (
  SELECT series FROM raised WHERE NOT begins AND NOT is_closed
  UNION
  SELECT series FROM episodes ANTI JOIN raised USING (series) WHERE state NOT IN ('closed', 'over')
)
SELECT
  week, reports, emergencies,
  (SELECT count(*) FROM signals WHERE is_judged)::BIGINT AS judged,
  coalesce((SELECT list(series ORDER BY rank, series) FROM raised WHERE begins AND NOT is_closed), []) AS new,
  coalesce((SELECT list(series ORDER BY series) FROM open_ones), []) AS going_on,
  coalesce((
    SELECT list(DISTINCT series ORDER BY series) FROM daily_signals
    WHERE is_first AND daily_signals.week_start > latest.week_start
  ), []) AS early,
  expected_final, lower, upper, left_out
FROM latest LEFT JOIN (
  SELECT week, expected_final, lower, upper, left_out FROM weekly_nowcast WHERE series = 'all' AND is_latest
) USING (week)
