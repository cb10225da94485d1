SELECT report_id
FROM {{ ref('reports') }}
WHERE NOT regexp_full_match(report_id, '[A-Za-z0-9._-]{1,64}')
  OR NOT regexp_full_match(region, '[A-Za-z0-9_-]{1,32}')
  OR pain_score NOT BETWEEN 0 AND 10
  OR duration_days NOT BETWEEN 0 AND 3650
