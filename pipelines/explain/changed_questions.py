"""Which answers two packs miss of the stored records: the fields that one pack alone would ask about."""

from __future__ import annotations

import duckdb

from pipelines.statements import fetch_first_row
from schemas.pack import Pack


def questions_sql(before: Pack, after: Pack) -> str:
    """Two lists of counts over records: of each field that is asked for no longer, and of each newly so."""
    fields = _list_fields(before, after)
    was = [_is_missing(before, name, "missing_before") for name in fields]
    now = [_is_missing(after, name, "missing") for name in fields]
    fewer = ", ".join(f"count_if({a} AND NOT {b})" for a, b in zip(was, now, strict=True))
    more = ", ".join(f"count_if({b} AND NOT {a})" for a, b in zip(was, now, strict=True))
    return f"[{fewer}] AS asked_no_longer, [{more}] AS asked_now"


def count_changed_questions(
    connection: duckdb.DuckDBPyConnection, before: Pack, after: Pack
) -> dict[str, tuple[int, int]]:
    """Return by field the records that no longer miss its answer, and those that now do, if there are any.

    Reads the table `compared`, of which `questions_sql` made two columns.
    """
    fields, found = _list_fields(before, after), {}
    sums = ", ".join(
        f"sum(asked_no_longer[{place}])::BIGINT, sum(asked_now[{place}])::BIGINT" for place in range(1, len(fields) + 1)
    )
    row = fetch_first_row(connection, f"SELECT {sums} FROM compared") or ()
    for place, name in enumerate(fields):
        fewer, more = row[2 * place] or 0, row[2 * place + 1] or 0
        if fewer or more:
            found[name] = (fewer, more)
    return found


def _list_fields(before: Pack, after: Pack) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before.askable, *after.askable)))


def _is_missing(pack: Pack, name: str, mask: str) -> str:
    return f"({mask} & {1 << pack.askable.index(name)}) <> 0" if name in pack.askable else "FALSE"
