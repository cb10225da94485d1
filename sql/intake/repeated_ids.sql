-- One row a report_id that stands more than once in a file: whether its rows say the same, and the first one's line.
CREATE OR REPLACE TABLE repeated_ids AS
SELECT report_id, min(fingerprint) = max(fingerprint) AS is_same, min(line_number) AS first_line
FROM candidates
GROUP BY report_id
HAVING count(*) > 1
