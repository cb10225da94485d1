"""The quasi-Poisson GLM of Farrington's method, with past outbreaks weighed down, as R's surveillance fits it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ReweightedFit:
    """A reweighted quasi-Poisson fit.

    `phi` is at least 1. `spread` is the dispersion behind the trend's test and the prediction's standard error; R
    computes it from the reweighting weights in place of the working weights, and so is it here.
    """

    coefficients: Floats
    covariance: Floats  # unscaled
    phi: float
    spread: float
    degrees_of_freedom: int

    def predict(self, row: Floats) -> tuple[float, float]:
        """Return the linear predictor and its standard error."""
        variance = max(float(row @ self.covariance @ row), 0.0)
        return float(self.coefficients @ row), math.sqrt(variance * self.spread)


def fit_reweighted(counts: Floats, offset: Floats, design: Floats, threshold: float) -> ReweightedFit | None:
    """Fit, weigh past outbreaks down by their Anscombe residuals, and fit again; None without convergence."""
    first = _iterate(counts, offset, design, np.ones(len(counts)))
    if first is None:
        return None
    working, fitted, result = first
    phi = max(_estimate_dispersion(counts, fitted, working, design), 1)
    leverage = working * np.einsum("ij,jk,ik->i", design, result.normalized_cov_params, design)
    raw = 1.5 * (counts ** (2 / 3) * fitted ** (-1 / 6) - np.sqrt(fitted))
    residuals = raw / np.sqrt(phi * np.maximum(1 - leverage, 1e-12))
    weights = np.where(residuals > threshold, np.maximum(residuals, threshold) ** -2.0, 1.0)
    weights *= len(counts) / weights.sum()
    # without an outbreak to weigh down the second fit would be the first
    second = _iterate(counts, offset, design, weights) if (residuals > threshold).any() else first
    if second is None:
        return None
    working, fitted, result = second
    phi = max(_estimate_dispersion(counts, fitted, working, design), 1)
    spread = _estimate_dispersion(counts, fitted, weights, design)
    return ReweightedFit(result.params, result.normalized_cov_params, phi, spread, len(counts) - design.shape[1])


def _iterate(counts: Floats, offset: Floats, design: Floats, weights: Floats) -> tuple[Floats, Floats, Any] | None:
    """Working weights, fitted means and the statsmodels result of one Poisson GLM; None without convergence.

    Start and stopping rule are R's, and like R it takes the working weights of the last step, not of the result:
    in the sixth digit of phi it shows.
    """
    model = _import_glm()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant and all-zero baselines fit perfectly; that is no fault
        result = model(counts, offset, design, weights).fit(maxiter=25, tol_criterion="deviance", atol=1e-9, rtol=1e-8)
    fitted = result.mu
    if not result.converged or not np.isfinite(fitted).all():
        return None
    before = result.fit_history["params"][-2]
    working = weights * (np.exp(design @ before + offset) if np.ndim(before) else counts + 0.1)
    return working, fitted, result


@cache
def _import_glm() -> Any:
    """statsmodels' Poisson GLM that starts where R starts; imported on first use, because it takes a second."""
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    class StartingAsR(Poisson):  # type: ignore[misc]
        def starting_mu(self, y: Floats) -> Floats:
            return y + 0.1

    family = StartingAsR()
    return lambda counts, offset, design, weights: GLM(
        counts, design, family=family, var_weights=weights, offset=offset if offset.any() else None
    )


def _estimate_dispersion(counts: Floats, fitted: Floats, weights: Floats, design: Floats) -> float:
    return float(np.sum(weights * ((counts - fitted) / fitted) ** 2) / (len(counts) - design.shape[1]))
