-- One row per report of a file that lists the symptoms in one cell, as in "redness; fever"
-- requires: report_id, reported_at, symptoms
-- optional: region, age_band, sex, pain_score, duration_days
--
-- What a cell of `symptoms` says
--   redness; fever   these two are yes. What is not listed is no or unknown as the source's setting `unlisted` says: no only
--                    where the sender asks all of the symptoms every time. Any other setting is read as unknown.
--   none             nothing applies: every symptom is treated as not listed.
--   (blank), NA, unknown   the question was not answered: every symptom is unknown, whatever `unlisted` says.
-- Items are separated by the setting `separator` (default ;), by ; or | or, if what stands between them is no word of its own, by a comma. A word is the name of a
-- symptom field, its label or one of the rule pack's synonyms, in any case, with spaces, hyphens or underscores, and
-- apostrophes of any shape: the table `words` (word, field) has them all. Nothing is guessed: any other word ("no fever", "fever?", "all") is reported in
-- adapter_warning, one line each, and then what is not listed is unknown; so it is where `none` stands beside a symptom.
WITH parts AS (
  SELECT line_number, unnest(string_split_regex(replace(written, lower(separator), ';'), '[;|]')) AS part
  -- telephones and word processors bend apostrophes
  FROM (SELECT line_number, separator, regexp_replace(lower(coalesce(symptoms, '')), '[\x{2018}\x{2019}\x{2BC}\x{B4}`]', '''', 'g') AS written FROM raw)
),

split_parts AS (
  -- a label may hold a comma itself
  SELECT
    line_number,
    unnest(if(
      trim(regexp_replace(part, '[-\x{2010}-\x{2013}_\s]+', ' ', 'g')) IN (SELECT word FROM words), [part], string_split(part, ',')
    )) AS item
  FROM parts
),

items AS (
  SELECT
    line_number, trim(item) AS written,
    trim(regexp_replace(trim(trim(item), '"'), '[-\x{2010}-\x{2013}_\s]+', ' ', 'g')) AS said
  FROM split_parts
),

read AS (
  SELECT
    line_number,
    list_distinct(list(field ORDER BY field)) AS listed,
    count(*) FILTER (said <> '') > 0 AS answered,
    bool_or(said = 'none') AS none,
    bool_or(said IN ('na', 'unknown')) AS unanswered,
    list(DISTINCT written ORDER BY written) FILTER (field IS NULL AND said NOT IN ('', 'none', 'na', 'unknown')) AS strangers
  FROM items LEFT JOIN words ON words.word = items.said
  GROUP BY line_number
),

told AS (
  SELECT
    *,
    CASE
      WHEN len(strangers) > 0
        THEN array_to_string(list_transform(strangers, lambda word: 'symptoms: not_understood: ' || word), chr(10))
      WHEN none AND len(listed) > 0 THEN 'symptoms: none_beside_others'
    END AS adapter_warning
  FROM read
),

known AS (
  SELECT
    raw.*, coalesce(listed, []) AS listed, adapter_warning,
    -- the answer for a symptom that is not listed
    CASE
      WHEN answered AND NOT unanswered AND adapter_warning IS NULL AND lower(trim(unlisted)) = 'no' THEN 'no'
    END AS otherwise
  FROM raw LEFT JOIN told USING (line_number)
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
  adapter_warning
FROM known
