"""How many examples and forms a test is tried with: all in a whole run (CI, `make test`), fewer in the everyday one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import hypothesis
import pytest

ALL, EVERYDAY = 100, 25  # Hypothesis tries 100 if nothing is said


def examples(number: int) -> int:
    """Return the share of `number` that this run takes; what a property needs to prove anything is left, 3."""
    share = hypothesis.settings.default.max_examples / ALL
    return min(number, max(3, round(number * share)))


def spread(forms: Iterable[Any], everyday: int) -> list[Any]:
    """Return the forms of a test, of which the everyday run takes so many, spread over them, and a whole run all.

    For forms that try one statement with other values, as packs or time zones; a form that alone sees something is
    for every day.
    """
    listed = list(forms)
    taken = {place * len(listed) // everyday for place in range(everyday)}
    return [form if place in taken else _left_to_whole_runs(form) for place, form in enumerate(listed)]


def _left_to_whole_runs(form: Any) -> Any:
    if isinstance(form, tuple):
        return pytest.param(*form, marks=pytest.mark.slow)
    return pytest.param(form, marks=pytest.mark.slow)
