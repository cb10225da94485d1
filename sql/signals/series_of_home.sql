-- One row per series that is counted here, whether anything is in it or not.
WITH regions AS (
  SELECT DISTINCT region FROM daily_summary
)
SELECT 'all' AS series
UNION ALL SELECT 'triage_level=' || unnest(['emergency', 'contact_doctor', 'unresolved', 'self_care'])
UNION ALL SELECT DISTINCT 'cause_category=' || cause_category FROM causes
UNION ALL SELECT 'likely_cause=' || likely_cause FROM causes
UNION ALL SELECT 'region=' || region FROM regions
UNION ALL SELECT 'region=' || region || ',triage_level=emergency' FROM regions
ORDER BY 1
