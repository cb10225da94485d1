"""No test of this folder looks at what is published."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipelines.store.ledger import Outcome


@pytest.fixture
def ingest(take_in: Callable[..., list[Outcome]]) -> Callable[..., list[Outcome]]:
    return take_in
