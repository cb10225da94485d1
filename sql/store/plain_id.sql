-- A report id without what spreadsheets and data frames do to it: .0 and leading zeros dropped, digits after the 15th
-- zeroed, and 12-1 the same as 1-Dec. The two texts of a date have one form, 1-dec.
CASE
  WHEN regexp_matches(report_id, '^(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])$') THEN
    ltrim(split_part(report_id, '-', 2), '0') || '-'
    || ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'][
      split_part(report_id, '-', 1)::INTEGER
    ]
  WHEN regexp_matches(report_id, '^[0-9]{16,}([.]0+)?$') THEN
    regexp_replace(
      left(ltrim(split_part(report_id, '.', 1), '0'), 15)
        || repeat('0', greatest(length(ltrim(split_part(report_id, '.', 1), '0')) - 15, 0)),
      '^$', '0'
    )
  WHEN regexp_matches(report_id, '^[0-9]+([.]0+)?$') THEN
    regexp_replace(ltrim(split_part(report_id, '.', 1), '0'), '^$', '0')
  ELSE lower(ltrim(report_id, '0'))
END
