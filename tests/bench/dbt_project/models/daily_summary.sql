SELECT report_date, region, age_band, sex, triage_level, likely_cause, count(*) AS reports
FROM {{ ref('reports') }}
GROUP BY ALL
