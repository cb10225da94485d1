"""What `calfwatch config` prints, and the settings file that `config --init` writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.settings import FILE_NAME, TABLES, Public, Settings, Source, load_settings
from pipelines.settings_file import read_key_meanings, read_toml


def describe_settings(home: Path) -> list[tuple[str, str, str, str]]:
    """Return name, value, origin and meaning of every setting, then of every source."""
    settings = load_settings(home)
    written = read_toml(home / FILE_NAME)[1] if (home / FILE_NAME).exists() else {}
    rows = [
        (key, _format_plain(getattr(settings, key)), FILE_NAME if key in written else "default", meaning)
        for key, meaning in read_key_meanings(Settings).items()
        if key not in TABLES
    ]
    shown = written.get("public", {})
    rows += [
        (
            f"public {key}",
            _format_plain(getattr(settings.public, key)),
            FILE_NAME if key in shown else "default",
            meaning,
        )
        for key, meaning in read_key_meanings(Public).items()
    ]
    for source in settings.sources:
        values = ", ".join(
            f"{key}={_format_plain(getattr(source, key))}" for key in read_key_meanings(Source) if key != "name"
        )
        rows.append((f"source {source.name}", values, FILE_NAME, "one sender of files"))
    return rows


def write_first_settings(home: Path) -> Path:
    """Write a settings file in which every setting stands as a comment, and a source; make the home if need be.

    Raises UsageError if there is one: nothing is overwritten.
    """
    path = home / FILE_NAME
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join(_list_example_lines()) + "\n")
    except FileExistsError as error:
        raise UsageError(f"{path}: is there already; it is not overwritten. Edit it, or move it away") from error
    return path


def _list_example_lines() -> Iterator[str]:
    yield "# calfwatch settings. Every line with a # says a default; `calfwatch config` shows what holds."
    defaults = Settings()
    for key, meaning in read_key_meanings(Settings).items():
        if key not in TABLES:
            yield from ("", f"# {meaning}", "# " + _format_toml_line(key, getattr(defaults, key)))
    yield from ("", "# What may be published.", "[public]")
    for key, meaning in read_key_meanings(Public).items():
        yield from ("", f"# {meaning}", "# " + _format_toml_line(key, getattr(defaults.public, key)))
    yield from ("", "# One table for each sender of files; the source's name goes into every record.", "[[sources]]")
    yield 'name = "clinic-1"'
    source = Source("clinic-1", patterns=("clinic-1_*.csv",))
    for key, meaning in read_key_meanings(Source).items():
        if key != "name":
            mark = "" if key == "patterns" else "# "
            yield from ("", f"# {meaning}", mark + _format_toml_line(key, getattr(source, key)))


def _format_toml_line(key: str, value: object) -> str:
    """Return a key and its value as TOML has it, which for texts, numbers, truth and lists is as JSON has it."""
    if value is None:
        return f"{key}: not set"
    return f"{key} = " + json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _format_plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)
