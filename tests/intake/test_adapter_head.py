"""The head of an adapter: lists over several lines, names in quotes, keys that are none."""

from __future__ import annotations

from importlib.resources import files

import pytest

from pipelines.errors import UsageError
from pipelines.intake.layouts.adapter_head import read_head
from pipelines.settings import SHIPPED_ADAPTERS


def test_a_list_goes_on_after_a_comma_and_a_key_may_stand_again() -> None:
    head = read_head("-- title\n-- requires: a, b,\n--   c,\n-- d\n-- ignores: x\n-- ignores: y\nSELECT 1", "a.sql")
    assert head["requires"] == {"a", "b", "c", "d"}
    assert head["ignores"] == {"x", "y"}


def test_a_list_that_ends_with_a_comma_ends_at_the_next_key_and_at_the_select() -> None:
    assert read_head("-- ids: a,\n-- dates: b,\nSELECT 1", "a.sql")["ids"] == {"a"}
    assert read_head("-- ids: a,\n-- dates: b,\nSELECT 1", "a.sql")["dates"] == {"b"}


def test_names_in_quotes_keep_commas_blanks_and_brackets() -> None:
    head = read_head('-- requires: "Age (years, rounded)", Seen on, "the ""day""", signs[1]\nSELECT 1', "a.sql")
    assert head["requires"] == {"Age (years, rounded)", "Seen on", 'the "day"', "signs[1]"}


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("-- t\n-- require: a", "'require' is no key of an adapter's head; did you mean requires?"),
        ("-- t\n-- columns: a", "'columns' is no key of an adapter's head; known: requires, optional"),
        ("-- t\n--\n-- Requires: a", "did you mean requires?"),
        ('-- t\n-- ids: "a, b', "has a quote that is open"),
    ],
)
def test_what_is_no_head_is_refused_with_what_is_allowed(head: str, told: str) -> None:
    with pytest.raises(UsageError, match=r"^a\.sql: ") as caught:
        read_head(f"{head}\nSELECT 1", "a.sql")
    assert told in str(caught.value)


def test_a_comment_below_the_first_paragraph_may_have_a_colon() -> None:
    assert read_head("-- t\n-- ids: a\n--\n-- note: b\nSELECT 1 -- dates: c", "a.sql")["dates"] == frozenset()


@pytest.mark.parametrize("name", SHIPPED_ADAPTERS)
def test_the_shipped_heads_are_read(name: str) -> None:
    assert read_head((files("sql.sources") / f"{name}.sql").read_text(), name)["requires"]
