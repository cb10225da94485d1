-- What each sender sent for the latest week that is over. has_arrived: for the eight weeks before, in which others reported,
-- it sent less than a tenth of that in all, as late rows of its first delivery are. $now is the moment.
WITH latest AS (
  SELECT max(week_start) AS week_start FROM weekly_sources
  WHERE week_start + 7 <= ($now AT TIME ZONE (SELECT value FROM state WHERE key = 'time_zone'))::DATE
), before AS (
  SELECT source, sum(reports) AS reports FROM weekly_sources, latest
  WHERE weekly_sources.week_start < latest.week_start AND weekly_sources.week_start >= latest.week_start - 56
  GROUP BY source
)
SELECT
  week, source, state, now.reports, usual, joined,
  10 * coalesce(before.reports, 0) < now.reports AND EXISTS (
    FROM before AS other WHERE other.source <> now.source AND other.reports > 0
  ) AS has_arrived
FROM weekly_sources AS now JOIN latest USING (week_start) LEFT JOIN before USING (source)
ORDER BY source
