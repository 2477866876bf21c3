"""Loads without the bias of returning from logs, their covariance, standard error of prediction and interval.

exp(mean + sigma^2 / 2) of estimates is not the mean load: the estimates err. Given that x beta - (their covariance with sigma) is
nearly independent of sigma, and sigma^2 nearly gamma distributed, an unbiased series in sigma is known (Finney, 1941; Bradu and
Mundlak, 1970, J. Am. Stat. Assoc. 65, 198; for censored readings Cohn, 1988, and Cohn et al., 1992).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from suyuan.loads.adjusted import Adjusted
from suyuan.loads.record import Bounded

Array = NDArray[np.float64]

TERMS = 160
"""Terms of the series; it stops earlier where they no longer count."""

SMALL = 1e-16
"""A term below this share of the sum does not count."""


@dataclass(frozen=True)
class Period:
    """The mean load of some days in the unit of the model, with its standard errors and 95 % interval.

    `standard_error` is that of the estimated mean, `prediction_error` also counts that each day differs from the regression;
    the interval is lognormal with the latter.
    """

    days: int
    mean: float
    standard_error: float
    prediction_error: float

    @property
    def bounded(self) -> Bounded:
        """The mean with its 95 % interval."""
        return Bounded.of_error(self.mean, self.prediction_error)


@dataclass(frozen=True)
class _Series:
    """What the fit says of sigma: shape and scale of its gamma distribution, and how coefficients move with it."""

    shape: float
    scale: float
    moved: Array
    centre: Array
    own: Array
    bias: Array

    @classmethod
    def of(cls, fit: Adjusted) -> _Series:
        with_sigma, of_sigma = fit.spread[:-1, -1], fit.spread[-1, -1]
        moved = with_sigma / of_sigma
        shape = (1.0 + fit.variance_bias) ** 2 / (4.0 * of_sigma)
        return cls(
            shape,
            (1.0 + fit.variance_bias) / shape,
            moved,
            fit.coefficients - moved * fit.sigma,
            fit.spread[:-1, :-1] - of_sigma * np.outer(moved, moved),
            fit.coefficient_bias - moved * (1.0 + fit.sigma_bias),
        )

    def in_sigma(self, design: Array) -> tuple[Array, Array]:
        """Return a and b (day,) of the sigma-dependent factor exp(a sigma + b sigma^2) of a mean load."""
        own = np.einsum("di,ik,dk->d", design, self.own, design, optimize=True)
        return -design @ self.bias, 0.5 * (1.0 - own)

    def log_moment(self, k: NDArray[Any]) -> Array:
        """Return ln E[S^k] for sigma = 1."""
        return np.asarray(0.5 * k * np.log(self.scale) + gammaln(self.shape + 0.5 * k) - gammaln(self.shape))

    def terms(self, design: Array, sigma: float) -> Iterator[Array]:
        """Yield the terms (day,) of the unbiased series for exp(a sigma + b sigma^2), until they no longer count."""
        a, b = self.in_sigma(design)
        before, now, total = np.zeros_like(a), np.ones_like(a), np.zeros_like(a)
        for k in range(TERMS):
            term = now * np.exp(k * np.log(sigma) - self.log_moment(np.array(k)))
            yield term
            total += term
            before, now = now, (a * now + 2.0 * b * before) / (k + 1)
            if k % 2 and (np.abs(term) + np.abs(now) * sigma ** (k + 1) <= SMALL * np.abs(total)).all():
                return


def daily_loads(fit: Adjusted, design: Array) -> Array:
    """Return the unbiased mean of exp(design beta + error) of each row of `design` (day, p), (day,).

    >>> y = np.log([1.0, 2.0, 4.0])
    >>> from suyuan.loads.adjusted import fit_adjusted
    >>> fit = fit_adjusted(np.ones((3, 1)), log_low=y, log_high=y, log_limit=np.full(3, -np.inf))
    >>> daily_loads(fit, np.ones((1, 1))).round(3).tolist()  # less than 2 exp(s^2 / 2) = 2.543
    [2.331]
    """
    series = _Series.of(fit)
    total = np.zeros(len(design))
    for term in series.terms(design, fit.sigma):
        total += term
    return np.asarray(np.exp(design @ series.centre) * total)


def mean_load(fit: Adjusted, design: Array) -> Period:
    """Return the mean load of the days of `design` (day, p), all pairs of days taken together, whose estimates err alike.

    Errors of single days about the regression are taken to be independent from day to day (Runkel et al., 2004).
    """
    days = len(design)
    loads = daily_loads(fit, design)
    of_estimates = float(load_covariance(fit, design).sum())
    of_days = float((loads**2).sum() * np.expm1(fit.variance))
    errors = (float(np.sqrt(max(one, 0.0))) / days for one in (of_estimates, of_estimates + of_days))
    return Period(days, float(loads.mean()), *errors)


def load_covariance(fit: Adjusted, design: Array) -> Array:
    """Return the covariance of the estimated loads of the days of `design` (day, p), (day, day)."""
    series = _Series.of(fit)
    sigma = np.sqrt(fit.variance)
    scaled = np.array(list(series.terms(design, sigma))).T
    k = np.arange(scaled.shape[1])
    moment = np.exp(series.log_moment(np.arange(2 * len(k) - 1)))
    product = scaled @ moment[np.add.outer(k, k)] @ scaled.T
    half = design @ (fit.coefficients + sigma * series.bias)
    own = design @ series.own @ design.T
    spread = np.diag(own)[:, None] + np.diag(own)[None, :] + 2.0 * own
    together = np.exp(half[:, None] + half[None, :] + 0.5 * fit.variance * spread) * product
    alone = design @ fit.coefficients
    return np.asarray(together - np.exp(alone[:, None] + alone[None, :] + fit.variance))
