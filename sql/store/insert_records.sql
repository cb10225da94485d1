-- The new rows of a group's files, tagged.
INSERT INTO records BY NAME
SELECT $source AS source, tagged.*, ${first_delivery} AS first_delivery_no
FROM (${tagged}) AS tagged
