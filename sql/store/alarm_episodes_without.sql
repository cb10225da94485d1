-- Alarms but for those of rare regions, with the notes as they are now.
SELECT episodes.* REPLACE (coalesce(new_words.after, episodes.note) AS note)
FROM calfwatch.alarm_episodes AS episodes LEFT JOIN new_words ON new_words.before = episodes.note
WHERE coalesce(regexp_extract(series, '^region=([^,]*)', 1) NOT IN (SELECT region FROM rare_regions), true)
