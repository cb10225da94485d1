-- One row a report_id that stands more than once in a file: whether its rows say the same, and where the first stands.
CREATE OR REPLACE TABLE alike AS
SELECT report_id, min(fingerprint) = max(fingerprint) AS same, min(line_number) AS first_line
FROM candidates
GROUP BY report_id
HAVING count(*) > 1
