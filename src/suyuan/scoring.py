"""How good probabilities were: CRPS, Brier score and skill, coverage of intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

Array = NDArray[np.float64]


def crps_normal(observed: Array, mean: Array, *, sd: Array) -> Array:
    """Return the continuous ranked probability score of normal forecasts, in the unit of the observation; 0 is perfect.

    All arrays have one shape. Gneiting and Raftery (2007), equation 21. At the mean of a standard normal it is
    (sqrt(2) - 1) / sqrt(pi):

    >>> round(float(crps_normal(np.array([0.0]), np.array([0.0]), sd=np.array([1.0]))[0]), 4)
    0.2337
    """
    from scipy.special import ndtr

    if np.any(sd <= 0.0):
        raise InputError("crps_normal", f"a standard deviation is {np.min(sd):g}", "give positive ones")
    u = (observed - mean) / sd
    density = np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(sd * (u * (2.0 * ndtr(u) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi)))


def crps_members(observed: Array, members: Array) -> Array:
    """Return the CRPS (case,) of forecasts given as equally likely members (case, member).

    mean |x - y| - mean |x - x'| / 2 over members (Gneiting and Raftery 2007, equation 20). Two members 0 and 2 about an
    observation of 1 score 1 - 0.5:

    >>> crps_members(np.array([1.0]), np.array([[0.0, 2.0]])).tolist()
    [0.5]
    """
    ordered = np.sort(members, axis=1)
    n = ordered.shape[1]
    weight = 2.0 * np.arange(1, n + 1) - n - 1.0
    spread = (ordered * weight).sum(axis=1) / n**2
    return np.asarray(np.abs(ordered - observed[:, None]).mean(axis=1) - spread)


def brier(happened: NDArray[np.bool_], probability: Array) -> float:
    """Return the mean squared error of probabilities of an event (Brier 1950); 0 is perfect, 0.25 is "half" every time.

    >>> brier(np.array([True, False]), np.array([0.5, 0.5]))
    0.25
    """
    return float(np.mean((probability - happened) ** 2))


def skill(score: float, reference: float) -> float:
    """Return 1 - score / reference: 1 is perfect, 0 no better than the reference, negative is worse; NaN where the
    reference was perfect.

    >>> skill(0.05, 0.2)
    0.75
    """
    return float("nan") if reference == 0.0 else 1.0 - score / reference


def coverage(observed: Array, low: Array, *, high: Array) -> float:
    """Return the share of observations inside [low, high], both ends included.

    >>> coverage(np.array([1.0, 2.0, 9.0, 4.0]), np.zeros(4), high=np.full(4, 4.0))
    0.75
    """
    return float(np.mean((observed >= low) & (observed <= high)))
