"""Regression of logs with readings below detection limits by adjusted maximum likelihood (AMLE).

Maximum likelihood is biased in small samples, and more so where readings are censored. The bias of first order follows from
expected derivatives of the likelihood (Cox and Snell, 1968, J. R. Stat. Soc. B 30, 248, equation 20) and is taken off (Cohn,
1988, USGS Open-File Report 88-350; Cohn et al., 1992, Water Resour. Res. 28, 2353). Without censoring this is least squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from suyuan.errors import InputError
from suyuan.loads.likelihood import fit_censored, fit_slopes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Adjusted:
    """A regression of logs on p regressors: what maximum likelihood says, and its bias and spread as shares of sigma.

    `coefficients` (p,) and `sigma` are of maximum likelihood, `coefficient_bias` (p,) and `sigma_bias` their bias over sigma,
    `spread` (p + 1, p + 1) the covariance of coefficients and sigma over sigma^2. `log_likelihood` is that of ln values, `moved`
    (p + 1, reading) how coefficients and sigma move with the log of each reading's weight.
    """

    coefficients: Array
    sigma: float
    coefficient_bias: Array
    sigma_bias: float
    spread: Array
    log_likelihood: float
    moved: Array

    @property
    def variance_bias(self) -> float:
        """The bias of sigma^2 over sigma^2."""
        return float(2.0 * self.sigma_bias + self.spread[-1, -1])

    @property
    def variance(self) -> float:
        """The adjusted variance of the residuals; n / (n - p) times the mean square where nothing is censored."""
        return self.sigma**2 / (1.0 + self.variance_bias)

    @property
    def adjusted(self) -> Array:
        """The adjusted coefficients, (p,)."""
        return self.coefficients - self.sigma * self.coefficient_bias

    @property
    def covariance(self) -> Array:
        """The covariance of the adjusted coefficients, (p, p)."""
        return self.variance * self.spread[:-1, :-1]

    @property
    def standard_errors(self) -> Array:
        """The standard error of each adjusted coefficient, (p,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def aic(self) -> float:
        """Akaike's criterion, the variance counted as a parameter."""
        return float(-2.0 * self.log_likelihood + 2.0 * len(self.spread))

    @property
    def sppc(self) -> float:
        """Schwarz's criterion, the variance counted as a parameter."""
        return float(-2.0 * self.log_likelihood + np.log(self.moved.shape[1]) * len(self.spread))


def fit_adjusted(design: Array, *, log_low: Array, log_high: Array, log_limit: Array) -> Adjusted:
    """Return the regression of logs of readings on `design` (reading, p) by adjusted maximum likelihood.

    `log_low`, `log_high` (reading,) bound each ln reading; equal where it is known, `log_low` -inf below detection. `log_limit`
    (reading,) is the ln of the detection limit in force for each reading, -inf for none: what would have been censored counts
    in the expected information too.

    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> y = np.array([0.0, 2.0, 3.0, 3.0])
    >>> fit = fit_adjusted(np.column_stack([np.ones(4), x]), log_low=y, log_high=y, log_limit=np.full(4, -np.inf))
    >>> fit.adjusted.round(9).tolist(), round(fit.variance, 9)  # (0.5^2 + 0.5^2 + 0.5^2 + 0.5^2) / (4 - 2)
    ([0.5, 1.0], 0.5)
    """
    n, p = design.shape
    at, factor = np.zeros(p + 1), np.zeros((p + 1, p + 1))
    design = np.ascontiguousarray(design)
    value = fit_censored(design, log_low, log_high, np.ones(n), at, factor)
    if not np.isfinite(value):
        what = f"{n} readings do not determine {p} coefficients"
        remedy = "give readings of more flows, seasons or years, or choose a model with fewer terms"
        raise InputError("readings", what, remedy)
    sigma = 1.0 / at[-1]
    coefficients = at[:-1] * sigma
    below = (log_limit - design @ coefficients) * at[-1]
    second, third, slope = _expected(below)
    rows = np.concatenate([design, np.ones((n, 1))], axis=1)
    kind = np.append(np.zeros(p, np.int64), 1)
    information = -np.einsum("oj,ok,jko->jk", rows, rows, second[np.ix_(kind, kind)])
    spread = np.linalg.inv(information)
    at3 = np.ix_(kind, kind, kind)
    cubes = (slope - 0.5 * third)[at3]
    bias = spread @ np.einsum("kl,oj,ok,ol,jklo->j", spread, rows, rows, rows, cubes, optimize=True)
    slopes = fit_slopes(
        design, log_low, log_high, at, factor
    ).T  # of gamma = beta / sigma and theta = 1 / sigma
    of_sigma = -slopes[-1] * sigma**2
    moved = np.vstack([slopes[:-1] * sigma + np.outer(coefficients / sigma, of_sigma), of_sigma])
    return Adjusted(coefficients, float(sigma), bias[:-1], float(bias[-1]), spread, float(value), moved)


def _expected(limit: Array) -> tuple[Array, Array, Array]:
    """Return expected derivatives of a reading's likelihood in mean and sigma, at sigma = 1, for limits in units of sigma.

    Second (2, 2, reading) and third (2, 2, 2, reading) derivatives, and the slope of the second in the third index: index 0 is
    the mean, 1 is sigma. Closed forms by moments of the truncated normal.
    """
    x = np.where(np.isfinite(limit), np.clip(limit, -37.0, 37.0), 0.0)
    is_limited = np.isfinite(limit) & (limit > -37.0)
    log_density = -0.5 * x * x - 0.5 * np.log(2.0 * np.pi)
    f = np.where(is_limited, np.exp(log_density), 0.0)  # density at the limit
    below = np.where(is_limited, np.exp(log_ndtr(x)), 0.0)
    above = 1.0 - below
    h = np.where(is_limited, np.exp(log_density - log_ndtr(x)), 0.0)
    h1 = -h * (x + h)
    h2 = -h1 * (x + h) - h * (1.0 + h1)
    g, g1, g2 = f, below * h1, below * h2  # chance of being below times h and its derivatives

    second = np.empty((2, 2, len(x)))
    second[0, 0] = -above + g1
    second[0, 1] = second[1, 0] = -2.0 * f + g + x * g1
    second[1, 1] = above - 3.0 * (above + x * f) + x**2 * g1 + 2.0 * x * g

    third = np.empty((2, 2, 2, len(x)))
    mean2 = 2.0 * above - 2.0 * g1 - x * g2
    mean1 = 6.0 * f - 2.0 * g - 4.0 * x * g1 - x**2 * g2
    third[0, 0, 0] = -g2
    third[0, 0, 1] = third[0, 1, 0] = third[1, 0, 0] = mean2
    third[0, 1, 1] = third[1, 0, 1] = third[1, 1, 0] = mean1
    third[1, 1, 1] = -2.0 * above + 12.0 * (above + x * f) - 6.0 * x * g - 6.0 * x**2 * g1 - x**3 * g2

    in_limit = np.empty_like(second)  # slopes of the second derivatives in the limit
    d1 = f * h1 + below * h2  # of g1
    d0 = -x * f  # of f, and of g, which is the same number
    in_limit[0, 0] = f + d1
    in_limit[0, 1] = in_limit[1, 0] = -d0 + g1 + x * d1
    in_limit[1, 1] = 2.0 * f - 3.0 * (f + x * d0) + 2.0 * x * g1 + x**2 * d1 + 2.0 * g + 2.0 * x * d0
    slope = np.empty_like(third)
    slope[:, :, 0] = -in_limit
    slope[:, :, 1] = -2.0 * second - x * in_limit
    return second, third, slope
