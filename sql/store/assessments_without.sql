-- Assessments without the ids of erased reports, and without rare regions.
SELECT notes.* REPLACE (coalesce(new_words.after, notes.text) AS text)
FROM calfwatch.assessments AS notes LEFT JOIN new_words ON new_words.before = notes.text
