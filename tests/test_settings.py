"""calfwatch.toml: every key with its type, what is allowed, and every fault of a file at once with its line."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cli.settings_text import describe_settings, write_first_settings
from pipelines.errors import UsageError
from pipelines.settings import FILE_NAME, Allowed, Public, Settings, Source, load_settings
from pipelines.settings_file import read_key_meanings

DOCS = Path(__file__).parent.parent / "docs" / "commands.md"

FAULTS = {
    'time_zone = "Europe/Berln"': "time_zone must be a time zone, such as Europe/Berlin or UTC, not 'Europe/Berln'",
    'week_system = "isp"': "week_system must be iso or mmwr, not 'isp'",
    "max_quarantined_share = 1.1": "max_quarantined_share must be between 0 and 1, not 1.1",
    "max_expansion = 0": "max_expansion must be 1 or more, not 0",
    "k_anonymity = 5.5": "k_anonymity must be a whole number, not 5.5",
    'memory_limit = "lots"': "memory_limit must be a size, such as 512MB, not 'lots'",
    "threads = -1": "threads must be between 0 and 256, not -1",
    'incoming = [\n  "a",\n  3,\n]': 'incoming must be a list of texts, such as ["a", "b"], not 3',
    'incoming = "drop"': 'incoming must be a list of texts, such as ["a", "b"], not \'drop\'',
    "rule_pack = true": "rule_pack must be a text in quotes, not true",
    'retries = "2"': "retries must be a whole number, not '2'",
    'ingest_cron = "hello"': "ingest_cron must be five words of cron, such as 15 * * * *, not 'hello'",
    "report_cron = 1979-05-27": "report_cron must be five words of cron",
    "time_zoen = 1": "'time_zoen' is not a setting; did you mean time_zone?",
    'delimiter = ";"': "'delimiter' is not a setting but a key of [[sources]]: write it below that line",
    "[source]": "'source' is not a setting; did you mean [[sources]]?",
    "[elsewhere]\nx = 1": "'elsewhere' is not a setting; known: time_zone, week_system, max_quarantined_share,",
}
SOURCE_FAULTS = {
    'adapter = ["neiss"]': "sources.adapter must be a text in quotes, not ['neiss']",
    'time_zone = "localtime"': (
        "sources.time_zone must be empty, or a time zone, such as Europe/Berlin or UTC, not 'localtime'"
    ),
    'patterns = "a*"': 'sources.patterns must be a list of texts, such as ["a", "b"], not \'a*\'',
    'delimiter = ";;"': "sources.delimiter must be one character, such as ; or a tab, not ';;'",
    'unlisted = "maybe"': "sources.unlisted must be no or unknown, not 'maybe'",
    'rhythm = "monthly"': "sources.rhythm must be daily or weekdays or weekly or none, not 'monthly'",
    'patern = ["x"]': "'patern' is not a key of [[sources]]; did you mean patterns?",
    'ingest_cron = "1 * * * *"': "'ingest_cron' is not a key of [[sources]] but a setting: write it above the first",
}


# the last values that are allowed, and the first that are not, as TOML; of every key that has a rule
BORDERS = {
    Settings: {
        "time_zone": ('"UTC" "Asia/Kathmandu"', '"" "localtime" "utc+1" "Europe"'),
        "week_system": ('"iso" "mmwr"', '"" "ISO" "isommwr"'),
        "max_quarantined_share": ("0.0 1.0", "-0.001 1.001 nan"),
        "max_expansion": ("1", "0"),
        "k_anonymity": ("1", "0"),
        "min_alarm_count": ("0", "-1"),
        "memory_limit": ('"1KB" "1.5GiB" "512MB" "1_MB" "50%"', '"1" "MB" "1XB" "1B" ".5GB" "1.GB" "-1MB" "1MBx"'),
        "threads": ("0 256", "-1 257"),
        "retries": ("0", "-1"),
        "ingest_cron": ('"1_2_3_4_5"', '"1_2_3_4" "1_2_3_4_5_6"'),
        "report_cron": ('"1_2_3_4_5"', '"1_2_3_4" "1_2_3_4_5_6"'),
        "settle_seconds": ("0", "-1"),
        "keep_days": ("0", "-1"),
        "prefect_days": ("1", "0"),
    },
    Source: {
        "name": ('"a"', '""'),
        "time_zone": ('"" "UTC"', '"localtime" "Europe"'),
        "delimiter": ("""';' "\\t" '|'""", """'' ';;' '"' "\\n" "\\r\""""),
        "separator": ('"/" "12345678" "########"'.replace("12345678", "........"), '"" "#########" "a" "1" "_" "-"'),
        "unlisted": ('"no" "unknown"', '"" "yes"'),
        "missing_columns": ('"reject" "unknown"', '"" "no"'),
        "report_ids": ('"for_ever" "per_file"', '"" "for ever"'.replace(" e", "_x")),
        "rhythm": ('"daily" "weekdays" "weekly" "none"', '"" "monthly"'),
        "until": ('"" "2026-02-28"', '"2026-02-29" "20260228" "2026-2-28" "28.02.2026"'),
    },
    Public: {"hide_up_to": ("7 12 17 102", "2 6 8 11 13 -3")},
}


def settings_of(table: type, key: str, value: str) -> str:
    """A file with one key; an underscore within a text is a blank."""
    value = value.replace("_", " ") if re.search("[0-9]_", value) else value
    head = {Settings: "", Source: "[[sources]]\n", Public: "[public]\n"}[table]
    name = 'name = "a"\n' if table is Source and key != "name" else ""
    return f"{head}{name}{key} = {value}\n"


@pytest.mark.parametrize("table", BORDERS)
def test_the_last_value_is_allowed_and_the_first_beyond_it_is_a_fault(table: type, tmp_path: Path) -> None:
    for key, (allowed, refused) in BORDERS[table].items():
        for value in allowed.split():
            (tmp_path / FILE_NAME).write_text(settings_of(table, key, value))
            load_settings(tmp_path)
        for value in refused.split():
            (fault,) = faults_of(settings_of(table, key, value), tmp_path)
            assert f"{key} must be " in fault[1], (key, value)


@pytest.mark.parametrize("table", BORDERS)
def test_every_key_with_a_rule_has_its_borders_tried(table: type) -> None:
    hints = get_type_hints(table, include_extras=True)
    ruled = {
        field.name for field in fields(table) if any(isinstance(m, Allowed) for m in hints[field.name].__metadata__)
    }
    assert ruled == set(BORDERS[table])


def faults_of(text: str, home: Path) -> list[tuple[int, str]]:
    """Line and text of every fault that a file is refused for."""
    (home / FILE_NAME).write_text(text)
    with pytest.raises(UsageError) as told:
        load_settings(home)
    lines = str(told.value).split("\n")
    assert all(line.startswith(f"{home / FILE_NAME}:") for line in lines)
    found = [re.match(r":(\d+): (.*)", line.removeprefix(str(home / FILE_NAME))) for line in lines]
    return [(int(match[1]), match[2]) for match in found if match]


def test_without_a_file_every_setting_has_its_default(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()


def test_every_default_is_allowed(tmp_path: Path) -> None:
    def toml(values: dict[str, object]) -> str:
        def quoted(value: object) -> str:
            if isinstance(value, tuple):
                return f"[{', '.join(map(quoted, value))}]"
            return f'"{value}"' if isinstance(value, str) else str(value).lower()

        return "\n".join(f"{key} = {quoted(value)}" for key, value in values.items())

    settings, source = asdict(Settings()), asdict(Source("mine"))
    del settings["sources"]
    public = settings.pop("public")
    text = f"{toml(settings)}\n[public]\n{toml(public)}\n[[sources]]\n{toml(source)}\n"
    (tmp_path / FILE_NAME).write_text(text)
    assert load_settings(tmp_path) == Settings(sources=(Source("mine"),))


def test_the_file_that_the_docs_show_names_every_key_and_is_read(tmp_path: Path) -> None:
    text = DOCS.read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / FILE_NAME).write_text(text)
    settings = load_settings(tmp_path)
    assert settings.source("line-7").patterns == ("l7_*.csv*",)
    shown = set(re.findall(r"^(\w+) =", text, re.MULTILINE))
    assert shown == {*read_key_meanings(Settings), *read_key_meanings(Source), *read_key_meanings(Public)} - {
        "sources",
        "public",
    }


@pytest.mark.parametrize(("line", "told"), FAULTS.items())
def test_a_wrong_setting_is_told_with_what_is_allowed(line: str, told: str, tmp_path: Path) -> None:
    ((number, text),) = faults_of(f"# mine\n{line}\n", tmp_path)
    assert number == 2
    assert text.startswith(told)


@pytest.mark.parametrize(("line", "told"), SOURCE_FAULTS.items())
def test_a_wrong_key_of_a_source_is_told_with_what_is_allowed(line: str, told: str, tmp_path: Path) -> None:
    text = f'[[sources]]\nname = "a"\n[[sources]]\nname = "b"\n{line}\n'
    ((number, text),) = faults_of(text, tmp_path)
    assert number == 5
    assert text.startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[sources]]\nadapter = "neiss"\n', [(1, 'a [[sources]] table has no name; add name = "..."')]),
        ('[[sources]]\nname = ""\n', [(2, "sources.name must be a text that is not empty, not ''")]),
        (
            '[[sources]]\nname = "a"\n[[sources]]\nname = "a"\nrhythm = "x"\n',
            [
                (4, "source 'a' stands twice; give each sender its own name"),
                (5, "sources.rhythm must be daily or weekdays or weekly or none, not 'x'"),
            ],
        ),
        ('[sources]\nname = "a"\n', [(1, "sources must be written as [[sources]] tables")]),
        ("sources = [1]\n", [(1, "sources must be written as [[sources]] tables")]),
        ('sources = "a"\n', [(1, "sources must be written as [[sources]] tables")]),
    ],
)
def test_sources_that_are_none_are_told(text: str, told: list[tuple[int, str]], tmp_path: Path) -> None:
    assert faults_of(text, tmp_path) == told


def test_a_file_that_is_no_toml_is_told_with_the_parsers_words(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("threads = \n")
    with pytest.raises(UsageError, match=r"cannot be read as TOML: .*line 1"):
        load_settings(tmp_path)


@given(
    st.lists(st.sampled_from([line for line in FAULTS if not line.startswith("[")]), unique_by=lambda x: x.split()[0]),
    st.lists(st.lists(st.sampled_from(list(SOURCE_FAULTS)), unique_by=lambda x: x.split()[0]), max_size=3),
)
def test_every_fault_of_a_file_is_told_on_its_line(
    tmp_path_factory: pytest.TempPathFactory, settings: list[str], sources: list[list[str]]
) -> None:
    statements: list[tuple[str, str]] = [(line, FAULTS[line]) for line in settings]
    for place, lines in enumerate(sources):
        statements += [("[[sources]]", ""), (f'name = "{place}"', ""), *((line, SOURCE_FAULTS[line]) for line in lines)]
    expected, number = [], 1
    for line, told in statements:
        expected += [(number, told)] if told else []
        number += line.count("\n") + 1
    home = tmp_path_factory.mktemp("home")
    text = "".join(f"{line}\n" for line, _ in statements)
    if not expected:
        (home / FILE_NAME).write_text(text)
        assert len(load_settings(home).sources) == len(sources)
        return
    found = faults_of(text, home)
    assert [line for line, _ in found] == [line for line, _ in expected]
    assert all(text.startswith(told) for (_, text), (_, told) in zip(found, expected, strict=True))


def test_each_setting_is_described_with_its_origin(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('threads = 0\n[[sources]]\nname = "a"\npatterns = ["x*", "y*"]\n')
    rows = {name: (value, origin) for name, value, origin, _ in describe_settings(tmp_path)}
    assert list(rows) == [
        *(key for key in read_key_meanings(Settings) if key not in ("sources", "public")),
        "public hide_up_to",
        "source a",
    ]
    assert rows["threads"] == ("0", FILE_NAME), "written, though it is the default"
    assert rows["retries"] == ("1", "default")
    assert "patterns=x* y*, delimiter=,, separator=;, unlisted=unknown" in rows["source a"][0]


def test_pydantic_is_loaded_for_a_file_alone(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from pipelines.settings import load_settings\n"
        "load_settings(Path(sys.argv[1])); print('pydantic' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
    (tmp_path / FILE_NAME).write_text("threads = 1\n")
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
    assert load_settings(tmp_path).threads == 1


def test_a_first_settings_file_can_be_read_has_a_source_and_says_every_default(tmp_path: Path) -> None:
    path = write_first_settings(tmp_path / "new")
    assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    written = load_settings(tmp_path / "new")
    assert written == Settings(sources=(Source("clinic-1", patterns=("clinic-1_*.csv",)),))
    path.write_text(re.sub(r"(?m)^# (\w+ = )", r"\1", path.read_text()))
    assert load_settings(tmp_path / "new") == written


def test_a_settings_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "calfwatch.toml").write_text("threads = 1\n")
    with pytest.raises(UsageError, match="is there already"):
        write_first_settings(tmp_path)
    assert (tmp_path / "calfwatch.toml").read_text() == "threads = 1\n"
