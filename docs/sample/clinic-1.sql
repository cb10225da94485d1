-- One row per call of clinic 1; the first adapter of `calfwatch inspect --adapter`, with its open points settled
-- requires: case_id, seen
-- optional: district, age, sex, cannot_bear_weight, redness, calf_swelling,
--   warmth, fever
-- ignores: comment
-- dates: seen
-- ids: case_id
--
SELECT
  line_number,
  "case_id" AS report_id,
  coalesce(strftime(try_strptime("seen", '%-d/%-m/%Y'), '%Y-%m-%d'), "seen") AS reported_at,
  CASE "district" WHEN 'North Side' THEN 'north' WHEN 'Old Town' THEN 'old_town' WHEN 'Harbour' THEN 'harbour' ELSE "district" END AS region,
  CASE
    WHEN try_cast("age" AS DOUBLE) < 0 OR try_cast("age" AS DOUBLE) > 130 THEN "age"
    WHEN try_cast("age" AS DOUBLE) < 18 THEN '0-17'
    WHEN try_cast("age" AS DOUBLE) < 30 THEN '18-29'
    WHEN try_cast("age" AS DOUBLE) < 45 THEN '30-44'
    WHEN try_cast("age" AS DOUBLE) < 60 THEN '45-59'
    WHEN try_cast("age" AS DOUBLE) < 75 THEN '60-74'
    WHEN try_cast("age" AS DOUBLE) >= 75 THEN '75+'
    ELSE "age"
  END AS age_band,
  CASE lower("sex") WHEN 'f' THEN 'female' WHEN 'm' THEN 'male' ELSE lower("sex") END AS sex,
  nullif("cannot_bear_weight", 'not asked') AS cannot_bear_weight,
  nullif("redness", 'not asked') AS redness,
  nullif("calf_swelling", 'not asked') AS calf_swelling,
  nullif("warmth", 'not asked') AS warmth,
  nullif("fever", 'not asked') AS fever
FROM raw
