"""records.duckdb: the ledger, the records, the daily counts, and the snapshot that readers get."""
