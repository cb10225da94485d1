-- Every report once, as its last file has it, with its level and its likeliest cause. What a rule says comes as a variable.
WITH delivered AS (
  SELECT * FROM read_csv({{ var('files') }}, header = true, filename = true, types = {{ var('types') }})
), latest AS (
  SELECT * FROM delivered QUALIFY row_number() OVER (PARTITION BY report_id ORDER BY filename DESC) = 1
), pointed AS (
  SELECT
    *,
    {% for level, condition in var('levels').items() %}({{ condition }}) AS is_{{ level }},
    {% endfor %}
    {% for cause, points in var('points').items() %}({{ points }}) AS {{ cause }},
    {% endfor %}
    reported_at::DATE AS report_date
  FROM latest
), tagged AS (
  SELECT
    *,
    CASE
      WHEN is_emergency THEN 'emergency'
      WHEN is_contact_doctor THEN 'contact_doctor'
      WHEN NOT is_emergency AND NOT is_contact_doctor THEN 'self_care'
      ELSE 'unresolved'
    END AS triage_level,
    greatest({{ var('points').keys() | join(', ') }}) AS most_points
  FROM pointed
)
SELECT
  *,
  CASE
    WHEN most_points = 0 THEN 'undetermined'
    {% for cause in var('points') %}WHEN {{ cause }} = most_points THEN '{{ cause }}'
    {% endfor %}
  END AS likely_cause
FROM tagged
