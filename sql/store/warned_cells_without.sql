-- What was not understood, but for that of erased reports.
SELECT warned_cells.*
FROM calfwatch.warned_cells AS warned_cells JOIN calfwatch.files AS files USING (delivery_no)
ANTI JOIN going ON going.source = files.source AND going.report_id = warned_cells.report_id
