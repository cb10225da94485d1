-- The audit trail without the ids of erased reports, which a note on an alarm may name, and without rare regions.
SELECT audit.* REPLACE (coalesce(subjects.after, subject) AS subject, coalesce(details.after, detail) AS detail)
FROM calfwatch.audit AS audit
LEFT JOIN new_words AS subjects ON subjects.before = subject
LEFT JOIN new_words AS details ON details.before = detail
ORDER BY happened_at
