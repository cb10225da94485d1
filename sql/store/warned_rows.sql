-- One row a warned cell of the group's files; rows that are left out have none.
INSERT INTO warned_cells BY NAME
SELECT delivery_no, line_number, report_id, column_name, kind, value
FROM warned
ANTI JOIN rows_left_out USING (delivery_no, line_number)
ORDER BY delivery_no, line_number, value
