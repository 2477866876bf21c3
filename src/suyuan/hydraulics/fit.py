"""The fit: generalised least squares over all bins at once, linear about the last guess, error scales by marginal likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.hydraulics.blocks import Factor, Precision, factored
from suyuan.hydraulics.frame import Frame
from suyuan.hydraulics.gauges import Gauge, Gauges
from suyuan.hydraulics.rows import Rows, add
from suyuan.hydraulics.statements import (
    Bent,
    Guess,
    Problem,
    at_the_start,
    bent,
    inflows,
    losses,
    outer_stage,
    read,
    shut,
    swelling,
    undriven,
    usual_inflows,
    widened,
)

Array = NDArray[np.float64]

MOST_ROUNDS = 8
"""Rounds of fitting; most networks need five or six."""

SLACK = (1.0, 0.3, 0.1, 0.05)
"""Share of the usual discharge below which head loss runs linear, in the first rounds and all that follow: from a linear network
to Manning's, so that no round overshoots."""

SETTLED = 0.01
"""Share of the usual discharge by which a round may still move it, and of a scale ten times that."""

PROBES = 24
"""Draws by which each round finds how well the statements of a scale are determined."""

BELIEF = 4.0
"""How many statements the first guess of a scale is worth."""

LOSS_SD = 0.1
"""First guess of the error of head losses in a bin, as a share of the usual loss."""

INFLOW_STEP = 0.01
"""First guess of how far an inflow without a gauge moves in a bin, as a share of the usual discharge."""

FAR = 30.0
"""How far from the gauges' mean a stage may be in a bin, m: a prior that only keeps waters solvable of which nothing is known."""

STAGE_STEP = 0.03
"""First guess of how far an outer stage without a gauge moves in a bin, m."""


class Water(NamedTuple):
    """Discharge at both ends (bin, reach) [m3/s], volume (bin + 1, reach) [m3], what enters along reaches
    (bin, reach) [m3/s], and the unknowns they follow from."""

    start: Array
    end: Array
    volume: Array
    lateral: Array
    unknown: Array


@dataclass(frozen=True)
class Fit:
    """The fitted unknowns `unknown` (bin + 1, n) and `still` (p,), the factor of their precision, and what led there.

    `scales` holds the estimated standard deviations by name, `moved` the share of the usual discharge by which the last round
    still moved it.
    """

    problem: Problem
    guess: Guess
    more: Bent
    unknown: Array
    still: Array
    factor: Factor
    scales: dict[str, float]
    moved: float
    rounds: int

    def water(self, unknown: Array, still: Array) -> Water:
        """Return the water that goes with unknowns (bin + 1, n) and (p,); nothing passes closed gates, and all of it closes."""
        frame, problem = self.problem.frame, self.problem
        factor = still[problem.doubts.width]
        bend = self.more.widened @ factor + self.more.swollen
        unknown = sealed(problem, unknown, bend=bend)
        middle = (
            unknown[1:] @ frame.discharge.T
            + unknown[:-1, frame.stage] @ frame.discharge_before[:, frame.stage].T
            + bend
        )
        middle[problem.closed] = 0.0
        above = self.above(unknown, factor)
        rate = np.diff(above, axis=0) / frame.step
        lateral = np.zeros_like(middle)
        lateral[:, frame.along] = unknown[1:, frame.lateral]
        gained = 0.5 * (rate - lateral)
        return Water(middle + gained, middle - gained, frame.shape.held + above, lateral, unknown)

    def above(self, unknown: Array, factor: Array) -> Array:
        """Return the storage (bin + 1, reach) [m3] above its own mean: depth is the usual one on average, whatever the datum.

        With a table above what it says at the mean stage, which is less than the mean where the canal widens upwards.
        """
        wide, swollen = self.beyond
        bend = wide * factor[self.problem.doubts.group] + swollen
        stored = unknown[:, self.problem.frame.stage] @ self.problem.frame.stored.T + bend
        mean = np.where(self.problem.frame.shape.is_tabled, swollen.mean(axis=0), 0.0)
        return np.asarray(stored - stored.mean(axis=0) + mean)

    def lakes(self, unknown: Array) -> Array:
        """Return what lakes with a table hold at the edges, (bin + 1, tabled lake) [m3], as it says of the fitted stage."""
        frame = self.problem.frame
        found = np.empty((len(unknown), len(frame.tabled_lakes)))
        for k, each in enumerate(frame.tabled_lakes):
            level = unknown[:, frame.stage] @ frame.stage_at[each.index]
            guessed = self.guess.stage @ frame.stage_at[each.index]
            upright = each.held + each.surface * (level - level.mean())
            found[:, k] = upright + each.beyond(guessed - guessed.mean())
        return found

    @cached_property
    def beyond(self) -> tuple[Array, Array]:
        """What a unit of width factor and what sloping banks add to the storage, each (bin + 1, reach) [m3]."""
        rise = self.guess.rise(self.problem.frame)
        return widened(self.problem, rise), swelling(self.problem, rise)


def sealed(problem: Problem, unknown: Array, *, bend: Array) -> Array:
    """Return the unknowns with the least change by which nothing passes closed gates; `bend` as in `water`."""
    frame = problem.frame
    if not problem.closed.any():
        return unknown
    unknown = unknown.copy()
    first = frame.stage.start
    ease = np.where(np.arange(frame.size) < first, 1.0, 1e-6)  # rather other ways round than another storage
    patterns, which = np.unique(problem.closed, axis=0, return_inverse=True)
    for _ in range(2):
        middle = unknown[1:] @ frame.discharge.T + unknown[:-1] @ frame.discharge_before.T + bend
        change = np.zeros((len(middle), frame.size))
        for i, shut_ones in enumerate(patterns):
            bins, gates = np.flatnonzero(which.ravel() == i), np.flatnonzero(shut_ones)
            rows = frame.discharge[gates]
            inverse = np.linalg.pinv((rows * ease) @ rows.T, rcond=1e-12, hermitian=True)
            change[bins] = -(middle[np.ix_(bins, gates)] @ inverse @ rows) * ease
        change[:, first:] = np.cumsum(change[:, first:], axis=0)
        unknown[1:] += change
    return unknown


def fitted(problem: Problem, *, rng: np.random.Generator) -> Fit:
    """Return the fit of all statements, with the standard deviations of what nobody gave an error estimated from the gauges.

    Each round makes head losses linear about the last one's discharge and sets every scale to the root of the sum of its squared
    residuals over how many of them the gauges determine: the fixed point of the marginal likelihood (MacKay, 1992, Bayesian
    interpolation, equation 4.9). The assumption that hurts most: errors independent between bins but for the factors in Doubts.
    """
    frame, doubts = problem.frame, problem.doubts
    scale = usual_discharge(frame, problem.gauges)
    scales = first_scales(problem, scale)
    believed = dict(scales)
    bins = len(problem.opening)
    probes = rng.standard_normal((bins + 1, frame.size, PROBES))
    still_probes = rng.standard_normal((len(doubts.sd), PROBES))
    guess = Guess(np.zeros((bins, len(frame.ends[0]))), np.zeros((bins + 1, len(frame.at))), scale, SLACK[0])
    moved = np.inf
    for number in range(1, MOST_ROUNDS + 1):
        more = bent(problem, guess)
        rows = statements(problem, guess, more=more, scales=scales)
        factor, unknown, still = solved(problem, rows)
        found = _guess_of(problem, unknown, still=still, more=more, scale=scale)
        moved = float(np.sqrt(np.mean((found.discharge - guess.discharge) ** 2))) / scale
        drawn = factor.drawn(probes, still_probes)
        renewed = {
            name: old
            * _rescaled(rows, (unknown, still), drawn=drawn, name=name, believed=believed[name] / old)
            for name, old in scales.items()
        }
        change = max((abs(np.log(renewed[n] / scales[n])) for n in scales), default=0.0)
        if number == MOST_ROUNDS or (number > len(SLACK) and moved < SETTLED and change < 10.0 * SETTLED):
            break
        guess, scales = _between(guess, found, number=number), renewed
    return Fit(problem, guess, more, unknown, still, factor, scales, moved, number)


def _between(last: Guess, found: Guess, *, number: int) -> Guess:
    """Return the next guess: flows that turn back and forth between two guesses come to rest between them."""
    weight = 1.0 if number < len(SLACK) else 0.7
    discharge = last.discharge + weight * (found.discharge - last.discharge)
    return Guess(discharge, found.stage, last.scale, SLACK[min(number, len(SLACK) - 1)])


def statements(problem: Problem, guess: Guess, *, more: Bent, scales: dict[str, float]) -> list[Rows]:
    """Return all rows about a guess."""
    frame = problem.frame
    rows = [losses(problem, guess, more=more, sd=scales["head loss"])] if frame.loss_ways.size else []
    for place, name in enumerate(inflow_names(problem)):
        rows.append(inflows(problem, place, sd=scales[name], scale=name))
    for place, name in enumerate(stage_names(problem)):
        rows.append(outer_stage(problem, place, sd=scales[name], scale=name))
    if len(inflow_names(problem)):
        rows.append(usual_inflows(problem, sd=scales["usual inflow"]))
    rows.append(at_the_start(problem, sd=3.0 * max([STAGE_STEP, *(scales[n] for n in stage_names(problem))])))
    rows.append(undriven(problem, scale=guess.scale))
    rows.append(shut(problem, scale=guess.scale, more=more))
    rows += [read(problem, g, guess=guess, more=more) for g in range(len(problem.gauges.readings))]
    return [r for r in rows if r.weight.size]


def solved(problem: Problem, rows: list[Rows]) -> tuple[Factor, Array, Array]:
    """Return the factor of what the rows say, and the unknowns (bin + 1, n) and (p,) that fit them best."""
    frame, doubts = problem.frame, problem.doubts
    bins = len(problem.opening)
    precision = Precision.empty(bins + 1, size=frame.size, still=len(doubts.sd))
    add(precision, rows)
    least = np.full(frame.size, 1e-4 / usual_discharge(frame, problem.gauges) ** 2)
    least[frame.stage] = 1.0 / FAR**2
    precision.diagonal += np.diag(least)
    before_stage = np.arange(frame.size - len(frame.at))
    precision.diagonal[0, before_stage, before_stage] += 1.0
    factor = factored(precision, doubts.sd)
    unknown, still = factor.solve(precision.right[..., None], precision.right_corner[:, None])
    return factor, unknown[..., 0], still[:, 0]


def _guess_of(problem: Problem, unknown: Array, *, still: Array, more: Bent, scale: float) -> Guess:
    frame = problem.frame
    discharge = unknown[1:] @ frame.discharge.T + unknown[:-1] @ frame.discharge_before.T
    discharge = discharge + more.widened @ still[problem.doubts.width] + more.swollen
    return Guess(discharge, unknown[:, frame.stage], scale, SLACK[-1])


def _rescaled(
    rows: list[Rows], mean: tuple[Array, Array], *, drawn: tuple[Array, Array], name: str, believed: float
) -> float:
    """Return the factor on a scale at the fixed point of its marginal likelihood; `believed` is the first guess, as a factor."""
    own = [r for r in rows if r.scale == name]
    squares = sum(float(np.sum(r.residual(*mean) ** 2)) for r in own)
    spread = sum(r.spread(*drawn) for r in own)
    belief = min(BELIEF, 0.25 * sum(r.count for r in own))
    determined = max(sum(r.count for r in own) - spread, 0.0)
    return float(np.sqrt((squares + belief * believed**2) / (determined + belief)))


def usual_discharge(frame: Frame, gauges: Gauges) -> float:
    """Return what discharges are about [m3/s]: the root mean square of the largest record, or half what the stage's steps fill
    all reaches with."""
    flows = [g.value for g in gauges.readings if g.kind in ("discharge", "inflow")]
    steps = [_step(g.value) for g in gauges.readings if g.kind == "stage"]
    filling = 0.5 * max(steps, default=0.0) * float(frame.shape.area.sum()) / frame.step
    return max([*(float(np.sqrt(np.nanmean(values**2))) for values in flows), filling, 1e-3])


def first_scales(problem: Problem, scale: float) -> dict[str, float]:
    """Return first guesses of all scales: from the steps of the gauges that stand at driven and open nodes."""
    frame, readings = problem.frame, problem.gauges.readings
    stages = [_step(g.value) for g in readings if g.kind == "stage"]
    found = {"head loss": LOSS_SD} if frame.loss_ways.size else {}
    for r, name in zip(frame.along, inflow_names(problem)[len(frame.driven) :], strict=True):
        own = [
            _step(g.value) for g in readings if g.kind == "lateral" and g.reach == frame.network.reaches[r].id
        ]
        found[name] = max([1e-3 * scale, *own])
    for place, name in zip(frame.driven, inflow_names(problem)[: len(frame.driven)], strict=True):
        steps = [
            _step(g.value)
            for g in readings
            if g.kind in ("discharge", "inflow") and _stands_at(problem, g, node=int(place))
        ]
        found[name] = max([INFLOW_STEP * scale, *steps]) if name == "inflow" else max([1e-3 * scale, *steps])
    if len(inflow_names(problem)):
        means = [abs(float(np.nanmean(g.value))) for g in readings if g.kind in ("discharge", "inflow")]
        found["usual inflow"] = 0.5 * max([0.05 * scale, *means])
    for name in stage_names(problem):
        found[name] = max([*stages, 0.0]) or STAGE_STEP
    return found


def _step(values: Array) -> float:
    """Return the root mean square step from bin to bin."""
    steps = np.diff(values)
    return float(np.sqrt(np.nanmean(steps**2))) if np.isfinite(steps).any() else 0.0


def inflow_names(problem: Problem) -> list[str]:
    """Return the scale of each inflow: one of its own where a gauge stands at the node and along reaches, else the common one."""
    frame = problem.frame
    along = [f"inflow along {frame.network.reaches[r].id}" for r in frame.along]
    return [_scale_name(problem, int(node), word="inflow") for node in frame.driven] + along


def stage_names(problem: Problem) -> list[str]:
    """Return the scale of each open node, likewise."""
    return [_scale_name(problem, int(node), word="stage") for node in problem.frame.open_nodes]


def _scale_name(problem: Problem, node: int, *, word: str) -> str:
    kinds = ("discharge", "inflow") if word == "inflow" else ("stage",)
    seen = any(g.kind in kinds and _stands_at(problem, g, node=node) for g in problem.gauges.readings)
    return f"{word} at {problem.frame.network.nodes[node].id}" if seen else word


def _stands_at(problem: Problem, gauge: Gauge, *, node: int) -> bool:
    """Return whether a gauge stands at a node or on a channel that begins or ends there."""
    frame = problem.frame
    beside = (frame.ends == node).any(axis=0) & frame.shape.is_channel
    reaches = {frame.network.reaches[r].id for r in np.flatnonzero(beside)}
    return gauge.node == frame.network.nodes[node].id or gauge.reach in reaches
