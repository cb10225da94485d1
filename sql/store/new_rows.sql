-- The accepted rows without those left out (in-file duplicates and conflicts) and those that say nothing new: they
-- equal, after typing, the stored record of the same source, or the version before in another file of the group.
-- NOT IN and NOT EXISTS: an anti join might build its table of the incoming rows, of which it does not know how many.
SELECT *
FROM incoming
WHERE (delivery_no::BIGINT << 32) + line_number NOT IN (
    SELECT (delivery_no::BIGINT << 32) + line_number FROM rows_left_out
  )
  AND (delivery_no::BIGINT << 32) + line_number NOT IN (
    SELECT (delivery_no::BIGINT << 32) + line_number FROM contested WHERE NOT kept
  )
  AND NOT EXISTS (
    FROM stored_matches AS stored
    WHERE stored.report_id = incoming.report_id
      AND stored.reported_at = incoming.reported_at
      AND stored.stated_date IS NOT DISTINCT FROM incoming.stated_date
      AND stored.region IS NOT DISTINCT FROM incoming.region
      AND stored.age_band = incoming.age_band
      AND stored.sex = incoming.sex
      AND stored.pain_score IS NOT DISTINCT FROM incoming.pain_score
      AND stored.duration_days IS NOT DISTINCT FROM incoming.duration_days
      AND stored.answered = incoming.answered
      AND stored.yes = incoming.yes${own_same}
      AND hash(stored.report_id) NOT IN (FROM crossing)
  )
