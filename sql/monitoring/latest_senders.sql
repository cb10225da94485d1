-- What each sender sent for the latest week that is over. has_arrived: it sent nothing in the eight weeks before, in which
-- others did. $now is the moment.
WITH latest AS (
  SELECT max(week_start) AS week_start FROM weekly_sources
  WHERE week_start + 7 <= ($now AT TIME ZONE (SELECT value FROM state WHERE key = 'time_zone'))::DATE
), before AS (
  SELECT DISTINCT source FROM weekly_sources, latest
  WHERE reports > 0 AND weekly_sources.week_start < latest.week_start AND weekly_sources.week_start >= latest.week_start - 56
)
SELECT
  week, source, state, reports, usual, joined,
  reports > 0 AND source NOT IN (SELECT source FROM before) AND EXISTS (FROM before) AS has_arrived
FROM weekly_sources JOIN latest USING (week_start)
ORDER BY source
