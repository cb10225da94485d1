-- The accepted rows of a block that belong to erased reports.
INSERT INTO erased_rows
SELECT line_number, report_id
FROM block
WHERE erased_mark('id', report_id) IN (SELECT mark FROM erased_marks)
