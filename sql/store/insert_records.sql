-- The accepted rows of one delivery, tagged, without those left out (in-file duplicates and conflicts) and
-- those equal, after typing, to a stored record of the same source. A correction keeps the first delivery's number, and
-- so does a report that a whole list took out and a later one brings back: it is no late report.
INSERT INTO records BY NAME
SELECT
  $source AS source, report_id, reported_at, region, age_band, sex, pain_score, duration_days, answered, yes,
  triage_level, triage_ceiling, rules_true, missing, likely_cause, cause_certainty, evidence_true,
  $delivery_no AS delivery_no, line_number${own},
  coalesce(
    (SELECT any_value(stored.first_delivery_no) FROM stored_matches AS stored WHERE stored.report_id = tagged.report_id),
    (
      SELECT min(old.first_delivery_no) FROM superseded AS old
      WHERE old.source = $source AND old.report_id = tagged.report_id
    ),
    $delivery_no
  ) AS first_delivery_no,
  stated_date
FROM (${tagged}) AS tagged
WHERE line_number NOT IN (SELECT line_number FROM rows_left_out)
  AND NOT EXISTS (
    FROM stored_matches AS stored
    WHERE stored.report_id = tagged.report_id
      AND stored.reported_at = tagged.reported_at
      AND stored.stated_date IS NOT DISTINCT FROM tagged.stated_date
      AND stored.region IS NOT DISTINCT FROM tagged.region
      AND stored.age_band = tagged.age_band
      AND stored.sex = tagged.sex
      AND stored.pain_score IS NOT DISTINCT FROM tagged.pain_score
      AND stored.duration_days IS NOT DISTINCT FROM tagged.duration_days
      AND stored.answered = tagged.answered
      AND stored.yes = tagged.yes${own_same}
  )
