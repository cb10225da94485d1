-- The names of the series that records of one level, category, cause and region count in; NULL is no series.
-- A part of weekly_series and weekly_revisions, which must name them alike.
[
  'all', 'triage_level=' || triage_level, 'cause_category=' || cause_category, 'likely_cause=' || likely_cause,
  'region=' || region, CASE triage_level WHEN 'emergency' THEN 'region=' || region || ',triage_level=emergency' END
]
