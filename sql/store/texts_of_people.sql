-- What people wrote about alarms and weeks, and the audit trail, which quotes it.
SELECT text FROM alarm_notes WHERE text IS NOT NULL
UNION
SELECT note FROM alarm_episodes WHERE note IS NOT NULL
UNION
SELECT detail FROM audit WHERE detail IS NOT NULL
UNION
SELECT subject FROM audit WHERE subject IS NOT NULL
UNION
SELECT text FROM assessments WHERE text IS NOT NULL
