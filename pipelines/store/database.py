"""The home: one writer behind a lock, its records opened, checked and brought up to date, one transaction a file."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import duckdb

from pipelines import files
from pipelines.connections import PUBLISH_ANEW, interruptible
from pipelines.errors import (
    WHAT_TO_DO,
    DiskError,
    LockedError,
    StateError,
    UsageError,
    disk_failure,
    is_damage,
    lost_records,
)
from pipelines.rules.lint import require_sound
from pipelines.settings import Settings
from pipelines.statements import first_row, one_number, sql_list, statement
from pipelines.store import daily_counts, migrations
from schemas.fields import AGE_BANDS, SEXES
from schemas.pack import LEVELS, UNDETERMINED, Pack, earlier_pack, parse_pack
from schemas.tables import (
    SCHEMA_VERSION,
    Table,
    comment_sql,
    create_sql,
    quoted,
    records_table,
    stored_tables,
    stored_views,
    superseded_table,
)

STORAGE_VERSION = "v1.4.0"  # readable by DuckDB 1.4 and later, which BI tools still ship
KEEP_ORDER = "SET preserve_insertion_order = true"
OLDEST_DUCKDB = (1, 5, 6)  # older ones emptied a table on a full disk


@dataclass(frozen=True)
class Home:
    """The state directory and the names in it."""

    path: Path

    @property
    def records(self) -> Path:
        return self.path / "records.duckdb"

    @property
    def summaries(self) -> Path:
        return self.path / "summaries.duckdb"

    @property
    def public(self) -> Path:
        return self.path / "public.duckdb"

    @property
    def reports(self) -> Path:
        return self.path / "reports"

    @property
    def scratch(self) -> Path:
        return self.path / "tmp"

    def make(self) -> None:
        """Creates the folders, for their owner alone whatever the umask."""
        for folder in (self.path, self.scratch, self.reports):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                if folder is not self.path or not any(folder.iterdir()):
                    folder.chmod(0o700)
            except OSError as error:
                raise UsageError(f"{folder}: cannot be used as home: {error.strerror}") from error

    @contextlib.contextmanager
    def lock(self, wait_seconds: float = 60) -> Iterator[None]:
        """The one writer's lock, freed by the system when its process ends.

        Raises LockedError after `wait_seconds`, naming the process that holds it.
        """
        try:
            handle = os.open(self.path / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be written: {error.strerror}; try another --home") from error
        try:
            self._take(handle, time.monotonic() + wait_seconds, wait_seconds)
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(handle)

    def _take(self, handle: int, until: float, wait_seconds: float) -> None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.1)
                    continue
                holder = os.pread(handle, 32, 0).decode() or "unknown"
                raise LockedError(
                    f"{self.path} is being written by process {holder}; waited {wait_seconds:g} s. "
                    "Try again later, or with a longer --wait."
                ) from None
            return


@contextlib.contextmanager
def writing(home: Home, settings: Settings, pack: Pack, wait_seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """The records for writing, behind the home's lock: as `lock` and `open_records`."""
    with home.lock(wait_seconds), open_records(home, settings, pack, wait_seconds) as connection:
        yield connection


@contextlib.contextmanager
def open_records(
    home: Home, settings: Settings, pack: Pack, wait_seconds: float = 0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """records.duckdb for writing; the caller holds the lock. Made where there is none, checked where there is.

    Waits for programs that read it: our lock keeps writers out, DuckDB's own keeps out who would write beside readers.
    `pack` is for a home without a history; one that has a history keeps the pack that tagged it (`pack_in_use`).
    Raises StateError for a damaged or foreign state, LockedError where a reader does not close it, UsageError where it
    may not be written, DiskError for a full disk.
    """
    _check_library()
    _check_writable(home)
    _clear_leftovers(home)
    with _private_database(home, settings) as connection:
        if home.summaries.exists() and not home.records.exists():
            raise lost_records(home.records)
        _attach(connection, home, wait_seconds=wait_seconds)
        with damage_told(home.records):
            _prepare(connection, home, settings, pack)
        try:
            yield connection
        except duckdb.Error as error:  # a damaged block that only the run's own work touched, or a full disk
            if is_damage(error) or disk_failure(str(error)):
                raise _damaged(home.records, error) from error
            raise


@contextlib.contextmanager
def _private_database(home: Home, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory, to attach the records to; its log and overflow too are for their owner alone."""
    before = os.umask(0o077)
    try:
        with contextlib.closing(duckdb.connect(":memory:")) as connection:
            _configure(connection, home, settings)
            yield connection
    finally:
        os.umask(before)


@contextlib.contextmanager
def open_read_only(home: Home, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """records.duckdb for reading, with room to spill for long work. Raises LockedError where a run is writing to it."""
    with _private_database(home, settings) as connection:
        _attach(connection, home, "READ_ONLY")
        with damage_told(home.records):
            check_version(connection, home.records)
        try:
            with interruptible(connection):
                yield connection
        except duckdb.Error as error:
            if is_damage(error):
                raise _damaged(home.records, error) from error
            raise


def _check_writable(home: Home) -> None:
    for path in (home.path, home.scratch, home.records, files.log_of(home.records)):
        if path.exists() and not os.access(path, os.W_OK, effective_ids=True):
            raise UsageError(f"{path}: may not be written; try another --home, or mend its mode")


@contextlib.contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """What DuckDB meets in a damaged file, told as what it is: StateError."""
    try:
        yield
    except duckdb.Error as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: duckdb.Error) -> DiskError | StateError | UsageError:
    if isinstance(error, duckdb.OutOfMemoryException):
        return UsageError(f"{path} needs more memory than it may take; raise memory_limit")
    if failure := disk_failure(str(error)):
        return DiskError(path.parent, failure)
    advice = WHAT_TO_DO
    if path.name == "summaries.duckdb":
        advice = PUBLISH_ANEW
    return StateError(f"{path} cannot be read ({type(error).__name__}): it is damaged. {advice}")


def _prepare(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, pack: Pack) -> None:
    """Makes the tables where there are none, else checks that they are ours and agree."""
    if not _has_state(connection):
        _refuse_foreign(connection, home)
        _create(connection, settings, pack)
    home.records.chmod(0o600)
    _migrate(connection, home, settings, pack)
    check_version(connection, home.records)
    check_counts(connection)
    _follow_settings(connection, settings, pack)


def _migrate(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, pack: Pack) -> None:
    """Brings an older state up to date in one transaction, after a copy of it beside."""
    found = migrations.schema_version(connection)
    if found is None or not 0 < found < SCHEMA_VERSION:
        return
    tagged_with = _pack_of_older_state(connection, home, found, pack)
    _detach(connection)
    _keep_copy(home, f"schema-{found}")
    _attach(connection, home)
    with transaction(connection):
        migrations.migrate(connection, found, SCHEMA_VERSION, tagged_with)
        _cut_weeks(connection, settings, tagged_with)
        check_counts(connection)


def _pack_of_older_state(connection: duckdb.DuckDBPyConnection, home: Home, found: int, pack: Pack) -> Pack:
    """The pack that tagged an older state: from version 2 on the state keeps its text, before it must be at hand."""
    stored = get_state(connection, "rule_pack")
    if stored == pack.version:
        return pack
    if found > 1:
        return stored_pack(connection, stored)
    if earlier := earlier_pack(stored):
        return earlier
    raise UsageError(
        f"{home.records} is of schema version {found} and tagged with rule pack {stored}; "
        "name that pack's file as rule_pack in calfwatch.toml, then it is brought up to date"
    )


def _detach(connection: duckdb.DuckDBPyConnection) -> None:
    """Closes the file: DuckDB's lock on it would be lost if this process opened it a second time."""
    connection.execute("USE memory")
    connection.execute("DETACH calfwatch")


def _keep_copy(home: Home, what: str) -> None:
    new = home.path / "records.duckdb.new"
    files.copy(home.records, new)
    files.put_in_place(new, home.path / f"records.{what}.duckdb", 0o600)


def _refuse_foreign(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    if one_number(connection, "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'calfwatch'"):
        raise StateError(f"{home.records} is a DuckDB file of something else; name another --home")


def _check_library() -> None:
    found = tuple(int(part) for part in duckdb.__version__.split(".")[:3] if part.isdigit())
    if found < OLDEST_DUCKDB:
        raise UsageError(f"duckdb {duckdb.__version__} is too old; 1.5.6 or later is needed")


def _clear_leftovers(home: Home) -> None:
    """Temporaries of a run that was killed."""
    for path in [*home.path.glob("*.new"), *home.path.glob("*.new.wal"), *home.scratch.iterdir()]:
        if path.is_file():
            path.unlink()
        elif path.suffix == ".new":
            shutil.rmtree(path)
    for path in home.path.glob("records.before-*.duckdb"):
        if home.records.exists() and path.samefile(
            home.records
        ):  # a restore that got no further: no copy, but an alias
            path.unlink()


def _configure(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET temp_directory = ?", [str(home.scratch)])
    connection.execute("SET autoinstall_known_extensions = false")
    try:
        connection.execute("SET memory_limit = ?", [settings.memory_limit])
    except duckdb.Error as error:
        raise UsageError(f"memory_limit '{settings.memory_limit}' is not a size; try 512MB") from error
    if settings.threads:
        connection.execute("SET threads = ?", [settings.threads])


def _attach(
    connection: duckdb.DuckDBPyConnection, home: Home, mode: str = "READ_WRITE", wait_seconds: float = 0
) -> None:
    until = time.monotonic() + wait_seconds
    while (error := _attach_error(connection, home, mode)) is not None:
        if "Could not set lock" in str(error):
            if time.monotonic() < until:
                time.sleep(0.1)
                continue
            holder = re.search(r"PID (\d+)", str(error))
            who = f"process {holder.group(1)}" if holder else "another program"
            raise LockedError(f"{home.records} is open in {who}; close it there, or try a longer --wait") from error
        if failure := disk_failure(str(error)):
            raise DiskError(home.path, failure) from error
        raise StateError(
            f"{home.records} cannot be opened ({type(error).__name__}): it is damaged or no DuckDB file. {WHAT_TO_DO}"
        ) from error


def _attach_error(connection: duckdb.DuckDBPyConnection, home: Home, mode: str) -> duckdb.Error | None:
    """Attaches the records and uses them, or says why that is not possible."""
    path = quoted(str(home.records))
    try:
        connection.execute(f"ATTACH {path} AS calfwatch ({mode}, STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("USE calfwatch")
    except duckdb.Error as error:
        return error
    return None


def _has_state(connection: duckdb.DuckDBPyConnection) -> bool:
    sql = "SELECT 1 FROM duckdb_tables() WHERE database_name = 'calfwatch' AND table_name = 'state'"
    return first_row(connection, sql) is not None


def _create(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    with transaction(connection):
        for table in stored_tables(pack):
            connection.execute(create_sql(table))
        set_state(connection, "schema_version", str(SCHEMA_VERSION))
        set_state(connection, "calfwatch_version", version("calfwatch"))
        use_pack(connection, settings, pack)


def comment(connection: duckdb.DuckDBPyConnection, table: Table, kind: str = "TABLE") -> None:
    """Writes the declared meanings of a table (or kind VIEW) and its columns beside them, as COMMENTs."""
    connection.execute(";".join(comment_sql(table, kind)))


def use_pack(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Makes a pack the one in use: its dimension tables, and the views that decode its bits. Counts nothing.

    Raises UsageError for a pack with a rule that can never be TRUE.
    """
    require_sound(pack)
    _fill_dimensions(connection, pack)
    connection.execute(
        """INSERT INTO rule_packs SELECT $version, $number, $article, now(), $text
           WHERE $version NOT IN (SELECT rule_pack FROM rule_packs)""",
        {"version": pack.version, "number": pack.number, "article": pack.article, "text": pack.text},
    )
    set_state(connection, "rule_pack", pack.version)
    set_state(connection, "complaint", pack.complaint)
    _declare(connection, settings, pack)


def _fill_dimensions(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """The pack's rules, causes and fields as tables, in place of those of the pack before."""
    for table in ("rules", "causes", "fields"):
        connection.execute(f"DELETE FROM {table}")
    for rule in pack.triage:
        row = [rule.id, rule.level, rule.when, rule.sentence, rule.reference, rule.basis]
        connection.execute("INSERT INTO rules VALUES (?, ?, ?, ?, ?, ?)", row)
    for cause in pack.causes:
        connection.execute("INSERT INTO causes VALUES (?, ?, ?)", [cause.category, cause.name, cause.label])
    connection.execute("INSERT INTO causes VALUES (?, ?, ?)", [UNDETERMINED, UNDETERMINED, "Undetermined"])
    meanings = {field.name: field.meaning for field in pack.fields}
    for name in pack.askable:
        connection.execute("INSERT INTO fields VALUES (?, ?)", [name, meanings.get(name, name.replace("_", " "))])


def set_state(connection: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Writes one fact of the table `state`, in place of what it said before."""
    connection.execute("DELETE FROM state WHERE key = ?", [key])
    connection.execute("INSERT INTO state VALUES (?, ?)", [key, value])


def get_state(connection: duckdb.DuckDBPyConnection, key: str) -> str:
    """One fact of the table `state`. Raises StateError where it is missing."""
    row = first_row(connection, "SELECT value FROM state WHERE key = ?", [key])
    if row is None:
        raise StateError(f"records.duckdb has no '{key}' in its table state; restore it from a backup")
    return str(row[0])


def _cut_weeks(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Counts everything again for the time zone and week system in the settings."""
    _declare(connection, settings, pack)
    daily_counts.rebuild(connection, settings, pack)


def _declare(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """The views, and the COMMENTs of tables and views."""
    for table in stored_tables(pack):
        comment(connection, table)
    for view in stored_views(pack):
        connection.execute(f"CREATE OR REPLACE VIEW {view.name} AS {view_sql(view, settings, pack)}")
        comment(connection, view, "VIEW")
    set_state(connection, "time_zone", settings.time_zone)
    set_state(connection, "week_system", settings.week_system)
    set_state(connection, "declaration", declaration(settings, pack))


def declaration(settings: Settings, pack: Pack) -> str:
    """A digest of the views and COMMENTs: another calfwatch may define or word them otherwise, with no other schema."""
    views = stored_views(pack)
    texts = [view_sql(view, settings, pack) for view in views]
    for table in (*stored_tables(pack), *views):
        texts += comment_sql(table)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def is_declared(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> bool:
    """Whether the views and COMMENTs are those of this calfwatch; where not, the next run writes them anew."""
    row = first_row(connection, "SELECT value FROM state WHERE key = 'declaration'")
    return row is not None and row[0] == declaration(settings, pack)


def view_sql(view: Table, settings: Settings, pack: Pack) -> str:
    """The SELECT of a view of records.duckdb."""
    if view.name == "reports":
        return reports_sql(pack, "records")
    return statement("views", view.name, **daily_counts.week_words(settings))


def reports_sql(pack: Pack, relation: str) -> str:
    """The packed records of `relation` as the columns of `reports`."""
    answers = ", ".join(f"{_answer_sql(pack, field.name)} AS {field.name}" for field in pack.fields)
    scores = ", ".join(
        f"'{category.name}': ((scores >> {8 * i}) & 255)::UTINYINT" for i, category in enumerate(pack.categories)
    )
    categories = (UNDETERMINED, *(cause.category for cause in pack.causes))
    return f"""SELECT
  report_id, packed.reported_at, region,
  CASE WHEN age_band > 0 THEN ({sql_list(AGE_BANDS)})[age_band] END AS age_band,
  CASE WHEN sex > 0 THEN ({sql_list(SEXES)})[sex] END AS sex,
  pain_score::TINYINT AS pain_score, duration_days::SMALLINT AS duration_days,
  {answers},
  ({sql_list(LEVELS)})[triage_level + 1] AS triage_level,
  ({sql_list(LEVELS)})[triage_ceiling + 1] AS triage_ceiling,
  {_names_of_bits("rules_true", tuple(rule.id for rule in pack.triage))} AS triage_rules,
  {_names_of_bits("missing", pack.askable)} AS missing_answers,
  ({sql_list(categories)})[likely_cause + 1] AS cause_category,
  CASE WHEN likely_cause > 0 THEN ({sql_list(tuple(c.name for c in pack.causes))})[likely_cause] END AS likely_cause,
  {{{scores}}} AS cause_scores,
  files.rule_pack, files.file_id, line_number::BIGINT AS line_number, packed.source, first_delivery_no
FROM {relation} AS packed JOIN files USING (delivery_no)"""


def _answer_sql(pack: Pack, field: str) -> str:
    """A field's answer as the view `reports` shows it."""
    if field in pack.choices:
        return f"CASE WHEN {field} > 0 THEN ({sql_list(pack.choices[field])})[{field}] END"
    if field in pack.own_numbers:
        return field
    bit = 1 << pack.field_names.index(field)
    return f"CASE WHEN (answered & {bit}) <> 0 THEN (yes & {bit}) <> 0 END"


def _names_of_bits(mask: str, names: tuple[str, ...]) -> str:
    tests = ", ".join(f"CASE WHEN ({mask} & {1 << bit}) <> 0 THEN {quoted(name)} END" for bit, name in enumerate(names))
    return f"list_filter([{tests}], lambda name: name IS NOT NULL)"


def check_version(connection: duckdb.DuckDBPyConnection, path: Path, older_too: bool = False) -> None:
    """Raises StateError where the state has another schema version; with `older_too` an older one may pass."""
    found = get_state(connection, "schema_version")
    older = found.isdigit() and int(found) < SCHEMA_VERSION
    if found != str(SCHEMA_VERSION) and not (older and older_too):
        advice = "`calfwatch run` brings it up to date" if older else "use the calfwatch that wrote it, or a newer one"
        raise StateError(f"{path} has schema version {found}, this calfwatch reads {SCHEMA_VERSION}; {advice}")


def _follow_settings(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Rebuilds the summaries where time zone or week system changed; takes another pack up where nothing is tagged.

    After an update of calfwatch, its views and COMMENTs take the place of the former ones.
    """
    used = pack_in_use(connection, pack)
    if used.version != pack.version and not _has_history(connection):
        with transaction(connection):
            _start_over(connection, settings, pack)
        used = pack
    weeks = (get_state(connection, "time_zone"), get_state(connection, "week_system"))
    if weeks != (settings.time_zone, settings.week_system):
        with transaction(connection):
            _cut_weeks(connection, settings, used)
    elif not is_declared(connection, settings, used):
        with transaction(connection):
            _declare(connection, settings, used)


def pack_in_use(connection: duckdb.DuckDBPyConnection, pack: Pack) -> Pack:
    """The pack that tagged the stored history. `pack`, the configured one, is given back where it is the same.

    A newer pack in the settings, or shipped with an update, changes no tag by itself: `retag` does.
    """
    stored = get_state(connection, "rule_pack")
    return pack if stored == pack.version else stored_pack(connection, stored)


def stored_pack(connection: duckdb.DuckDBPyConnection, pack_version: str) -> Pack:
    """A pack that has tagged records here, from the text kept of it. Raises UsageError where no text was kept."""
    row = first_row(connection, "SELECT content FROM rule_packs WHERE rule_pack = ?", [pack_version])
    if row is None or row[0] is None:
        raise UsageError(
            f"the history is tagged with rule pack {pack_version}, and its text was not kept; "
            "name its file as rule_pack in calfwatch.toml"
        )
    return parse_pack(row[0], f"rule pack {pack_version}")


def _has_history(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any record was ever tagged here and is still known."""
    return one_number(connection, "SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM superseded)") > 0


def _start_over(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Empty tables in the form of another pack."""
    connection.execute("DROP VIEW reports")
    for table in (records_table(pack), superseded_table(pack)):
        connection.execute(f"DROP TABLE {table.name}")
        connection.execute(create_sql(table))
    use_pack(connection, settings, pack)


def check_counts(connection: duckdb.DuckDBPyConnection) -> None:
    """Ledger = records = summaries, or StateError: a truncated log opens with its tail silently gone.

    Cheap enough for every start; it counts, and does not look into every row.
    """
    counted = statement("store", "check_counts", levels=sql_list(LEVELS))
    for name, wanted, found in connection.execute(counted).fetchall():
        if wanted != found:
            raise StateError(
                f"records.duckdb contradicts itself: {name}: {wanted} by the ledger or the records, {found} found. "
                f"{WHAT_TO_DO}"
            )


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commits at the end, or rolls everything back. A COMMIT after a failed statement would report success."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            connection.execute("ROLLBACK")
            connection.execute(KEEP_ORDER)
        raise
    connection.execute("COMMIT")


@contextlib.contextmanager
def in_any_order(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Rows may be written in any order, on every thread, which saves a fifth of the time. Within a `transaction`:
    its rollback ends this too, for after a failed statement nothing can be set."""
    connection.execute("SET preserve_insertion_order = false")
    yield
    connection.execute(KEEP_ORDER)
