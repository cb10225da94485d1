-- How many accepted rows of the delivery equal a stored record; unknown equals unknown.
SELECT count(*)
FROM incoming
JOIN stored_matches AS stored USING (report_id)
WHERE incoming.line_number NOT IN (SELECT line_number FROM rows_left_out)
  AND (
    incoming.reported_at, incoming.region, incoming.age_band, incoming.sex,
    incoming.pain_score, incoming.duration_days, incoming.answered, incoming.yes, incoming.stated_date${own_incoming}
  ) IS NOT DISTINCT FROM (
    stored.reported_at, stored.region, stored.age_band, stored.sex,
    stored.pain_score, stored.duration_days, stored.answered, stored.yes, stored.stated_date${own_stored}
  )
