"""Errors of days between readings, some known only to lie between bounds: a Gauss-Markov process given what was seen of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.loads.likelihood import between

Array = NDArray[np.float64]

NARROW = 0.05
"""Bounds closer than this, in standard deviations, are a reading at their middle."""

SWEEPS, STEP = 12, 0.5
"""Sweeps of expectation propagation, and the part of each correction that is taken."""


class Bridge(NamedTuple):
    """Errors given readings: `mean` (day,), `share` of it that moves with the readings, `left` variance, and `fade` to the next
    day: the covariance of days s < t is the product of the fades from s to t - 1 times what is left at t.
    """

    mean: Array
    share: Array
    left: Array
    fade: Array


def bridge(day: Array, *, seen: Array, noise: Array, lasting: float) -> Bridge:
    """Return the errors of days (day,), variance 1, `lasting` from day to day, given values `seen` with variances `noise`.

    `noise` is 0 for what is known exactly, inf where nothing was seen. Kalman filter and Rauch, Tung and Striebel (1965)
    smoother.

    >>> found = bridge(np.arange(2.0), seen=np.array([2.0, 0.0]), noise=np.array([0.0, np.inf]), lasting=0.9)
    >>> found.mean.round(6).tolist(), found.left.round(6).tolist()  # 0.9 times 2, and 1 - 0.9^2
    ([2.0, 1.8], [0.0, 0.19])
    """
    n = len(day)
    fades = [0.0, *(lasting ** np.diff(day)).tolist()]
    mean, share, left, ahead = ([0.0] * n for _ in range(4))
    m, s, p = 0.0, 0.0, 1.0
    for t, (f, y, r) in enumerate(zip(fades, seen.tolist(), noise.tolist(), strict=True)):
        m, s, p = f * m, f * s, f * f * p + 1.0 - f * f
        ahead[t] = p
        if r < np.inf:
            k = p / (p + r)
            m, s, p = m + k * (y - m), s + k * (1.0 - s), (1.0 - k) * p
        mean[t], share[t], left[t] = m, s, p
    fade = [0.0] * n
    for t in range(n - 2, -1, -1):
        f = fades[t + 1]
        g = left[t] * f / ahead[t + 1]
        mean[t] += g * (mean[t + 1] - f * mean[t])
        share[t] += g * (share[t + 1] - f * share[t])
        left[t] += g * g * (left[t + 1] - ahead[t + 1])
        fade[t] = g
    return Bridge(*(np.array(one) for one in (mean, share, left, fade)))


def sites(low: Array, high: Array) -> tuple[Array, Array]:
    """Return values and variances (reading,) that tell as much of a standard normal error as that it lies between bounds.

    With the mean m and variance v of the normal between the bounds: m / (1 - v), v / (1 - v).

    >>> value, noise = sites(np.array([-np.inf]), np.zeros(1))  # m = -sqrt(2 / pi), v = 1 - 2 / pi
    >>> value.round(4).tolist(), noise.round(4).tolist()
    ([-1.2533], [0.5708])
    """
    value, noise = np.empty(len(low)), np.empty(len(low))
    for i, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        m, v = _truncated(a, b)
        value[i], noise[i] = m / (1.0 - v), v / (1.0 - v)
    return value, noise


def sites_together(day: Array, *, low: Array, high: Array, lasting: float) -> tuple[Array, Array]:
    """Return values and variances as `sites` does, each beside what the other readings say of its error.

    Expectation propagation (Minka, 2001): many readings below detection in a row say little more than one.
    """
    value, noise = sites(low, high)
    wide = np.flatnonzero(high - low > NARROW)
    precision, pull = 1.0 / noise[wide], value[wide] / noise[wide]
    for _ in range(SWEEPS if len(wide) else 0):
        noise[wide], value[wide] = 1.0 / precision, pull / precision
        found = bridge(day, seen=value, noise=noise, lasting=lasting)
        others = 1.0 / (1.0 / found.left[wide] - precision)
        centre = others * (found.mean[wide] / found.left[wide] - pull)
        sd = np.sqrt(others)
        own, own_noise = sites((low[wide] - centre) / sd, (high[wide] - centre) / sd)
        new = 1.0 / (own_noise * others)
        precision, pull = (
            precision + STEP * (new - precision),
            pull + STEP * (new * (centre + sd * own) - pull),
        )
    noise[wide], value[wide] = 1.0 / precision, pull / precision
    return value, noise


def _truncated(a: float, b: float) -> tuple[float, float]:
    """Return mean and variance of a standard normal between a and b."""
    if b - a <= NARROW:
        return 0.5 * (a + b), (b - a) ** 2 / 12.0
    _, at_a, at_b = between(a, b)
    mean = at_a - at_b
    variance = 1.0 + (a * at_a if np.isfinite(a) else 0.0) - (b * at_b if np.isfinite(b) else 0.0) - mean**2
    return mean, float(np.clip(variance, 1e-9, 1.0 - 1e-9))
