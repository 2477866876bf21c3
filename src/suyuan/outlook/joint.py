"""The chance that any of a section's items misses its target: their chances joined by how their errors went together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.outlook.paths import OWN_FROM

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ends:
    """How one item may end a month.

    `misses` (member,) says whether it misses the target, the member with the least mean of the rest first; `past` (day,) is
    the mean that the errors of the forecasts of each past day lead to, NaN where unknown.
    """

    misses: NDArray[np.bool_]
    past: Array

    @property
    def chance(self) -> float:
        """The share of members that miss."""
        return float(self.misses.mean())

    @property
    def keeps(self) -> Array:
        """The chance (day,) to keep the target, did the errors of a past day come again; without a path that day, the item's own.

        The i-th to k-th of n paths, if they are the same, stand for the members between (i - 1) / n and k / n.
        """
        found = np.full(len(self.past), 1.0 - self.chance)
        known = np.isfinite(self.past)
        _, path, count = np.unique(self.past[known], return_inverse=True, return_counts=True)
        ends = np.append(0.0, np.cumsum(count)) / max(int(count.sum()), 1)
        share = np.arange(len(self.misses) + 1) / len(self.misses)
        missed = np.interp(ends, share, np.append(0.0, np.cumsum(self.misses)) / len(self.misses))
        found[known] = (1.0 - np.diff(missed) / np.diff(ends))[path]
        return found


def chance_of_any(items: Sequence[Ends]) -> float:
    """Return the probability that at least one item misses its target.

    Each past day puts every item at the quantile of its month ends at which its own errors of that day stood (the ranks of
    the same days: Clark et al. 2004, section 3b), so that items which went wrong together do so again, and each item
    keeps its own chance. Items are independent where a path is not known, and in so many days as paths of the past are
    held against (OWN_FROM). Two items of chance 1/2, without a past, miss 3 times in 4:

    >>> even = Ends(np.array([False, True]), np.array([np.nan]))
    >>> chance_of_any([even, even])
    0.75
    """
    together = np.prod([one.keeps for one in items], axis=0)
    apart = float(np.prod([1.0 - one.chance for one in items]))
    has_path = np.any([np.isfinite(one.past) for one in items], axis=0)
    return 1.0 - (float(together[has_path].sum()) + OWN_FROM * apart) / (int(has_path.sum()) + OWN_FROM)
