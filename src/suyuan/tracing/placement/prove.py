"""The best places with proof: best-first branch and bound, or as good a bound as the effort allows."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suyuan.tracing.placement.worth import Array, Worth, best_of, total

ROUNDING = 1e-12
"""Share of the worth below which two choices count as equal."""


AT_ONCE = 100_000
"""Values worked on at once, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class Proof:
    """The best choice that was found, and the `bound` that none exceeds; equal to `worth` where all was searched.

    `looks` is how many sets of places were looked at.
    """

    chosen: tuple[int, ...]
    worth: float
    bound: float
    looks: int


@dataclass(frozen=True, order=True)
class _Branch:
    """All choices that hold `chosen` and otherwise only places of `free`; none is worth more than -`least`."""

    least: float
    chosen: tuple[int, ...]
    free: tuple[int, ...]


def prove(table: Worth, chosen: Sequence[int], *, kept: Sequence[int], looks: int) -> Proof:
    """Return the best choice of as many places as `chosen`, which is the one to beat, after at most so many `looks`.

    A set S that still lacks r places cannot come to more than F(S) plus the r largest single gains over S, since gains
    only fall (Nemhauser, Wolsey & Fisher, 1978). The set with the highest such bound is opened first;
    what lies below the best choice known is never opened. The whole table is held in memory; where that is too much, allow no
    looks: the bound then says nothing.
    """
    incumbent = tuple(chosen)
    floor = total(table.weight, best_of(table, (*kept, *incumbent)))
    if looks < 1:
        return Proof(incumbent, floor, np.inf, 0)
    columns = np.stack([table.column(j) for j in range(table.places)])
    kept_best = best_of(table, kept)
    everything = tuple(j for j in range(table.places) if j not in kept)
    waiting = [_Branch(-np.inf, (), everything)]
    looked = 0
    while waiting and looked < looks and -waiting[0].least > floor * (1.0 + ROUNDING):
        branch = heapq.heappop(waiting)
        worth, gains, free = _opened(columns, branch, weight=table.weight, base=kept_best)
        looked += 1
        missing = len(incumbent) - len(branch.chosen)
        if missing == 1:
            if worth + gains[0] > floor * (1.0 + ROUNDING):
                floor, incumbent = worth + float(gains[0]), (*branch.chosen, free[0])
            continue
        for parts in _parted(branch.chosen, free, worth=worth, gains=gains, missing=missing):
            if -parts.least <= floor * (1.0 + ROUNDING):
                break
            heapq.heappush(waiting, parts)
    bound = max(floor, -waiting[0].least) if waiting else floor
    return Proof(incumbent, floor, bound, looked)


def _opened(
    columns: Array, branch: _Branch, *, weight: Array, base: Array
) -> tuple[float, Array, tuple[int, ...]]:
    """Return the worth of a branch's places and what each free one adds, the largest first, with those places.

    `columns` (place, row) are the values of the table, `base` (row,) those of the kept places.
    """
    best = columns[list(branch.chosen)].max(axis=0, initial=0.0)
    best = np.maximum(best, base)
    step = max(1, AT_ONCE // len(weight))
    parts = [branch.free[i : i + step] for i in range(0, len(branch.free), step)]
    more = (np.maximum(columns[list(part)] - best, 0.0) for part in parts)
    gains = np.concatenate([np.einsum("jr,r->j", values, weight) for values in more])
    order = np.argsort(-gains, kind="stable")
    return total(weight, best), gains[order], tuple(branch.free[i] for i in order.tolist())


def _parted(
    chosen: tuple[int, ...], free: tuple[int, ...], *, worth: float, gains: Array, missing: int
) -> list[_Branch]:
    """Return the branch in parts that share no choice: with the first free place, without it but with the second ..."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    return [
        _Branch(-(worth + float(sums[i + missing] - sums[i])), (*chosen, free[i]), free[i + 1 :])
        for i in range(len(free) - missing + 1)
    ]
