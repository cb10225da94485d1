"""Settings: what `calfwatch.toml` in the home can say, with what each key means and allows.

A new key is one line of `Source` or `Settings`: its type, what it means, what is allowed, its default. The file is
read by `settings_file`; without a file nothing of that is imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pipelines.errors import UsageError

FILE_NAME = "calfwatch.toml"
SHIPPED_ADAPTERS = ("canonical", "symptom_list", "neiss")
SCHEME = "s3://"  # begins the address of what lies in a bucket
STRICT: dict[str, Any] = {"extra": "forbid", "strict": True}  # pydantic: no unknown key, and "1" is no number


@dataclass(frozen=True)
class Allowed:
    """A test of a value beyond its type, and in words what passes it."""

    words: str
    passes: Callable[[Any], bool]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: Any) -> Any:
        if not self.passes(value):
            raise ValueError(self.words)
        return value


def is_time_zone(name: str) -> bool:
    """Return whether DuckDB knows this time zone too: "localtime" is one of this machine alone."""
    try:
        return name != "localtime" and bool(ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        return False


def is_memory_size(text: str) -> bool:
    """Return whether DuckDB takes the text as a memory limit."""
    return re.fullmatch(r"[0-9]+(\.[0-9]+)? ?([KMGT]i?B|%)", text) is not None


def is_day(text: str) -> bool:
    """Return whether a text is a day as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_separator(text: str) -> bool:
    """Return whether a text can part two names: it holds nothing of which names are made."""
    return 0 < len(text) <= 8 and not any(sign.isalnum() or sign in "_- " for sign in text)


def is_address(text: str) -> bool:
    """Whether a delivery is named by the address of an object, or of a folder of them, in a bucket."""
    return text.lower().startswith(SCHEME)


def check_address(address: str) -> None:
    """Raise UsageError unless an address is s3://BUCKET/PREFIX: it holds no credentials, query or pattern.

    What could hold credentials is not repeated.
    """
    bucket = address.removeprefix(SCHEME).partition("/")[0]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", bucket):
        raise UsageError(
            "an s3:// address does not begin with the name of a bucket; allowed: s3://BUCKET/PREFIX. "
            "Credentials stand in the environment (AWS_ACCESS_KEY_ID ...), never in an address"
        )
    if set(address) & set("*?[") or not address.isprintable():
        raise UsageError(
            f"{ascii(address)[1:-1]}: an s3:// address takes no *, ? or [; name a bucket, a prefix or an object"
        )


def one_of(*words: str) -> Allowed:
    """Return the rule that a value is one of these words."""
    return Allowed(" or ".join(words), words.__contains__)


TIME_ZONE = Allowed("a time zone, such as Europe/Berlin or UTC", is_time_zone)
TIME_ZONE_OR_NONE = Allowed(f"empty, or {TIME_ZONE.words}", lambda name: not name or is_time_zone(name))
SHARE = Allowed("between 0 and 1", lambda share: 0 <= share <= 1)
NOT_NEGATIVE = Allowed("0 or more", lambda number: number >= 0)
FEW_THREADS = Allowed("between 0 and 256", lambda number: 0 <= number <= 256)
POSITIVE = Allowed("1 or more", lambda number: number >= 1)
MEMORY_SIZE = Allowed("a size, such as 512MB", is_memory_size)
CRON = Allowed("five words of cron, such as 15 * * * *", lambda text: len(text.split()) == 5)
ONE_SIGN = Allowed("one character, such as ; or a tab", lambda text: len(text) == 1 and text not in '"\r\n')
SEPARATOR = Allowed("1 to 8 characters that are no letters or digits, such as ; or /", is_separator)
HIDEABLE = Allowed("7, 12, 17 or a further step of 5", lambda count: count >= 7 and count % 5 == 2)
RHYTHMS = ("daily", "weekdays", "weekly", "none")
RHYTHM = one_of(*RHYTHMS)
LAST_DAY = Allowed("empty, or a day such as 2026-11-22", lambda text: not text or is_day(text))
NOT_EMPTY = Allowed("a text that is not empty", bool)


@dataclass(frozen=True)
class Source:
    """One sender of files."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    name: Annotated[str, "a record is identified by source and report_id", NOT_EMPTY]
    adapter: Annotated[str, "a shipped adapter, or the path of your own"] = "canonical"
    time_zone: Annotated[str, "of times without an offset; empty: the reporting time zone", TIME_ZONE_OR_NONE] = ""
    patterns: Annotated[
        tuple[str, ...],
        "whose files these are: shell patterns on the name; {date} or {week} is its period",
    ] = ()
    delimiter: Annotated[str, "between two cells", ONE_SIGN] = ","
    separator: Annotated[str, "symptom_list: between two symptoms of a cell, beside | and ,", SEPARATOR] = ";"
    unlisted: Annotated[str, "symptom_list: what a symptom that is not listed means", one_of("no", "unknown")] = (
        "unknown"
    )
    regions: Annotated[tuple[str, ...], "the allowed ones, in any case; others are quarantined. Empty: any"] = ()
    missing_columns: Annotated[
        str,
        "unknown: a file that lacks a column may replace known answers; reject: it is rejected",
        one_of("reject", "unknown"),
    ] = "reject"
    report_ids: Annotated[
        str, "per_file: ids count from 1 in each file, and are told apart by its name", one_of("for_ever", "per_file")
    ] = "for_ever"
    cumulative: Annotated[bool, "a file is the whole list of its days: stored records that it lacks are taken out"] = (
        False
    )
    rhythm: Annotated[str, "when something is expected of it", RHYTHM] = "weekly"
    until: Annotated[str, "the last day of a sender that has stopped", LAST_DAY] = ""


@dataclass(frozen=True)
class Public:
    """What may be published."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    hide_up_to: Annotated[int, "`release` and notices hide counts up to this", HIDEABLE] = 7


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    time_zone: Annotated[str, "reporting time zone: days and weeks are cut in it", TIME_ZONE] = "UTC"
    week_system: Annotated[str, "iso (Monday, 2026-W47) or mmwr (Sunday, 2026-MW47)", one_of("iso", "mmwr")] = "iso"
    max_quarantined_share: Annotated[float, "a file with a larger share of bad rows is rejected whole", SHARE] = 0.2
    max_expansion: Annotated[
        int, "a compressed file may unpack to at most this many times its size (and 64 MB)", POSITIVE
    ] = 250
    k_anonymity: Annotated[
        int, "`status` counts the records in groups of region, age band, sex and week smaller than this", POSITIVE
    ] = 5
    min_alarm_count: Annotated[int, "an alarm needs at least so many reports", NOT_NEGATIVE] = 5
    memory_limit: Annotated[str, "memory DuckDB may use before it goes to disk", MEMORY_SIZE] = "320MB"
    threads: Annotated[int, "threads for reading and for DuckDB; 0 is one per core", FEW_THREADS] = 0
    incoming: Annotated[
        tuple[str, ...],
        "what `run` without paths ingests: files, folders or globs, relative to the home, or s3:// addresses",
    ] = ("incoming",)
    denominators: Annotated[
        str, "CSV of region, population or contacts (optionally age_band, week), relative to the home; empty: no rates"
    ] = ""
    rule_pack: Annotated[
        str, "file of the rule pack for a new home and for `retag`, relative to the home; empty: the shipped one"
    ] = ""
    retries: Annotated[
        int, "how often a scheduled run tries a chunk of files again after a passing failure", NOT_NEGATIVE
    ] = 1
    ingest_cron: Annotated[str, "when `serve` ingests, in the reporting time zone", CRON] = "15 * * * *"
    report_cron: Annotated[str, "when `serve` writes the weekly report", CRON] = "0 6 * * 1"
    settle_seconds: Annotated[
        int, "a scheduled run leaves a file that changed less than so many seconds ago for the next one", NOT_NEGATIVE
    ] = 60
    keep_days: Annotated[
        int, "records of days longer ago are erased when the weekly report is written (0: never)", NOT_NEGATIVE
    ] = 0
    prefect_days: Annotated[int, "how many days Prefect's rows of `run` and `serve` are kept", POSITIVE] = 5
    metrics_file: Annotated[
        str, "where to write Prometheus metrics after every run, relative to the home; empty: nowhere"
    ] = ""
    notify_command: Annotated[str, "a command that gets each notice on its standard input; see docs/operations.md"] = ""
    share_with_group: Annotated[
        str, "a group of this machine that may read the summaries and the reports; empty: their owner alone"
    ] = ""
    publish_to: Annotated[
        str, "a folder that gets copies of the summaries and the reports, relative to the home; empty: none"
    ] = ""
    sources: Annotated[tuple[Source, ...], "the senders of files, a table each"] = ()
    public: Annotated[Public, "what may be published"] = Public()

    def find_incoming(self, home: Path) -> list[str]:
        """Return what `run` without paths ingests. Raises UsageError for an address that is none."""
        for address in filter(is_address, self.incoming):
            check_address(address)
        return [each if is_address(each) else str(home / each) for each in self.incoming]

    def source(self, name: str) -> Source:
        """Return a source by name, with its time zone; the shipped adapters are sources without any setting."""
        shipped = (Source(each, adapter=each) for each in SHIPPED_ADAPTERS)
        for source in (*self.sources, *shipped):
            if source.name == name:
                return replace(source, time_zone=source.time_zone or self.time_zone)
        known = ", ".join(sorted({s.name for s in self.sources} | set(SHIPPED_ADAPTERS)))
        raise UsageError(f"source '{name}' is not known; known: {known}. Name it in {FILE_NAME} under [[sources]].")


TABLES = {"sources": Source, "public": Public}  # the settings that are tables of the file


def load_settings(home: Path) -> Settings:
    """Read HOME/calfwatch.toml if it is there.

    Raises UsageError with every fault of the file, each with its line and what is allowed.
    """
    path = home / FILE_NAME
    if not path.exists():
        return Settings()
    from pipelines.settings_file import read_settings

    return read_settings(path, Settings, TABLES)
