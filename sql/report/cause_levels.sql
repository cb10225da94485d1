-- A week's reports by likely cause and level; of them those whose cause cannot be told apart from another (close), and
-- the self-care records with signs of a serious cause (serious).
SELECT
  likely_cause, triage_level,
  sum(reports)::BIGINT AS reports,
  sum(close_causes)::BIGINT AS close,
  sum(serious_signs)::BIGINT AS serious
FROM daily_summary
WHERE report_date BETWEEN $first AND $last
GROUP BY ALL
ORDER BY ALL
