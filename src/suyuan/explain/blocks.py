"""How many days in a row are drawn together for a band, and how often: days that resemble the one before are not news."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

FEWEST_BLOCKS = 3
"""Blocks below which what they have in common cannot be told; blocks are never longer than leaves so many."""

UPPER = 0.95
"""Upper end of the bands."""


ROUNDING = 1e-20
"""Share of the sum of squares below which what varies is rounding and no memory."""


def persistence(value: Array, side: NDArray[np.int64]) -> float:
    """Return the correlation of a day with the one before, of a series (day,) about the mean of each `side` (day,).

    Means that are estimated make it too small by (1 + 4 r) / n each (Marriott and Pope, 1954, Biometrika 41, 390); this is
    undone. At most 0.9, 0 where days are too few.

    >>> persistence(np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]), np.zeros(8, np.int64))
    0.0
    """
    sides, index = np.unique(side, return_inverse=True)
    means = np.bincount(index, value) / np.bincount(index)
    moved = value - means[index]
    total, free = float(moved @ moved), len(value) - 4.0 * len(sides)
    if total <= ROUNDING * float(value @ value) or free <= 0.0:
        return 0.0
    r = float((moved[1:] * moved[:-1])[index[1:] == index[:-1]].sum()) / total
    return float(np.clip((len(value) * r + len(sides)) / free, 0.0, 0.9))


def block_days(kept: float, days: int) -> int:
    """Return how many of `days` days in a row are drawn together, given the `persistence` of what is averaged.

    (6 r^2 / (1 - r^2)^2)^(1/3) days^(1/3), which errs least in the variance of a mean where a day resembles only the one
    before (Carlstein, 1986, Annals of Statistics 14, 1171; Politis and White, 2004, Econometric Reviews 23, 53, for AR(1)).

    >>> block_days(0.0, 30), block_days(0.5, 27)
    (1, 4)
    """
    longest = max(1, days // FEWEST_BLOCKS)
    wanted = float(np.cbrt(6.0 * kept**2 / (1.0 - kept**2) ** 2 * days))
    return min(max(1, round(wanted)), longest)


def counts_drawn(
    days: int, length: int, *, kept: float, free: float, size: int, rng: np.random.Generator
) -> Array:
    """Return how often each day counts in draws of whole blocks of `length` days, (draw, day), each draw `days` in all.

    The days stand in a ring, so that each is drawn as often. All of k blocks would make bands too narrow: k - 1 are drawn,
    for their mean is known only from themselves (Rao and Wu, 1988, J. Am. Stat. Assoc. 83, 231); fewer as Student's t with
    `free` degrees of freedom is wider than the normal distribution; and fewer as days resemble each other beyond the blocks.

    >>> counts_drawn(4, 2, kept=0.0, free=2.0, size=3, rng=np.random.default_rng(1)).sum(axis=1).tolist()
    [4.0, 4.0, 4.0]
    """
    wider = float(stats.t.ppf(UPPER, free) / stats.norm.ppf(UPPER)) ** 2 * together(kept, days)
    blocks = max(1, round((days / length - 1.0) / wider * together(kept, length)))
    begin = rng.integers(days, size=(size, blocks, 1))
    drawn = ((begin + np.arange(length)) % days).reshape(size, -1)
    counts = np.zeros((size, days))
    np.add.at(counts, (np.arange(size)[:, None], drawn), days / drawn.shape[1])
    return counts


def together(kept: float, days: int) -> float:
    """Return how many times as uncertain as of independent days the mean of so many days is (variance; Bartlett, 1935).

    >>> together(0.5, 2)
    1.5
    """
    lag = np.arange(1, days)
    return float(1.0 + 2.0 * ((1.0 - lag / days) * kept**lag).sum())
