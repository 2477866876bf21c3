"""Shares of several causes in one change that do not hang on the order in which the causes are taken away."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST = 10
"""Most causes: every set of them is valued, and there are 2^n."""


def shapley(values: Array) -> Array:
    """Return what each cause adds, (..., cause), averaged over every order in which the causes could be removed.

    `values` (..., 2^cause) is the change that a set of causes makes together; bit k of the index says whether cause k is in
    the set. The shares add up to the change of all less that of none; a cause that never adds anything gets 0, and two that
    are alike in every set get the same (Shapley, 1953, A value for n-person games, axioms 1 to 3).

    Two causes that make 1 and 2 alone, and 5 together: the 2 beyond their sum are halved.

    >>> shapley(np.array([0.0, 1.0, 2.0, 5.0])).tolist()
    [2.0, 3.0]
    """
    values = np.asarray(values, float)
    count = int(values.shape[-1]).bit_length() - 1
    if values.shape[-1] != 1 << count or count > MOST:
        raise ValueError(f"{values.shape[-1]} values are not those of all sets of up to {MOST} causes")
    shares = np.zeros((*values.shape[:-1], count))
    for cause in range(count):
        others = [k for k in range(count) if k != cause]
        for size in range(count):
            weight = 1.0 / (count * comb(count - 1, size))
            for chosen in combinations(others, size):
                index = sum(1 << k for k in chosen)
                shares[..., cause] += weight * (values[..., index | 1 << cause] - values[..., index])
    return shares


def products(factors: Array) -> Array:
    """Return the product of every set of factors (factor,), (2^factor,); that of no factor is 1.

    >>> products(np.array([2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0, 6.0]
    """
    sets = np.ones(1)
    for factor in factors:
        sets = np.concatenate([sets, sets * factor])
    return sets
