-- The new rows of a group's files, tagged.
INSERT INTO records BY NAME
SELECT
  $source AS source, report_id, reported_at, region, age_band, sex, pain_score, duration_days, answered, yes,
  triage_level, triage_ceiling, rules_true, missing, likely_cause, cause_certainty, evidence_true,
  delivery_no, line_number${own},
  ${first_delivery} AS first_delivery_no,
  stated_date
FROM (${tagged}) AS tagged
