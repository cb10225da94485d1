-- Notes on alarms without the ids of erased reports, and without rare regions.
SELECT
  notes.* REPLACE (
    CASE WHEN regexp_extract(series, '^region=([^,]*)', 1) IN (SELECT region FROM rare_regions)
      THEN regexp_replace(series, '^region=[^,]*', 'region=unknown') ELSE series END AS series,
    coalesce(new_words.after, notes.text) AS text
  )
FROM calfwatch.alarm_notes AS notes LEFT JOIN new_words ON new_words.before = notes.text
