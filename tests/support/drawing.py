"""How many examples a property is tried with: all in a whole run (CI, `make test`), fewer in the everyday one."""

from __future__ import annotations

import hypothesis

ALL, EVERYDAY = 100, 25  # Hypothesis tries 100 if nothing is said


def examples(number: int) -> int:
    """Return the share of `number` that this run takes; what a property needs to prove anything is left, 3."""
    share = hypothesis.settings.default.max_examples / ALL
    return min(number, max(3, round(number * share)))
