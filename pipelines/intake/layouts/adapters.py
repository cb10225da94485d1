"""Translate raw rows into canonical rows: a source's layout by one SELECT.

An adapter is a SQL file: a comment head that lists the columns it knows, and one SELECT from `raw`. It
runs in a DuckDB of its own, in memory, that can reach neither files nor settings.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.bounds import bounded_memory, bounded_time, measure_data_bytes
from pipelines.connections import connect
from pipelines.errors import FileRejected, UsageError
from pipelines.intake.anonymisation.column_names import mask_name
from pipelines.intake.layouts.adapter_head import read_head
from pipelines.settings import SHIPPED_ADAPTERS, Source
from schemas.fields import CONTEXT_NAMES, REQUIRED_NAMES
from schemas.ordinary_file import read_text_file
from schemas.pack import Pack
from schemas.pack_checks import map_sender_words

IDENTITY = "select * exclude (file_id, unlisted) from raw"  # what canonical.sql says: nothing to run
ADAPTER_ERROR = "adapter_error"
ADAPTER_WARNING = "adapter_warning"  # what an adapter could not read in a row that it could read otherwise
SCRATCH_MEMORY = "128MB"  # the hashes of very long files go to disk
SANDBOX_MEMORY = "512MB"
SECONDS = 60  # for one part of a file
MOST_DATA = 1 << 30  # beyond what the process has: DuckDB's own limit leaves out long strings and lists
MOST_RESULT = 256 << 20
BATCH_ROWS = 10_000
ADDED_COLUMNS = ("line_number", "file_id", "unlisted")  # what `raw` has beside the columns of the file


@dataclass(frozen=True)
class Adapter:
    """A source's SELECT and the columns it knows.
    `dates` are the columns that hold the date of the report, which is no birth date; `ids` those that hold its
    number, which may look like anything; `allow` those whose name looks like that of an identifier and is none.
    """

    sql: str
    requires: frozenset[str]
    optional: frozenset[str]
    ignores: frozenset[str]
    dates: frozenset[str]
    ids: frozenset[str]
    allow: frozenset[str]
    digest: str

    @property
    def reads_separator(self) -> bool:
        """Whether its SELECT names the column `separator`; to others `raw` is what it always was."""
        return bool(re.search(r"\bseparator\b", _strip_comments(self.sql).lower()))

    @property
    def is_canonical(self) -> bool:
        """Whether the file's columns are taken as they are."""
        return " ".join(_strip_comments(self.sql).lower().split()).rstrip("; ") == IDENTITY


def load_adapter(source: Source, home: Path) -> Adapter:
    """Load the adapter that a source names: a shipped one, or a path (relative to the home)."""
    if source.adapter in SHIPPED_ADAPTERS:
        text = (files("sql.sources") / f"{source.adapter}.sql").read_text(encoding="utf-8")
    else:
        text = _read_own(source, home / source.adapter)
    head = read_head(text, f"source '{source.name}': adapter {source.adapter}")
    return Adapter(text, **head, digest=hashlib.sha256(text.encode()).hexdigest())


def _read_own(source: Source, path: Path) -> str:
    try:
        return read_text_file(path)
    except (OSError, UnicodeDecodeError) as error:
        shipped = ", ".join(SHIPPED_ADAPTERS)
        raise UsageError(f"source '{source.name}': adapter {path} cannot be read; shipped are {shipped}") from error


def _strip_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)


def find_answer_columns(adapter: Adapter, pack: Pack) -> frozenset[str]:
    """Return the columns that may be read as yes and no: an adapter's SELECT is given text."""
    return frozenset(pack.field_names) if adapter.is_canonical else frozenset()


def check_header(adapter: Adapter, names: list[str], pack: Pack) -> None:
    """Raise FileRejected if a column is unknown or a required one is missing."""
    if faults := find_header_faults(adapter, names, pack):
        raise FileRejected(faults[0])


def find_known_columns(adapter: Adapter, pack: Pack) -> tuple[frozenset[str], frozenset[str]]:
    """Return the columns that a file of an adapter must have, and all that it may have."""
    if adapter.is_canonical:
        own = frozenset(field.name for field in pack.fields)
        return frozenset(REQUIRED_NAMES), frozenset(CONTEXT_NAMES) | own
    return adapter.requires, adapter.requires | adapter.optional | adapter.ignores


def find_header_faults(adapter: Adapter, names: list[str], pack: Pack) -> list[str]:
    """Return everything that is wrong with a header, each with what is allowed and what was perhaps meant."""
    requires, known = find_known_columns(adapter, pack)
    unknown = [(place, name) for place, name in enumerate(names, 1) if name not in known]
    missing = sorted(requires - set(names))
    if len(unknown) == len(names):  # then these may be values, and are not repeated
        hint = "is the header line missing, or is it another source's file?"
        wanted = f"required are {', '.join(sorted(requires))}; allowed" if requires else "allowed"
        near = _describe_near([name for _, name in unknown], known)
        return [f"no name in the first line is a known column ({hint}); {wanted}: {_list_some(known)}{near}"]
    faults = [_describe_unknown(unknown, missing, known)] if unknown else []
    added = (*ADDED_COLUMNS, *(("separator",) if adapter.reads_separator else ()))
    taken = next((name for name in names if name.lower() in added), None)
    if taken is not None:
        faults.append(f"column {taken!a} has a name that the reader gives to a column of its own; rename it")
    if missing and not unknown:  # beside unknown ones they are named already
        faults.append(f"required column {', '.join(missing)} is missing")
    own = frozenset(field.name for field in pack.fields)
    if adapter.is_canonical and not own & set(names):
        faults.append(f"no symptom column in the header; at least one of {_list_some(own)}")
    return faults


def _describe_unknown(unknown: list[tuple[int, str]], missing: list[str], known: frozenset[str]) -> str:
    place, name = unknown[0]
    more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
    near = _describe_near([name for _, name in unknown], known)
    lacks = f"; required and missing: {', '.join(missing)}" if missing else ""
    return f"unknown column {mask_name(place, name)}{more}; allowed: {_list_some(known)}{lacks}{near}"


def _describe_near(names: list[str], known: frozenset[str]) -> str:
    """Tell which known columns some names are nearly; no name is told that is not nearly one."""
    pairs = [(name, near) for name in names if (near := find_nearest_column(name, known))]
    told = ", ".join(f"{near} for {name[:40]!a}" for name, near in pairs[:3])
    return f"; did you mean {told}?" if told else ""


def find_nearest_column(name: str, known: frozenset[str]) -> str | None:
    """Return the known column that a name is nearly: but for case, blanks and hyphens, or a few letters."""
    plain = re.sub(r"[^a-z0-9]+", "_", name[:60].lower()).strip("_")
    return next(iter(difflib.get_close_matches(plain, sorted(known), n=1, cutoff=0.8)), None)


def _list_some(names: frozenset[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")


def open_scratch(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB in memory for our own work that must leave no trace; it may spill into `folder`."""
    connection = connect()
    connection.execute(f"SET memory_limit = '{SCRATCH_MEMORY}'")
    connection.execute("SET temp_directory = ?", [str(folder)])
    return _shut_off(connection)


def open_sandbox() -> duckdb.DuckDBPyConnection:
    """Open a DuckDB in memory for an adapter's SELECT: no file, not even for spilling, and no setting to change."""
    connection = connect()
    connection.execute(f"SET memory_limit = '{SANDBOX_MEMORY}'")
    connection.execute("SET temp_directory = ''")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
    return _shut_off(connection)


def _shut_off(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET python_enable_replacements = false")  # a table's name never means a Python variable
    connection.execute("SET lock_configuration = true")
    return connection


def select_canonical_rows(
    adapter: Adapter, source: Source, raw: pa.Table, file_id: pa.Scalar | pa.Array, pack: Pack
) -> pa.Table:
    """Return canonical columns as text and `line_number`; rows the adapter filters out are not in it.

    `file_id` is that of the file, or one for every row. Raises FileRejected if the SELECT fails or does not return what
    an adapter must.
    """
    raw = raw.drop_columns(sorted(adapter.ignores & set(raw.column_names)))
    for name in sorted((adapter.requires | adapter.optional) - set(raw.column_names)):
        raw = raw.append_column(name, pa.nulls(raw.num_rows, pa.string()))
    ids = file_id if isinstance(file_id, pa.Array) else pa.repeat(file_id, raw.num_rows)
    raw = raw.append_column("file_id", ids)
    raw = raw.append_column("unlisted", pa.repeat(pa.scalar(source.unlisted), raw.num_rows))
    if adapter.reads_separator:
        raw = raw.append_column("separator", pa.repeat(pa.scalar(source.separator), raw.num_rows))
    with contextlib.closing(open_sandbox()) as connection:
        connection.register("words", _tabulate_words(pack))
        result = _select(connection, adapter, source, raw)
    return _check_result(result, raw, source, pack)


def _tabulate_words(pack: Pack) -> pa.Table:
    """Return what senders may write for a yes/no field: a word, in lower case, and the field."""
    words = map_sender_words(pack)
    return pa.table({"word": pa.array(words.keys(), pa.string()), "field": pa.array(words.values(), pa.string())})


def _select(connection: duckdb.DuckDBPyConnection, adapter: Adapter, source: Source, raw: pa.Table) -> pa.Table:
    """Run the SELECT, within bounds: it is somebody's code."""
    connection.register("raw", raw)
    late = f"the adapter of source '{source.name}' took longer than {SECONDS:g} s; mend {source.adapter}"
    with bounded_time(connection, SECONDS, late) as over:
        try:
            with bounded_memory(lambda: measure_data_bytes() + MOST_DATA):
                statements = connection.extract_statements(adapter.sql)
                if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                    raise FileRejected(f"the adapter of source '{source.name}' is not one SELECT statement")
                return _read_rows(connection.sql(adapter.sql).to_arrow_reader(BATCH_ROWS), raw, source)
        except (duckdb.Error, pa.ArrowException, MemoryError, OSError) as error:
            told = late if over.is_set() else f"the adapter of source '{source.name}' failed: {_explain(error)}"
            raise FileRejected(told) from error


def _read_rows(batches: pa.RecordBatchReader, raw: pa.Table, source: Source) -> pa.Table:
    """Read a result, which cannot have more rows than there are lines, nor much more text than they can hold."""
    kept, rows, size = [], 0, 0
    for batch in batches:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > raw.num_rows:
            raise FileRejected(f"the adapter of source '{source.name}' returns a line twice or one it was not given")
        if size > MOST_RESULT:
            raise FileRejected(
                f"the adapter of source '{source.name}' returns more than {MOST_RESULT >> 20} MB of text"
            )
        kept.append(batch)
    return pa.Table.from_batches(kept, batches.schema)


def _explain(error: Exception) -> str:
    """Return the error's kind, and its text if that is about the SQL: any other text may quote a value."""
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError | pa.ArrowMemoryError):
        return f"it needs more than {SANDBOX_MEMORY} of memory"
    about_sql = isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException)
    return str(error).splitlines()[0][:200] if about_sql else type(error).__name__


def _check_result(result: pa.Table, raw: pa.Table, source: Source, pack: Pack) -> pa.Table:
    names = result.column_names
    known = {*CONTEXT_NAMES, *(field.name for field in pack.fields), "line_number", ADAPTER_ERROR, ADAPTER_WARNING}
    odd = next((name for name in names if name not in known or names.count(name) > 1), None)
    if odd is not None or "line_number" not in names:
        what = "does not return line_number"
        if odd is not None:
            what = f"returns column {odd[:40]!a}, which is not canonical or stands there twice"
        raise FileRejected(f"the adapter of source '{source.name}' {what}")
    try:
        columns = [
            column.cast(pa.int64() if name == "line_number" else pa.string())
            for name, column in zip(names, result.columns, strict=True)
        ]
    except pa.ArrowException as error:
        raise FileRejected(f"the adapter of source '{source.name}' returns a column that is no text") from error
    rows = pa.table(columns, names=names)
    numbers = rows.column("line_number").to_pandas()
    if not numbers.is_unique or not numbers.isin(raw.column("line_number").to_pandas()).all():
        raise FileRejected(f"the adapter of source '{source.name}' returns a line twice or one it was not given")
    return rows.sort_by("line_number")
