-- How many accepted rows of each delivery equal a stored record, without those of reports that other files of the
-- group name, too; unknown equals unknown.
SELECT incoming.delivery_no, count(*)
FROM incoming
JOIN stored_matches AS stored USING (report_id)
WHERE (incoming.delivery_no::BIGINT << 32) + incoming.line_number NOT IN (
    SELECT (delivery_no::BIGINT << 32) + line_number FROM rows_left_out
  )
  AND hash(report_id) NOT IN (FROM crossing)
  AND (
    incoming.reported_at, incoming.region, incoming.age_band, incoming.sex,
    incoming.pain_score, incoming.duration_days, incoming.answered, incoming.yes, incoming.stated_date${own_incoming}
  ) IS NOT DISTINCT FROM (
    stored.reported_at, stored.region, stored.age_band, stored.sex,
    stored.pain_score, stored.duration_days, stored.answered, stored.yes, stored.stated_date${own_stored}
  )
GROUP BY ALL
