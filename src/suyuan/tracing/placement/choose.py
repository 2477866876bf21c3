"""The best places: greedy, then exchanges, and a proof where the case is small enough; always with a bound."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.tracing.placement.prove import prove
from suyuan.tracing.placement.worth import Array, Worth, added, best_of, total

How = Literal["greedy", "exchange", "search"]

EFFORT = 2e9
"""Values of the table that may be looked at in search of a proof: some seconds."""

HELD = 25_000_000
"""Values of a table beyond which it is not held in memory, and no proof is sought."""

MOST_LOOKS = 50_000
"""Sets of places that may be looked at in search of a proof, however small the table."""

LEAST_GAIN = 1e-12
"""An exchange must gain this share of the worth, else rounding could exchange for ever."""


@dataclass(frozen=True)
class Choice:
    """Places chosen for their worth, and how good any other choice could be.

    `chosen` are columns of the table, the one that adds most first; `worth` (chosen + 1,) is the worth with the kept places
    alone, with the first, the first two ... `bound` is a worth that no choice of as many places can exceed, and `how` the
    way the choice was found. Worths are in the table's own unit.
    """

    chosen: tuple[int, ...]
    kept: tuple[int, ...]
    worth: Array
    bound: float
    how: How

    @property
    def assured(self) -> float:
        """The share of the best possible gain over the kept places that this choice has at least, 0 to 1."""
        possible = self.bound - self.worth[0]
        return float(min(1.0, (self.worth[-1] - self.worth[0]) / possible)) if possible > 0.0 else 1.0

    @property
    def is_best(self) -> bool:
        """Whether it is proved that no other choice is better, to one part in a million."""
        return self.assured >= 1.0 - 1e-6


def choose(table: Worth, count: int, *, kept: Sequence[int] = (), effort: float = EFFORT) -> Choice:
    """Return the `count` places that add most to the `kept` ones: greedy, exchanges, then a search for better or for proof.

    `effort` bounds the search by the number of values looked at, not by the clock, so that the same input gives the same
    answer everywhere; 0 leaves it out. Whatever the effort, `bound` holds.

    >>> from suyuan.tracing.placement.worth import ImpactTable
    >>> table = ImpactTable(np.array([[0.0, 4.0], [9.0, 4.0]]), np.array([10.0, 10.0]))
    >>> best = choose(table, 1)
    >>> best.chosen, best.worth.tolist(), best.is_best
    ((1,), [0.0, 6.0], True)
    """
    first = greedy(table, count, kept=kept)
    swapped = exchanged(table, first.chosen, kept=kept)
    how: How = "exchange" if set(swapped) != set(first.chosen) else "greedy"
    size = table.places * len(table.weight)
    looks = min(MOST_LOOKS, int(effort / max(1, size))) if size <= HELD else 0
    proof = prove(table, swapped, kept=kept, looks=looks)
    how = "search" if set(proof.chosen) != set(swapped) else how
    bound = min(first.bound, proof.bound, reachable(table, (*kept, *swapped), count=count))
    return _ordered(table, proof.chosen, kept=kept, bound=bound, how=how)


def greedy(table: Worth, count: int, *, kept: Sequence[int] = ()) -> Choice:
    """Return `count` places, each the one that adds most to those before it.

    Its gain is at least 1 - (1 - 1/n)^n of the best possible gain of n places, above 63 % (Nemhauser, Wolsey & Fisher,
    1978). Places whose gain of an earlier round is below the best of this round are not looked at again, since
    gains only fall (Minoux, 1978). Of equal places the first is taken. The `bound` is the better of that guarantee and of
    what the n largest gains would still add to these places (Leskovec et al., 2007).
    """
    _refuse(table, count, kept=kept)
    best = best_of(table, kept)
    worth = [total(table.weight, best)]
    waiting = [(-added(table, j, best=best), j, 0) for j in range(table.places) if j not in kept]
    heapq.heapify(waiting)
    chosen: list[int] = []
    singles = sorted((-gain for gain, _, _ in waiting), reverse=True)
    while len(chosen) < count:
        _, place, round_of = heapq.heappop(waiting)
        if round_of < len(chosen):
            heapq.heappush(waiting, (-added(table, place, best=best), place, len(chosen)))
            continue
        best = np.maximum(best, table.column(place))
        chosen.append(place)
        worth.append(total(table.weight, best))
    gained = (worth[-1] - worth[0]) / (1.0 - (1.0 - 1.0 / count) ** count)
    bound = min(
        worth[0] + gained,
        worth[0] + math.fsum(singles[:count]),
        reachable(table, (*kept, *chosen), count=count),
    )
    return Choice(tuple(chosen), tuple(kept), np.array(worth), max(bound, worth[-1]), "greedy")


def reachable(table: Worth, places: Sequence[int], *, count: int) -> float:
    """Return what no `count` places can exceed: the worth of `places` and the largest gains of others over them.

    If T is the best choice, F(T) <= F(places and T) <= F(places) + the sum of the gains of T (Leskovec et al., 2007).
    """
    best = best_of(table, places)
    gains = sorted((added(table, j, best=best) for j in range(table.places) if j not in places), reverse=True)
    return total(table.weight, best) + math.fsum(gains[:count])


def exchanged(table: Worth, chosen: Sequence[int], *, kept: Sequence[int] = ()) -> tuple[int, ...]:
    """Return places that no exchange of one of `chosen` for one outside improves; `kept` ones stay.

    The best exchange is made until none is left (Teitz & Bart, 1968; gains and losses as in Whitaker, 1983).
    """
    current = list(chosen)
    while True:
        gain, leaves, enters = _best_exchange(table, current, kept=kept)
        if gain <= LEAST_GAIN * max(1.0, total(table.weight, best_of(table, (*kept, *current)))):
            return tuple(current)
        current[leaves] = enters


def substitutes(table: Worth, choice: Choice) -> tuple[tuple[int, float], ...]:
    """Return for each chosen place the best one to take instead, and the worth that would cost; (-1, nan) where none is."""
    current = list(choice.chosen)
    outside = [j for j in range(table.places) if j not in {*current, *choice.kept}]
    if not outside:
        return tuple((-1, float("nan")) for _ in current)
    standing = _standing(table, current, kept=choice.kept)
    change = np.array(
        [_change(table.weight, table.column(j), standing=standing, count=len(current)) for j in outside]
    )
    at = change.argmax(axis=0)
    return tuple((outside[i], float(max(-change[i, k], 0.0))) for k, i in enumerate(at.tolist()))


def _best_exchange(table: Worth, current: Sequence[int], *, kept: Sequence[int]) -> tuple[float, int, int]:
    """Return the most that one exchange gains, which of `current` leaves, and which place enters."""
    found = (0.0, -1, -1)
    standing = _standing(table, current, kept=kept)
    for j in range(table.places):
        if j not in current and j not in kept:
            change = _change(table.weight, table.column(j), standing=standing, count=len(current))
            leaves = int(np.argmax(change))
            if change[leaves] > found[0]:
                found = (float(change[leaves]), leaves, j)
    return found


def _change(
    weight: Array,
    column: Array,
    *,
    standing: tuple[Array, Array, NDArray[np.int64]],
    count: int,
) -> Array:
    """Return what it gains to let a place of this column in for each of those there, (count,)."""
    best, second, who = standing
    gain = total(weight, np.maximum(column - best, 0.0))
    loss = weight * np.maximum(best - np.maximum(second, column), 0.0)
    return np.asarray(gain - np.bincount(who, weights=loss, minlength=count + 1)[:count])


def _standing(
    table: Worth, current: Sequence[int], *, kept: Sequence[int]
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return for each row the best value, the second best, and which of `current` has the best.

    Where a kept place has the best it is nobody of them: the number after the last.
    """
    best = best_of(table, kept)
    second, who = best.copy(), np.full(len(best), len(current))
    for k, place in enumerate(current):
        column = table.column(place)
        beats = column > best
        second = np.maximum(second, np.minimum(column, best))
        best, who = np.where(beats, column, best), np.where(beats, k, who)
    return best, second, who


def _ordered(table: Worth, chosen: Sequence[int], *, kept: Sequence[int], bound: float, how: How) -> Choice:
    """Return the choice with the place first that adds most, then the one that adds most to it ..."""
    best, left = best_of(table, kept), sorted(chosen)
    order, worth = [], [total(table.weight, best)]
    while left:
        gains = [added(table, j, best=best) for j in left]
        order.append(left.pop(int(np.argmax(gains))))
        best = np.maximum(best, table.column(order[-1]))
        worth.append(total(table.weight, best))
    return Choice(tuple(order), tuple(kept), np.array(worth), max(bound, worth[-1]), how)


def _refuse(table: Worth, count: int, *, kept: Sequence[int]) -> None:
    free = table.places - len(set(kept))
    if count < 1:
        raise InputError("placement", f"{count} stations are to be placed", "ask for 1 or more")
    if count > free:
        what = f"{count} stations are to be placed but there are {free} places for them"
        raise InputError("placement", what, "ask for fewer, or name more candidates")
