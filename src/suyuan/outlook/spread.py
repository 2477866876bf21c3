"""From past errors to probabilities: their own distribution, filled up with a normal one while they are few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MEMBERS = 99
"""Equally likely members that stand for a distribution."""

OWN_FROM = 30.0
"""So many past errors weigh as much as the normal distribution that is believed before them."""

MOST_ERROR = 5.0
"""Standardised errors beyond this are taken as this: the exponential of a fault is no concentration."""

FEWEST_ERRORS = 10
"""With fewer past errors the normal distribution stands alone."""


def chances() -> Array:
    """Return the probabilities (MEMBERS,) that the members stand for, (k - 1/2) / MEMBERS."""
    return np.asarray((np.arange(MEMBERS) + 0.5) / MEMBERS)


def members_of(errors: Array) -> Array:
    """Return MEMBERS standardised errors, ascending, from past ones (case,), of which NaN are left out.

    The distribution functions of the past errors and of the standard normal are mixed, n : OWN_FROM. Without past
    errors the members are normal:

    >>> float(round(members_of(np.array([]))[94], 2))
    1.65
    """
    from scipy.special import ndtri

    known = np.sort(np.clip(errors[np.isfinite(errors)], -MOST_ERROR, MOST_ERROR))
    normal = ndtri(chances())
    n = len(known)
    if n < FEWEST_ERRORS:
        return np.asarray(normal)
    values = np.concatenate([known, normal])
    weights = np.concatenate([np.ones(n), np.full(MEMBERS, OWN_FROM / MEMBERS)])
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    place = (np.cumsum(weights) - 0.5 * weights) / weights.sum()
    return np.asarray(np.interp(chances(), place, values))


def at_least(mean: Array, sd: Array, *, floor: float) -> Array:
    """Return the expected value of max(z, floor) of normal z: what is expected to be read where the instrument ends at the floor.

    Half of a standard normal about the floor lies below it, the other half 0.8 above:

    >>> at_least(np.array([0.0]), np.array([1.0]), floor=0.0).round(4).tolist()
    [0.3989]
    """
    from scipy.special import ndtr

    if not np.isfinite(floor):
        return mean
    b = (mean - floor) / sd
    return np.asarray(floor + sd * (np.exp(-0.5 * b**2) / np.sqrt(2.0 * np.pi) + b * ndtr(b)))
