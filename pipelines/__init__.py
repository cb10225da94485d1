"""Calf pain symptom reports in, answers out. The story, in the order in which it happens:

intake     a delivered file is found, read strictly, adapted and checked: it becomes a checked file, or a rejection
rules      what the rule pack means: its conditions as SQL, which evidence leads, what is still to be asked
store      records.duckdb: the ledger, the guards between files, one transaction a group, daily counts, the snapshot
signals    senders' own time, comparable senders, expected ranges, alarms and their episodes, what is still to come
explain    why a record is tagged so, and what another pack would change
pages      what every page shares: words, charts, one document and the forms that it is rendered in
report     one week's counts -> what the clinical lead reads on Monday
release    one week's counts -> what may leave the house, once
jobs       each of these as one job, from top to bottom
flows      the jobs as Prefect flows; prefect_runner, prefect_server and supervisor are `calfwatch serve`
cli        the command line

The ground: errors, settings, text, files, statements, connections. `synthetic` writes reports of nobody.
"""
