-- One row a record that moves between the tags of two packs, and one row for each way in which the others stay; each
-- with how many of its records one pack alone asks about a field.
CREATE OR REPLACE TEMP TABLE compared AS
WITH tagged AS (
  ${tagged}
), judged AS (
  SELECT
    *,
    triage_level_before <> triage_level OR triage_ceiling_before <> triage_ceiling
      OR ${cause_before} <> ${cause_after} AS moved
  FROM tagged
)
SELECT
  triage_level_before, triage_level, triage_ceiling_before, triage_ceiling, ${cause_before} AS cause_before, ${cause_after} AS cause,
  moved,
  CASE WHEN moved THEN source END AS source,
  CASE WHEN moved THEN report_id END AS report_id,
  CASE WHEN moved THEN {
    rules_true_before: rules_true_before, rules_open_before: rules_open_before,
    rules_true: rules_true, rules_open: rules_open
  } END AS states,
  CASE WHEN moved THEN {${answers}} END AS answers,
  ${questions},
  count(*) AS records
FROM judged
GROUP BY ALL
