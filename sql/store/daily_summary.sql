-- Counts per day and every dimension of the changed records; sign is -1 for a record that was taken out.
-- Grouped by the codes packed into one number: the words are for the few groups, not for every record. What is unknown
-- has one code here, whether it was left blank or said, so that no two groups get the same words.
WITH packed AS (
  SELECT
    report_date, source, coalesce(region, 'unknown') AS region,
    age_band::UINTEGER | (CASE WHEN sex = ${sex_unknown} THEN 0 ELSE sex END::UINTEGER << 4)
      | (triage_level::UINTEGER << 8) | (triage_ceiling::UINTEGER << 12) | (likely_cause::UINTEGER << 16) AS codes,
    sum(sign) AS reports,
    sum(CASE WHEN pain_score >= ${severe} THEN sign ELSE 0 END) AS severe_pain,
    sum(CASE WHEN cause_certainty = ${close} THEN sign ELSE 0 END) AS close_causes,
    sum(CASE WHEN triage_level = ${self_care} AND (evidence_true & ${serious}) <> 0 THEN sign ELSE 0 END) AS serious_signs
  FROM changes
  GROUP BY ALL
)
SELECT
  report_date, source, region,
  coalesce((${age_bands})[codes & 15], 'unknown') AS age_band,
  coalesce((${sexes})[(codes >> 4) & 15], 'unknown') AS sex,
  (${levels})[((codes >> 8) & 15) + 1] AS triage_level,
  (${levels})[((codes >> 12) & 15) + 1] AS triage_ceiling,
  (${categories})[(codes >> 16) + 1] AS cause_category,
  (${causes})[(codes >> 16) + 1] AS likely_cause,
  reports,
  severe_pain,
  close_causes,
  serious_signs
FROM packed
