"""`make docs`: the data dictionary, printed as Markdown from the declarations in this folder."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.fields import CONTEXT_FIELDS
from schemas.pack import Pack
from schemas.pack_file import load_pack
from schemas.public_tables import PUBLIC_TABLES
from schemas.report_schema import describe_allowed, make_report_schema
from schemas.tables import SCHEMA_VERSION, Table, list_published_tables, list_stored_tables, list_stored_views


def render_dictionary(pack: Pack) -> str:
    """Return the whole page."""
    return "\n".join(_render_lines(pack)) + "\n"


def _render_lines(pack: Pack) -> Iterator[str]:
    yield "# Data dictionary"
    yield ""
    yield "Made from `schemas/` by `make docs`; a test fails where page and code differ. The same texts are COMMENTs in"
    yield f"the databases. Schema version {SCHEMA_VERSION}, rule pack {pack.name} number {pack.number}."
    yield from _render_input(pack)
    yield from ("", "## records.duckdb (private)")
    for table in (*list_stored_views(pack), *list_stored_tables(pack)):
        yield from _render_table(table)
    yield from ("", "## summaries.duckdb (counts only, no record)")
    names = ", ".join(f"`{table.name}`" for table in list_published_tables())
    yield from ("", f"Tables: {names}. Where a name stands above too, the columns are the same.")
    stored = {table.name for table in (*list_stored_views(pack), *list_stored_tables(pack))}
    for table in list_published_tables():
        if table.name not in stored:
            yield from _render_table(table)
    yield from ("", "## public.duckdb (what was released to the public)")
    for table in PUBLIC_TABLES:
        yield from _render_table(table)


def _render_input(pack: Pack) -> Iterator[str]:
    yield from ("", "## Input: canonical CSV", "", "| column | allowed | required | meaning |", "|---|---|---|---|")
    for field in CONTEXT_FIELDS:
        required = "yes" if field.required else "no"
        yield f"| {field.name} | {field.allowed} | {required} | {_escape_cell(field.meaning)} |"
    schema = make_report_schema(pack)
    for answer in pack.fields:
        allowed = describe_allowed(schema, answer.name)
        yield f"| {answer.name} | {allowed} | no | {_escape_cell(answer.meaning)} ({_escape_cell(answer.reference)}) |"


def _render_table(table: Table) -> Iterator[str]:
    yield from ("", f"### {table.name}", "", f"One row: {table.grain}.")
    yield from ("", "| column | type | meaning |", "|---|---|---|")
    for column in table.columns:
        yield f"| {column.name} | {column.type} | {_escape_cell(column.meaning)} |"


def _escape_cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(render_dictionary(load_pack()), end="")
