-- One row per triage level, the most urgent first.
SELECT * FROM (
  VALUES
    ('emergency', 3, 'a rule for emergencies is TRUE: call the emergency number'),
    ('contact_doctor', 2, 'a rule for a doctor is TRUE, and none for emergencies: see a doctor'),
    ('unresolved', 1, 'no rule is TRUE, but an answer is unknown that could make one so: ask for it'),
    ('self_care', 0, 'every rule is FALSE: home care, unless it gets worse')
) AS levels (triage_level, rank, meaning)
