"""What a set of places is worth: every row counts the best of the places chosen, so worth grows ever more slowly.

Both tables here have the form F(S) = sum over rows of weight x max over places in S of value, never below 0. Such a sum is
monotone (another place never harms) and submodular (it adds the less the more places there are): facility location,
Nemhauser, Wolsey & Fisher (1978). The guarantees in `choose` rest on that and on nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Worth(Protocol):
    """Rows that are each worth the best of the places chosen."""

    @property
    def places(self) -> int:
        """How many places there are."""
        ...

    @property
    def weight(self) -> Array:
        """Weight of each row, (row,), 0 or more."""
        ...

    def column(self, place: int) -> Array:
        """Return what each row is worth with this place alone, (row,), 0 or more."""
        ...


@dataclass(frozen=True)
class ImpactTable:
    """Impact of scenarios by the place that detects them first.

    `impact` (scenario, place), NaN where the place never detects the scenario; `undetected` (scenario,) where nobody does;
    `share` (scenario,) are weights that sum to 1 (equal if left out). The mean impact of places S is the mean over
    scenarios of the least impact among S and `undetected` (Berry et al., 2006); a detection never makes it worse.

    >>> table = ImpactTable(np.array([[2.0, 9.0], [np.nan, 1.0]]), np.array([10.0, 10.0]))
    >>> table.mean_impact([0]), table.mean_impact([0, 1])
    (6.0, 1.5)
    """

    impact: Array
    undetected: Array
    share: Array | None = None

    def __post_init__(self) -> None:
        """Refuse tables that do not fit each other, and impacts nobody can add up."""
        scenarios = len(self.undetected)
        if self.impact.ndim != 2 or len(self.impact) != scenarios or scenarios == 0:
            what = f"impact has shape {self.impact.shape}, expected ({scenarios}, place)"
            raise InputError("impact table", what, "give one row a scenario and one column a place")
        if not np.all(np.isfinite(self.undetected)):
            s = int(np.flatnonzero(~np.isfinite(self.undetected))[0])
            what = f"scenario {s} has no impact for the case that nobody detects it"
            raise InputError("impact table", what, "give one for every scenario")
        if self.share is not None and (
            self.share.shape != (scenarios,) or np.any(self.share < 0.0) or self.share.sum() <= 0.0
        ):
            what = f"weights of shape {self.share.shape} with least {np.min(self.share, initial=0.0)}"
            raise InputError("impact table", what, f"give {scenarios} weights of 0 or more, not all 0")

    @property
    def places(self) -> int:
        """How many places there are."""
        return int(self.impact.shape[1])

    @cached_property
    def weight(self) -> Array:
        """Share of each scenario, (scenario,), sum 1."""
        given = np.ones(len(self.undetected)) if self.share is None else self.share
        return np.asarray(given / given.sum())

    def column(self, place: int) -> Array:
        """Return the impact that this place alone saves, (scenario,)."""
        saved = self.undetected - self.impact[:, place]
        return np.where(saved > 0.0, saved, 0.0)

    def mean_impact(self, chosen: Sequence[int]) -> float:
        """Return the mean impact that remains with these places."""
        least = np.fmin.reduce(np.column_stack([self.impact[:, list(chosen)], self.undetected]), axis=1)
        return total(self.weight, least)


@dataclass(frozen=True)
class SeenAndApart:
    """Releases seen early and sources told apart, as one worth between 0 and 1.

    *Seen*: a source at one look (an hour of release in one flow member) is worth the share of `horizon_h` that is left at
    its first reading above detection, `hours` (look, source, place) after its begin, and nothing where it is never seen.
    *Told apart*: two sources are worth the most by which the chance that one place shows a release differs between
    them, `shows` (source, place). Two equally likely suspects are then named rightly with probability (1 + that) / 2 by
    whether this one place shows it (Bayes error of a yes/no reading). Only the best place counts, so what two
    places say together (one shows it, then the other, hours later) is not credited: sources are told apart at least so well.

    `weight_of` (source,) is the prior of each source, sum 1; `candidate` (source,) numbers who it belongs to, since two
    points of one stretch need not be told apart. `apart_share` of the worth is for telling apart, the rest for seeing early.
    """

    hours: Array
    shows: Array
    weight_of: Array
    candidate: Index
    horizon_h: float
    apart_share: float = 0.5

    def __post_init__(self) -> None:
        """Refuse tables that do not fit each other."""
        if self.hours.ndim != 3 or self.hours.shape[1:] != self.shows.shape:
            what = f"hours {self.hours.shape} and shows {self.shows.shape} do not fit"
            raise InputError("placement", what, "give (look, source, place) and (source, place)")
        if self.weight_of.shape != (len(self.shows),) or self.candidate.shape != self.weight_of.shape:
            what = f"weight_of {self.weight_of.shape} and candidate {self.candidate.shape} do not fit {len(self.shows)} sources"
            raise InputError("placement", what, "give one weight and one number of candidate a source")
        if not 0.0 <= self.apart_share <= 1.0:
            what = f"the share {self.apart_share} for telling sources apart is not between 0 and 1"
            raise InputError(
                "placement", what, "write 0 to count only early sight, 1 to count only telling apart"
            )

    @property
    def places(self) -> int:
        """How many places there are."""
        return int(self.shows.shape[1])

    @cached_property
    def pairs(self) -> tuple[Index, Index, Array]:
        """Pairs of sources of different candidates and the prior of each pair, sum 1 (0 where there is no pair)."""
        one, other = np.triu_indices(len(self.weight_of), 1)
        differ = self.candidate[one] != self.candidate[other]
        one, other = one[differ], other[differ]
        weight = self.weight_of[one] * self.weight_of[other]
        total = float(weight.sum())
        return one, other, weight / total if total > 0.0 else weight

    @cached_property
    def weight(self) -> Array:
        """Weight of each row, (look x source + pair,)."""
        looks = len(self.hours)
        seen = np.tile((1.0 - self.apart_share) / looks * self.weight_of, looks)
        return np.concatenate([seen, self.apart_share * self.pairs[2]])

    def column(self, place: int) -> Array:
        """Return what one place alone is worth: the share of the horizon left, then how well it tells pairs apart."""
        one, other, _ = self.pairs
        shows = self.shows[:, place]
        left = np.maximum(1.0 - self.hours[:, :, place].ravel() / self.horizon_h, 0.0)
        return np.concatenate([left, np.abs(shows[one] - shows[other])])

    def first_hours(self, chosen: Sequence[int]) -> Array:
        """Return the time to the first reading above detection at any of these places [h], (look, source).

        `horizon_h` stands for a release that is not seen.
        """
        return np.asarray(self.hours[:, :, list(chosen)].min(axis=2, initial=self.horizon_h))

    def seen(self, chosen: Sequence[int]) -> float:
        """Return the probability that a release of median size is seen within the horizon."""
        return total(self.weight_of, (self.first_hours(chosen) < self.horizon_h).mean(axis=0))

    def mean_hours(self, chosen: Sequence[int]) -> float:
        """Return the mean time to the first reading above detection [h], an unseen release counting as the horizon."""
        return total(self.weight_of, self.first_hours(chosen).mean(axis=0))

    def apart(self, chosen: Sequence[int]) -> float:
        """Return how well the best single place tells two sources apart, the mean over pairs, 0 to 1."""
        one, other, weight = self.pairs
        best = np.zeros(len(weight))
        for place in chosen:
            np.maximum(best, np.abs(self.shows[one, place] - self.shows[other, place]), out=best)
        return total(weight, best)


def total(weight: Array, values: Array | NDArray[np.bool_]) -> float:
    """Return the weighted sum of rows; added in pairs, so that it is the same on every machine and needs no threads.

    >>> total(np.array([0.5, 0.5]), np.array([1.0, 3.0]))
    2.0
    """
    return float(np.sum(weight * values))


def best_of(table: Worth, places: Sequence[int]) -> Array:
    """Return what each row is worth with these places, (row,)."""
    best = np.zeros(len(table.weight))
    for place in places:
        best = np.maximum(best, table.column(place))
    return best


def added(table: Worth, place: int, *, best: Array) -> float:
    """Return what a place adds where rows are worth `best` (row,) already."""
    return total(table.weight, np.maximum(table.column(place) - best, 0.0))
