"""What a guessed adapter asks about the words of a column: a few short ones are named, and nothing of a person."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipelines.intake.layouts.adapter_columns import Guess, answer_sql, holds_answers


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
