-- One row per report of a file that lists the symptoms in one cell, as in "redness; fever"
-- requires: report_id, reported_at, symptoms
-- optional: region, age_band, sex, pain_score, duration_days
--
-- What a cell of `symptoms` says
--   redness; fever   these two are yes. What is not listed is no or unknown as the source's setting `unlisted` says: no only
--                    where the sender asks all of the symptoms every time. Any other setting is read as unknown.
--   none             nothing applies: every symptom is treated as not listed.
--   (blank)          the question was not answered: every symptom is unknown, whatever `unlisted` says. Blank is never no.
-- Names are those of the symptom fields, in any case, with or without spaces around them; an empty item ("fever;") is
-- skipped and a repeated one counts once. A word that is no symptom name must not vanish, for it may be the one that
-- matters, and `none` beside a symptom contradicts itself: adapter_error sends such a row to quarantine.
WITH items AS (
  SELECT
    *,
    list_distinct(list_filter(
      list_transform(string_split(lower(symptoms), ';'), lambda item: trim(item)),
      lambda item: item <> ''
    )) AS listed
  FROM raw
),

answered AS (
  SELECT
    *,
    -- the answer for a symptom that is not listed
    CASE WHEN len(listed) > 0 AND lower(trim(unlisted)) = 'no' THEN 'no' END AS otherwise,
    list_sort(list_filter(listed, lambda item: item NOT IN (
      'none',
      'cannot_bear_weight', 'redness', 'calf_swelling', 'leg_swelling', 'warmth', 'fever', 'shortness_of_breath', 'tenderness',
      'streaks', 'lump', 'cooler_leg', 'paler_leg', 'pain_after_exertion', 'sensation_loss', 'pain_after_sitting',
      'pop_at_onset', 'worse_despite_self_care', 'not_improving', 'cramping', 'dehydration', 'skin_break', 'direct_blow',
      'overuse', 'visible_veins'
    ))) AS strangers
  FROM items
)

SELECT
  line_number,
  report_id,
  reported_at,
  region,
  age_band,
  sex,
  pain_score,
  duration_days,
  if(list_contains(listed, 'cannot_bear_weight'), 'yes', otherwise) AS cannot_bear_weight,
  if(list_contains(listed, 'redness'), 'yes', otherwise) AS redness,
  if(list_contains(listed, 'calf_swelling'), 'yes', otherwise) AS calf_swelling,
  if(list_contains(listed, 'leg_swelling'), 'yes', otherwise) AS leg_swelling,
  if(list_contains(listed, 'warmth'), 'yes', otherwise) AS warmth,
  if(list_contains(listed, 'fever'), 'yes', otherwise) AS fever,
  if(list_contains(listed, 'shortness_of_breath'), 'yes', otherwise) AS shortness_of_breath,
  if(list_contains(listed, 'tenderness'), 'yes', otherwise) AS tenderness,
  if(list_contains(listed, 'streaks'), 'yes', otherwise) AS streaks,
  if(list_contains(listed, 'lump'), 'yes', otherwise) AS lump,
  if(list_contains(listed, 'cooler_leg'), 'yes', otherwise) AS cooler_leg,
  if(list_contains(listed, 'paler_leg'), 'yes', otherwise) AS paler_leg,
  if(list_contains(listed, 'pain_after_exertion'), 'yes', otherwise) AS pain_after_exertion,
  if(list_contains(listed, 'sensation_loss'), 'yes', otherwise) AS sensation_loss,
  if(list_contains(listed, 'pain_after_sitting'), 'yes', otherwise) AS pain_after_sitting,
  if(list_contains(listed, 'pop_at_onset'), 'yes', otherwise) AS pop_at_onset,
  if(list_contains(listed, 'worse_despite_self_care'), 'yes', otherwise) AS worse_despite_self_care,
  if(list_contains(listed, 'not_improving'), 'yes', otherwise) AS not_improving,
  if(list_contains(listed, 'cramping'), 'yes', otherwise) AS cramping,
  if(list_contains(listed, 'dehydration'), 'yes', otherwise) AS dehydration,
  if(list_contains(listed, 'skin_break'), 'yes', otherwise) AS skin_break,
  if(list_contains(listed, 'direct_blow'), 'yes', otherwise) AS direct_blow,
  if(list_contains(listed, 'overuse'), 'yes', otherwise) AS overuse,
  if(list_contains(listed, 'visible_veins'), 'yes', otherwise) AS visible_veins,
  CASE
    WHEN len(strangers) > 0
      THEN 'symptoms: no such symptom: ' || left(array_to_string(strangers, '; '), 80)
        || ' (allowed: names of symptom fields separated by ; or the one word none)'
    WHEN list_contains(listed, 'none') AND len(listed) > 1
      THEN 'symptoms: none stands beside other names (allowed: names of symptom fields, or none alone)'
  END AS adapter_error
FROM answered
