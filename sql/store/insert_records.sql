-- The new rows of a group's files, tagged. A correction keeps the first delivery's number, and so does a report that a
-- whole list took out and a later one brings back: it is no late report.
INSERT INTO records BY NAME
SELECT
  $source AS source, report_id, reported_at, region, age_band, sex, pain_score, duration_days, answered, yes,
  triage_level, triage_ceiling, rules_true, missing, likely_cause, cause_certainty, evidence_true,
  delivery_no, line_number${own},
  coalesce(
    (SELECT any_value(stored.first_delivery_no) FROM stored_matches AS stored WHERE stored.report_id = tagged.report_id),
    (
      SELECT min(old.first_delivery_no) FROM superseded AS old
      WHERE old.source = $source AND old.report_id = tagged.report_id
    ),
    (SELECT min(contested.delivery_no) FROM contested WHERE contested.report_id = tagged.report_id),
    delivery_no
  ) AS first_delivery_no,
  stated_date
FROM (${tagged}) AS tagged
