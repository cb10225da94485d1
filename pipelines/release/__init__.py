"""One week's exact counts -> what may leave the house.

    rounding (the only module that is given exact counts) -> audit -> ledger (records.duckdb)
    -> public_database (public.duckdb) -> public_page (public/WEEK/)

The writers of public files are given disclosed rows, or public.duckdb, and nothing else.
"""
