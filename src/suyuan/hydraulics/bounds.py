"""Bounds on a Gaussian: pumps that push one way only and reaches that cannot hold less than nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from suyuan.errors import InputError
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

    def slack(self, unknown: Array, still: Array) -> Array:
        """Return by how much each bound is kept at each edge, (bin + 1, pump, reach and lake): below zero where it is passed."""
        frame, problem = self.fit.problem.frame, self.fit.problem
        factor = still[problem.doubts.width]
        discharge = (
            unknown[1:] @ frame.discharge[self.pumps].T + unknown[:-1] @ frame.discharge_before[self.pumps].T
        )
        discharge += self.fit.more.widened[:, self.pumps] @ factor + self.fit.more.swollen[:, self.pumps]
        discharge = np.where(problem.closed[:, self.pumps], np.inf, discharge - INSIDE * self.fit.guess.scale)
        least = LEAST_VOLUME_PER_METRE * frame.shape.length * 1.001 + INSIDE * frame.shape.held
        volume = frame.shape.held + self.fit.above(unknown, factor) - least
        volume[:, ~frame.shape.is_channel] = np.inf
        ends = np.vstack([np.full((1, len(self.pumps)), np.inf), discharge])
        lakes = self.fit.lakes(unknown) - [INSIDE * each.table.volume[-1] for each in frame.tabled_lakes]
        return np.hstack([ends, volume, lakes])

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


def kept(fit: Fit, unknown: Array, *, still: Array) -> tuple[Array, Array]:
    """Return the nearest unknowns that keep all bounds, nearness counted by the precision: (draw, bin + 1, n) and (draw, p).

    Draws of a Gaussian projected so put on a bound the probability of passing it (Bardsley and Fox, 2012, An MCMC method for
    uncertainty quantification in nonnegativity constrained inverse problems): a pump that may stand still stands still in some.
    Raises InputError where bounds are still passed after MOST_ROUNDS.
    """
    bound = Bound.of(fit)
    unknown, still = unknown.copy(), still.copy()
    given, given_still = unknown.copy(), still.copy()
    places: list[tuple[int, int]] = []
    for _ in range(MOST_ROUNDS):
        slack = [bound.slack(u, s) for u, s in zip(unknown, still, strict=True)]
        fresh = {(int(b), int(c)) for each in slack for b, c in np.argwhere(each < 0.0)} - set(places)
        if not fresh:
            return unknown, still
        places += sorted(fresh)
        rows = [bound.statement(place) for place in places]
        on, on_still = np.stack([r[0] for r in rows], axis=2), np.stack([r[1] for r in rows], axis=1)
        back, back_still = fit.factor.solve(on, on_still)
        joint = np.tensordot(on, back, ((0, 1), (0, 1))) + on_still.T @ back_still
        upper = cholesky(joint + np.diag(1e-12 * np.diag(joint)))
        at = tuple(np.array(places).T)
        for i in range(len(unknown)):
            missing = bound.slack(given[i], given_still[i])[at]
            if np.all(missing >= 0.0):
                continue
            push, _ = nnls(upper, -solve_triangular(upper, missing, trans=1))
            unknown[i], still[i] = given[i] + back @ push, given_still[i] + back_still @ push
    raise _passed(bound, sorted(fresh))


def _passed(bound: Bound, places: list[tuple[int, int]]) -> InputError:
    """Return the error that bounds at these (edge, bound) are still passed, the reach named at which most of them are."""
    count = Counter(column for _, column in places)
    column, times = count.most_common(1)[0]
    is_pump = column < len(bound.pumps)
    reach = bound.fit.problem.frame.network.reaches[
        int(bound.pumps[column]) if is_pump else column - len(bound.pumps)
    ]
    passed = "the pump runs backwards" if is_pump else "less water is held than none"
    what = f"in reach '{reach.id}' {passed} at {times} times in drawn flows, after {MOST_ROUNDS} rounds of correcting them"
    remedy = "check its depth_m or log, and whether the gauges nearby press against it"
    return InputError(bound.fit.problem.gauges.source, what, remedy)
