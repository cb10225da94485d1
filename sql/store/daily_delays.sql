-- How long each changed record's report was before the last report of the file that brought it.
SELECT
  report_date, day_sums.source,
  greatest(((files.last_report AT TIME ZONE '${time_zone}')::DATE - report_date)::INTEGER, 0) AS delay_days,
  sum(sign * reports) AS reports
FROM day_sums JOIN files USING (delivery_no)
GROUP BY ALL
