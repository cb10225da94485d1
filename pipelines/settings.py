"""Settings: `calfwatch.toml` in the home, each with a default; unknown keys are errors, not silence."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.errors import UsageError

RHYTHMS = ("daily", "weekdays", "weekly", "none")
SHIPPED_ADAPTERS = ("canonical", "symptom_list", "neiss")


@dataclass(frozen=True)
class Source:
    """One sender of files.

    patterns are shell patterns on the file's name; time_zone is that of times without an offset;
    unlisted is what `symptom_list` makes of a symptom that is not listed; rhythm says when something is expected of the
    source: daily, weekdays, weekly, or none for never; until is its last day (YYYY-MM-DD), if it has stopped.
    """

    name: str
    adapter: str = "canonical"
    time_zone: str = "UTC"
    patterns: tuple[str, ...] = ()
    delimiter: str = ","
    unlisted: str = "unknown"
    rhythm: str = "weekly"
    until: str = ""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. `origin` says where each value came from."""

    time_zone: str = "UTC"
    week_system: str = "iso"
    max_quarantined_share: float = 0.2
    max_expansion: int = 250
    k_anonymity: int = 5
    min_alarm_count: int = 5
    memory_limit: str = "320MB"
    threads: int = 0
    incoming: tuple[str, ...] = ("incoming",)
    rule_pack: str = ""
    retries: int = 1
    ingest_cron: str = "15 * * * *"
    report_cron: str = "0 6 * * 1"
    sources: tuple[Source, ...] = ()
    origin: dict[str, str] = field(default_factory=dict, compare=False)

    def source(self, name: str) -> Source:
        """A source by name; the shipped adapters are sources without any setting."""
        for source in self.sources:
            if source.name == name:
                return source
        if name in SHIPPED_ADAPTERS:
            return Source(name, adapter=name)
        known = ", ".join(sorted({s.name for s in self.sources} | set(SHIPPED_ADAPTERS)))
        raise UsageError(f"source '{name}' is not known; known: {known}. Name it in calfwatch.toml under [[sources]].")


MEANINGS = {
    "time_zone": "reporting time zone: days and weeks are cut in it",
    "week_system": "iso (Monday, 2026-W47) or mmwr (Sunday, 2026-MW47)",
    "max_quarantined_share": "a file with a larger share of bad rows is rejected whole",
    "max_expansion": "a compressed file may unpack to at most this many times its size (and 64 MB)",
    "k_anonymity": "`status` counts the records in groups of region, age band, sex and week smaller than this",
    "min_alarm_count": "an alarm needs at least so many reports",
    "memory_limit": "memory DuckDB may use before it goes to disk",
    "threads": "threads for reading and for DuckDB; 0 is one per core",
    "incoming": "what `run` without paths ingests: files, folders or globs, relative to the home",
    "rule_pack": "file of the rule pack for a new home and for `retag`, relative to the home; empty: the shipped one",
    "retries": "how often a scheduled run tries a chunk of files again after a passing failure",
    "ingest_cron": "when `serve` ingests, in the reporting time zone",
    "report_cron": "when `serve` writes the weekly report",
}


def home_path(given: str | None) -> Path:
    """`--home`, else CALFWATCH_HOME, else ./calfwatch-home."""
    return Path(given or os.environ.get("CALFWATCH_HOME") or "calfwatch-home").absolute()


def load_settings(home: Path) -> Settings:
    """Reads HOME/calfwatch.toml if it is there. Raises UsageError naming the key and what is allowed."""
    path = home / "calfwatch.toml"
    if not path.exists():
        return _checked(Settings(origin=dict.fromkeys(MEANINGS, "default")), path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as TOML: {error}") from error
    return _checked(_settings(raw, path), path)


def _settings(raw: dict[str, Any], path: Path) -> Settings:
    tables = raw.pop("sources", [])
    _refuse_unknown(raw, tuple(MEANINGS), path, "setting")
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise UsageError(f"{path}: sources must be written as [[sources]] tables")
    values = {key: _typed(key, value, getattr(Settings(), key), path) for key, value in raw.items()}
    origin = {key: path.name if key in raw else "default" for key in MEANINGS}
    return Settings(**values, sources=tuple(_source(table, path) for table in tables), origin=origin)


def _source(table: dict[str, Any], path: Path) -> Source:
    _refuse_unknown(table, tuple(f.name for f in fields(Source)), path, "key of [[sources]]")
    if not table.get("name"):
        raise UsageError(f"{path}: a [[sources]] table has no name")
    example = Source("x", patterns=())
    return Source(**{key: _typed(key, value, getattr(example, key), path) for key, value in table.items()})


def _typed(key: str, value: Any, example: Any, path: Path) -> Any:
    if isinstance(example, tuple):
        if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise UsageError(f"{path}: {key} must be a list of strings")
        return tuple(value)
    if isinstance(example, float) and type(value) in (int, float):
        return float(value)
    if type(value) is not type(example):
        raise UsageError(f"{path}: {key} must be of type {type(example).__name__}, not {value!r}")
    return value


def _refuse_unknown(table: dict[str, Any], known: tuple[str, ...], path: Path, what: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{path}: '{key}' is not a {what}; known: {', '.join(known)}")


def _checked(settings: Settings, path: Path) -> Settings:
    _zone(settings.time_zone, path)
    if settings.week_system not in ("iso", "mmwr"):
        raise UsageError(f"{path}: week_system must be iso or mmwr, not '{settings.week_system}'")
    if not 0 <= settings.max_quarantined_share <= 1:
        raise UsageError(f"{path}: max_quarantined_share must be between 0 and 1")
    if settings.k_anonymity < 1:
        raise UsageError(f"{path}: k_anonymity must be 1 or more")
    _check_numbers(settings, path)
    names = [source.name for source in settings.sources]
    for source in settings.sources:
        _check_source(source, names, path)
    return settings


def _check_source(source: Source, names: list[str], path: Path) -> None:
    _zone(source.time_zone, path)
    if names.count(source.name) > 1:
        raise UsageError(f"{path}: source '{source.name}' stands twice")
    if len(source.delimiter) != 1 or source.delimiter in '"\r\n':
        raise UsageError(f"{path}: source '{source.name}': delimiter must be one character, such as ; or a tab")
    if source.unlisted not in ("no", "unknown"):
        raise UsageError(f"{path}: source '{source.name}': unlisted must be no or unknown")
    if source.rhythm not in RHYTHMS:
        raise UsageError(f"{path}: source '{source.name}': rhythm must be one of {', '.join(RHYTHMS)}")
    try:
        date.fromisoformat(source.until or "2026-01-01")
    except ValueError as error:
        raise UsageError(f"{path}: source '{source.name}': until must be a day such as 2026-11-22") from error


def _check_numbers(settings: Settings, path: Path) -> None:
    for key in ("threads", "retries", "min_alarm_count"):
        if getattr(settings, key) < 0:
            raise UsageError(f"{path}: {key} must be 0 or more")
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)? ?([KMGT]i?B|%)", settings.memory_limit):
        raise UsageError(f"{path}: memory_limit '{settings.memory_limit}' is not a size; try 512MB")
    for key in ("ingest_cron", "report_cron"):
        if len(getattr(settings, key).split()) != 5:
            raise UsageError(f"{path}: {key} '{getattr(settings, key)}' is not five words of cron; try 15 * * * *")


def _zone(name: str, path: Path) -> None:
    try:
        if name == "localtime":  # the machine's own, which DuckDB does not know and the next machine has not
            raise ValueError(name)
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(f"{path}: time_zone '{name}' is not a time zone; try Europe/Berlin or UTC") from error


def settings_rows(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Name, value, where it came from, meaning: what `calfwatch config` prints."""
    rows = [(key, str(_plain(getattr(settings, key))), settings.origin[key], MEANINGS[key]) for key in MEANINGS]
    for source in settings.sources:
        shown = {key: value for key, value in asdict(source).items() if key != "name"}
        rows.append((f"source {source.name}", str(_plain(shown)), "calfwatch.toml", "one sender of files"))
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_plain(item)}" for key, item in value.items())
    return " ".join(value) if isinstance(value, tuple) else value
