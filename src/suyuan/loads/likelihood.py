"""Weighted regression of readings of which some are known only to lie between two bounds, compiled.

The log-likelihood of a normal regression with left-, right- or interval-censored readings is concave in gamma = beta / sigma
and theta = 1 / sigma (Olsen, 1978, Econometrica 46, 1211; Burridge, 1981, Biometrika 68, 41), so Newton's steps end at its one
maximum from anywhere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel

Array = NDArray[np.float64]

STEPS = 60
"""Newton steps at most; ten are many."""

CLOSE = 1e-9
"""The squared Newton decrement, relative to the sum of weights, from which one more step ends within rounding of the maximum."""

FAR = 35.0
"""Standard deviations beyond which a bound is taken as infinitely far on its own side."""

_SQRT2 = math.sqrt(2.0)
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


@kernel
def solve_spd(matrix: Array, right: Array) -> bool:
    """Put the solution of matrix x = right into `right` (n,) and the Cholesky factor into `matrix` (n, n); False if singular."""
    n = len(right)
    for i in range(n):
        largest = matrix[i, i]
        for k in range(i):
            matrix[i, i] -= matrix[i, k] ** 2
        if not matrix[i, i] > 1e-13 * largest:
            return False
        matrix[i, i] = math.sqrt(matrix[i, i])
        for j in range(i + 1, n):
            for k in range(i):
                matrix[j, i] -= matrix[j, k] * matrix[i, k]
            matrix[j, i] /= matrix[i, i]
    back_substitute(matrix, right)
    return True


@kernel
def back_substitute(factor: Array, right: Array) -> None:
    """Put the solution of factor factor' x = right into `right` (n,), the factor (n, n) lower triangular."""
    n = len(right)
    for i in range(n):
        for k in range(i):
            right[i] -= factor[i, k] * right[k]
        right[i] /= factor[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            right[i] -= factor[k, i] * right[k]
        right[i] /= factor[i, i]


@kernel
def log_tail(x: float) -> float:
    """Return the log of the chance that a standard normal lies below x, to rounding also far below."""
    if x > -FAR:
        return math.log(0.5 * math.erfc(-x / _SQRT2))
    s = 1.0 / (x * x)
    return -0.5 * x * x - _LOG_SQRT_2PI - math.log(-x) + math.log1p(-s + 3.0 * s * s - 15.0 * s * s * s)


@kernel
def between(a: float, b: float) -> tuple[float, float, float]:
    """Return ln(Phi(b) - Phi(a)) and the densities at a and at b over that chance; a may be -inf, b inf.

    Bounds in the upper tail are mirrored into the lower one, where chances are not differences of numbers near 1.
    """
    if a > 0.0:
        chance, at_b, at_a = _lower(-b, -a)
    else:
        chance, at_a, at_b = _lower(a, b)
    return chance, at_a, at_b


@kernel
def _lower(a: float, b: float) -> tuple[float, float, float]:
    above = log_tail(b)
    chance = above
    if a > -math.inf:
        chance += math.log1p(-math.exp(log_tail(a) - above))
    at_a = math.exp(-0.5 * a * a - _LOG_SQRT_2PI - chance) if a > -math.inf else 0.0
    at_b = math.exp(-0.5 * b * b - _LOG_SQRT_2PI - chance) if b < math.inf else 0.0
    return chance, at_a, at_b


@kernel
def add_reading(  # noqa: PLR0913, PLR0917  (a kernel takes arrays)
    o: int, rows: Array, low: Array, high: Array, weight: float, at: Array, grad: Array, hess: Array
) -> float:
    """Return the weighted log-likelihood of reading `o` at (gamma, theta) and add its slope and minus its curvature.

    `rows` (reading, p) are the regressors, `at` (p + 1,), `grad` (p + 1,), `hess` (p + 1, p + 1) lower triangle. A reading
    with low = high is known exactly.
    """
    p = rows.shape[1]
    theta, l, u = at[p], low[o], high[o]  # noqa: E741
    mean = 0.0
    for k in range(p):
        mean += rows[o, k] * at[k]
    if l == u:
        error = theta * l - mean
        value = math.log(theta) - 0.5 * error * error - _LOG_SQRT_2PI
        in_mean, in_theta = error, 1.0 / theta - error * l
        mean_mean, mean_theta = 1.0, -l
        theta_theta = l * l + 1.0 / (theta * theta)
    else:
        a, b = theta * l - mean, theta * u - mean
        value, at_a, at_b = between(a, b)
        if at_a == 0.0:
            a, l = 0.0, 0.0  # noqa: E741
        if at_b == 0.0:
            b, u = 0.0, 0.0
        in_mean, in_theta = at_a - at_b, u * at_b - l * at_a
        aa, bb, ab = at_a * at_a - a * at_a, at_b * at_b + b * at_b, at_a * at_b
        mean_mean = aa + bb - 2.0 * ab
        mean_theta = -(l * aa + u * bb - (l + u) * ab)
        theta_theta = l * l * aa + u * u * bb - 2.0 * l * u * ab
    for i in range(p):
        grad[i] += weight * rows[o, i] * in_mean
        for k in range(i + 1):
            hess[i, k] += weight * rows[o, i] * rows[o, k] * mean_mean
        hess[p, i] += weight * rows[o, i] * mean_theta
    grad[p] += weight * in_theta
    hess[p, p] += weight * theta_theta
    return float(weight * value)


@kernel
def start_at(rows: Array, low: Array, high: Array, weights: Array, at: Array) -> bool:
    """Put a weighted least squares fit into `at` (p + 1,), a bound standing for a censored reading; False if singular."""
    n, p = rows.shape
    normal, right = np.zeros((p, p)), np.zeros(p)
    square, total = 0.0, 0.0
    for o in range(n):
        y = low[o] if low[o] > -math.inf else high[o]
        for i in range(p):
            right[i] += weights[o] * rows[o, i] * y
            for k in range(i + 1):
                normal[i, k] += weights[o] * rows[o, i] * rows[o, k]
    if not solve_spd(normal, right):
        return False
    for o in range(n):
        y = low[o] if low[o] > -math.inf else high[o]
        for i in range(p):
            y -= rows[o, i] * right[i]
        square += weights[o] * y * y
        total += weights[o]
    if not square > 1e-20 * total:
        return False
    at[p] = math.sqrt(total / square)
    for i in range(p):
        at[i] = right[i] * at[p]
    return True


@kernel
def likelihood_at(  # noqa: PLR0913, PLR0917  (a kernel takes arrays)
    rows: Array, low: Array, high: Array, weights: Array, at: Array, grad: Array, hess: Array
) -> float:
    """Return the log-likelihood at (gamma, theta), its slope in `grad` and minus its curvature in `hess` (lower triangle)."""
    for i in range(len(grad)):
        grad[i] = 0.0
        for k in range(len(grad)):
            hess[i, k] = 0.0
    value = 0.0
    for o in range(len(low)):
        value += add_reading(o, rows, low, high, weights[o], at, grad, hess)
    return value


@kernel
def fit_censored(rows: Array, low: Array, high: Array, weights: Array, at: Array, factor: Array) -> float:
    """Return the greatest log-likelihood, NaN if there is none; (gamma, theta) goes to `at` (p + 1,).

    `rows` (reading, p), `low` and `high` (reading,) bounds of the readings, `weights` (reading,). The Cholesky factor of
    minus the curvature at the maximum goes to `factor` (p + 1, p + 1).
    """
    size = len(at)
    grad, step, trial = np.zeros(size), np.zeros(size), np.zeros(size)
    if not start_at(rows, low, high, weights, at):
        return math.nan
    value, total = likelihood_at(rows, low, high, weights, at, grad, factor), 0.0
    for o in range(len(weights)):
        total += weights[o]
    for _ in range(STEPS):
        decrement = 0.0
        for i in range(size):
            step[i] = grad[i]
        if not solve_spd(factor, step):
            return math.nan
        for i in range(size):
            decrement += step[i] * grad[i]
        is_last = decrement < CLOSE * total
        better, share = -math.inf, 2.0
        while not better >= value and share > 1e-9:
            share *= 0.5
            for i in range(size):
                trial[i] = at[i] + share * step[i]
            if trial[size - 1] > 0.0:
                better = likelihood_at(rows, low, high, weights, trial, grad, factor)
            if is_last:  # a step as short as this cannot be told from rounding by its likelihood
                break
        for i in range(size):
            at[i] = trial[i]
        value = better
        if is_last:
            return value if solve_spd(factor, step) else math.nan
    return math.nan


@kernel
def fit_slopes(rows: Array, low: Array, high: Array, at: Array, factor: Array) -> Array:
    """Return how (gamma, theta) of a fit moves with the log of each reading's weight, (reading, p + 1).

    `at` and `factor` as left by fit_censored with weights of 1: the infinitesimal jackknife.
    """
    moved, unused = np.zeros((len(low), len(at))), np.empty((len(at), len(at)))
    score = np.empty(len(at))
    for o in range(len(low)):
        for i in range(len(at)):
            score[i] = 0.0
        add_reading(o, rows, low, high, 1.0, at, score, unused)
        back_substitute(factor, score)
        for i in range(len(at)):
            moved[o, i] = score[i]
    return moved
