"""Calf pain symptom reports in, answers out. The story, in the order it happens:

read       a CSV -> raw rows with line numbers, strictly; rows: ahead of who takes them
adapt      raw rows -> canonical rows, through the SELECT of their source
validate   canonical rows -> accepted rows and bad cells (pandera); identifiers keeps direct identifiers out
tag        accepted rows + rule pack -> triage level, ceiling, missing answers, likely cause
store      one file, one transaction; the ledger; the lock (ingest ties these together)
summarise  records -> daily counts, on which the weekly views in sql/views stand
signals    weekly counts -> expected ranges and alarms; surveillance judges every series of a run by them
snapshot   what readers get: summaries.duckdb, replaced as a whole
report     one week's counts -> the page a clinical lead reads on Monday, as PDF, for mail, as CSV
quarantine what was set aside, and why
withdraw   a wrong file taken back; check, backup and migrate are for damage and older states (docs/safety.md)
flows      the same steps as Prefect flows; batch and weekly are what flows and plain commands share
"""
