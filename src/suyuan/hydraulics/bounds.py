"""Bounds on a Gaussian: pumps that push one way only and reaches that cannot hold less than nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from suyuan.errors import InputError, counted
from suyuan.flow import LEAST_VOLUME_PER_METRE
from suyuan.hydraulics.fit import Fit

Array = NDArray[np.float64]
Places = NDArray[np.int64]

INSIDE = 1e-6
"""Share of the usual discharge, or of the usual volume, by which the bounds lie inside what must hold, against rounding."""

MOST_ROUNDS = 100
"""Rounds in which bounds that are newly passed join those that hold; two or three are usual."""


@dataclass(frozen=True)
class Bound:
    """One-way discharges and least volumes of a fit, of reaches and tabled lakes: where they are passed, and what holds them."""

    fit: Fit
    pumps: Places

    @classmethod
    def of(cls, fit: Fit) -> Bound:
        """Return the bounds of a fit's network."""
        network = fit.problem.frame.network
        pumps = sorted({network.reach_index(s.reach) for s in network.structures if s.kind == "pump"})
        return cls(fit, np.array(pumps, np.int64))

    @property
    def margin(self) -> Array:
        """How far each bound lies inside what must hold, (pump, reach and lake) [m3/s or m3]."""
        frame = self.fit.problem.frame
        lakes = np.array([each.table.volume[-1] for each in frame.tabled_lakes])
        pumps = np.full(len(self.pumps), self.fit.guess.scale)
        return INSIDE * np.concatenate([pumps, frame.shape.held, lakes])

    def slack(self, unknown: Array, still: Array) -> Array:
        """Return by how much each bound is kept at each edge, (bin + 1, pump, reach and lake): below zero where it is passed."""
        frame, problem = self.fit.problem.frame, self.fit.problem
        factor = still[problem.doubts.width]
        discharge = (
            unknown[1:] @ frame.discharge[self.pumps].T + unknown[:-1] @ frame.discharge_before[self.pumps].T
        )
        discharge += self.fit.more.widened[:, self.pumps] @ factor + self.fit.more.swollen[:, self.pumps]
        discharge = np.where(problem.closed[:, self.pumps], np.inf, discharge)
        volume = frame.shape.held + self.fit.above(unknown, factor)
        volume -= LEAST_VOLUME_PER_METRE * frame.shape.length * 1.001
        volume[:, ~frame.shape.is_channel] = np.inf
        ends = np.vstack([np.full((1, len(self.pumps)), np.inf), discharge])
        return np.hstack([ends, volume, self.fit.lakes(unknown)]) - self.margin

    def statement(self, place: tuple[int, int]) -> tuple[Array, Array]:
        """Return how one bound depends on the unknowns, (bin + 1, n) and (p,)."""
        frame, problem = self.fit.problem.frame, self.fit.problem
        b, column = place
        on, on_still = np.zeros((len(problem.opening) + 1, frame.size)), np.zeros(len(problem.doubts.sd))
        if column < len(self.pumps):
            r = self.pumps[column]
            on[b], on[b - 1] = frame.discharge[r], frame.discharge_before[r]
            on_still[problem.doubts.width] = self.fit.more.widened[b - 1, r]
        elif column < len(self.pumps) + len(frame.shape.length):
            r = column - len(self.pumps)
            on[:, frame.stage] = -frame.stored[r] / len(on)
            on[b, frame.stage] += frame.stored[r]
            gained = self.fit.beyond[0][:, r]
            on_still[problem.doubts.width.start + problem.doubts.group[r]] = gained[b] - gained.mean()
        else:
            lake = frame.tabled_lakes[column - len(self.pumps) - len(frame.shape.length)]
            rise = lake.surface * frame.stage_at[lake.index]
            on[:, frame.stage] = -rise / len(on)
            on[b, frame.stage] += rise
        return on, on_still


def kept(fit: Fit, unknown: Array, *, still: Array, flows: str = "drawn flows") -> tuple[Array, Array]:
    """Return the nearest unknowns that keep all bounds, nearness counted by the precision: (draw, bin + 1, n) and (draw, p).

    Draws of a Gaussian projected so put on a bound the probability of passing it (Bardsley and Fox, 2012, An MCMC method for
    uncertainty quantification in nonnegativity constrained inverse problems): a pump that may stand still stands still in some.
    Raises InputError, naming the `flows`, where bounds are still passed after MOST_ROUNDS, or cannot be kept at all.
    """
    bound = Bound.of(fit)
    found = unknown, still
    places: list[tuple[int, int]] = []
    for done in range(MOST_ROUNDS + 1):
        slack = np.stack([bound.slack(u, s) for u, s in zip(*found, strict=True)])
        passed = _places(slack < 0.0)
        fresh = sorted(set(passed) - set(places))
        if not fresh:  # of those that are held rounding may take what they lie inside, not more
            passed = _places(slack < -bound.margin)
        if done == MOST_ROUNDS or not fresh:
            break
        places += fresh
        found = _pushed(bound, (unknown, still), places=places)
    if passed:
        raise _passed(bound, passed, rounds=done, flows=flows)
    return found


def _places(is_passed: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (edge, bound) of all that are passed in (draw, edge, bound), as often as they are."""
    return [(int(b), int(c)) for _, b, c in np.argwhere(is_passed)]


def _pushed(
    bound: Bound, given: tuple[Array, Array], *, places: list[tuple[int, int]]
) -> tuple[Array, Array]:
    """Return the unknowns nearest to the given ones, (draw, bin + 1, n) and (draw, p), that keep the bounds at these places."""
    unknown, still = given[0].copy(), given[1].copy()
    rows = [bound.statement(place) for place in places]
    on, on_still = np.stack([r[0] for r in rows], axis=2), np.stack([r[1] for r in rows], axis=1)
    back, back_still = bound.fit.factor.solve(on, on_still)
    joint = np.tensordot(on, back, ((0, 1), (0, 1))) + on_still.T @ back_still
    upper = cholesky(joint + np.diag(1e-12 * np.diag(joint)))
    at = tuple(np.array(places).T)
    for i in range(len(unknown)):
        missing = bound.slack(unknown[i], still[i])[at]
        if np.all(missing >= 0.0):
            continue
        push, _ = nnls(upper, -solve_triangular(upper, missing, trans=1))
        unknown[i] += back @ push
        still[i] += back_still @ push
    return unknown, still


def _passed(bound: Bound, places: list[tuple[int, int]], *, rounds: int, flows: str) -> InputError:
    """Return the error that bounds at these (edge, bound) are still passed, the place named at which most of them are."""
    network = bound.fit.problem.frame.network
    count = Counter(column for _, column in places)
    column, times = count.most_common(1)[0]
    first, last = len(bound.pumps), len(bound.pumps) + len(network.reaches)
    if column < first:
        passed, cause = f"reach '{network.reaches[bound.pumps[column]].id}' the pump runs backwards", "log"
    elif column < last:
        passed, cause = (
            f"reach '{network.reaches[column - first].id}' less water is held than none",
            "depth_m",
        )
    else:
        lake = network.nodes[bound.fit.problem.frame.tabled_lakes[column - last].index].id
        passed, cause = f"lake '{lake}' less water is held than none", "storage table"
    often = f"{counted(times, 'time')} in {flows}, after {counted(rounds, 'round')} of correcting them"
    remedy = f"check its {cause}, and whether the gauges nearby press against it"
    return InputError(bound.fit.problem.gauges.source, f"in {passed} {often}", remedy)
