"""What other determinands say of the days ahead: a small ridge regression, used as far as it helped on days it had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.outlook.level import Followed

Array = NDArray[np.float64]

RIDGE = 600.0
"""Weight of the belief that nothing helps, in days."""

DOUBT = 0.5
"""Standard errors of the gain that are taken off it. RIDGE and DOUBT: the best of five pairs on the Taihu stations to 2023-06."""

BLOCKS = 5
FEWEST = 60
"""Days with an error that a regression needs."""

MOST_ERROR = 4.0
"""Standardised errors beyond this are taken as this: one fault must not decide."""


@dataclass(frozen=True)
class Help:
    """A regression of the standardised error of one horizon on `signals`: `weights` (signal,), and how much of it is used, 0 to 1
    (`share`).
    """

    weights: Array
    share: float

    def correction(self, signals: Array) -> Array:
        """Return what to add to the forecasts (day,), in standard deviations."""
        return np.asarray(self.share * (signals @ self.weights))


def signals_of(own: Followed, others: Sequence[Followed], *, learnt: int) -> Array:
    """Return (day, signal): how the last readings moved the target, its fast and slow part, and the same without slow part of the
    others; each by its own size over the first `learnt` days.
    """
    columns = [own.state[:, -2], own.state[:, -1], own.moved]
    for other in others:
        columns += [other.state[:, -2], other.moved]
    signals = np.stack(columns, axis=1)
    size = signals[:learnt].std(axis=0)
    return np.asarray(signals / np.where(size > 0.0, size, np.inf))


def help_of(signals: Array, error: Array, *, horizon: int) -> Help:
    """Return the help for one horizon, from signals (day, signal) and standardised errors (day,), NaN where unknown.

    Each fifth of the record is foretold by the others. The share is what would have been best there less DOUBT standard
    errors, so that chance gains count for nothing; errors of overlapping horizons are not independent.
    """
    known = np.isfinite(error)
    none = Help(np.zeros(signals.shape[1]), 0.0)
    if known.sum() < FEWEST:
        return none
    x, u = signals[known], np.clip(error[known], -MOST_ERROR, MOST_ERROR)
    seen = np.concatenate([_unseen(x, u, block=rows) for rows in np.array_split(np.arange(len(u)), BLOCKS)])
    size = float((seen**2).sum())
    if size == 0.0:
        return none
    doubt = DOUBT * np.sqrt(horizon * float((seen**2 * u**2).sum()))
    share = min(max((float(seen @ u) - doubt) / size, 0.0), 1.0)
    return Help(_ridge(x, u), share)


def _unseen(x: Array, u: Array, *, block: NDArray[np.int64]) -> Array:
    """Return what the days outside a block foretell inside it."""
    other = np.ones(len(u), bool)
    other[block] = False
    return np.asarray(x[block] @ _ridge(x[other], u[other]))


def _ridge(x: Array, u: Array) -> Array:
    return np.asarray(np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ u))
