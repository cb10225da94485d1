"""What a guessed adapter asks about the words of a column: a few short ones are named, and nothing of a person."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest

from pipelines.intake.layouts.adapter_columns import Guess, _age_sql, answer_sql, holds_answers


def _asked(*words: str) -> str:
    guess = Guess()
    answer_sql("fever", ["yes", *words], guess)
    return guess.open_points[0]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["not asked"], "'not asked'"),
        (["a" * 15, "b" * 16], f"'{'a' * 15}'"),  # a longer one could be a sentence about somebody
        (["jane@doe.org", "later"], "'later'"),
        ([f"w{letter}" for letter in "abcdefgh"], "'wa', 'wb', 'wc', 'wd', 'we'"),
        ([f"w{letter}" for letter in "abcdefghijkl"], "'wa', 'wb', 'wc', 'wd', 'we'"),
        ([f"w{letter}" for letter in "abcdefghijklm"], "it has many words"),
    ],
)
def test_of_the_words_that_are_not_understood_a_few_short_ones_are_named(words: Sequence[str], named: str) -> None:
    assert _asked(*words) == f"fever: which of these mean yes, no, unknown? {named}"


@pytest.mark.parametrize(
    ("cells", "is_one"),
    [
        (["yes", "no", "a", "b", "c"], True),
        (["yes", "no", "a", "b", "c", "d"], False),  # too many for a question
        (["1", "2"], False),  # a code
        (["0", "1"], True),
        (["f", "t", "u"], False),
        ([], False),
    ],
)
def test_a_column_of_few_words_with_yes_or_no_among_them_holds_answers(cells: Sequence[str], is_one: bool) -> None:
    assert holds_answers(cells) is is_one


@pytest.mark.parametrize(
    ("ages", "band"),
    [
        (("0", "17", "17.9"), "0-17"),
        (("18", "29"), "18-29"),
        (("30", "44"), "30-44"),
        (("45", "59"), "45-59"),
        (("60", "74"), "60-74"),
        (("75", "130"), "75+"),
    ],
)
def test_a_guessed_adapter_puts_every_age_into_its_band(ages: Sequence[str], band: str) -> None:
    sql = _age_sql("age", ["12", "80"], Guess())
    for age in ages:
        assert duckdb.execute(f"SELECT {sql} FROM (SELECT $age AS age)", {"age": age}).fetchall() == [(band,)]


@pytest.mark.parametrize("age", ["-1", "131"])
def test_an_age_that_nobody_has_is_left_to_be_refused(age: str) -> None:
    sql = _age_sql("age", ["12", "80"], Guess())
    assert duckdb.execute(f"SELECT {sql} FROM (SELECT $age AS age)", {"age": age}).fetchall() == [(age,)]
