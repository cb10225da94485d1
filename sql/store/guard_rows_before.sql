-- One row: the rows, and the moved ones, of a sender's files whose last report is later than a moment.
SELECT coalesce(sum(rows_read), 0)::BIGINT AS rows_before, coalesce(sum(rows_moved), 0)::BIGINT AS moved_before
FROM files
WHERE source = $source AND status = 'accepted' AND last_report > $since::TIMESTAMPTZ
