"""Random weeks: exact counts of one week by attribute and value, without any database."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SHARES = {
    "triage_level": (0.06, 0.49, 0.16, 0.29),
    "likely_cause": (0.09, 0.02, 0.14, 0.04, 0.05, 0.1, 0.07, 0.07, 0.09, 0.33),
    "age_band": (0.06, 0.14, 0.19, 0.22, 0.21, 0.15, 0.03),
    "sex": (0.5, 0.46, 0.01, 0.03),
}
Counts = dict[str, dict[str, int]]


def random_week(draw: np.random.Generator, reports: int, regions: int) -> Counts:
    """A week of so many reports; each attribute's shares scatter, regions have the sizes of a power law."""
    shares: Mapping[str, np.ndarray] = {name: np.array(of) for name, of in SHARES.items()}
    shares = {**shares, "region": np.arange(1, regions + 1) ** -1.0}
    counts: Counts = {}
    for name, of in shares.items():
        scattered = draw.dirichlet(of / of.sum() * 60)
        drawn = draw.multinomial(reports, scattered)
        counts[name] = {f"{name}_{i:02}": int(n) for i, n in enumerate(drawn)}
    return counts


def random_size(draw: np.random.Generator) -> int:
    """10 to 4,800 reports, small weeks as likely as large ones."""
    return int(np.exp(draw.uniform(np.log(10), np.log(4800))))
