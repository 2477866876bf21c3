"""What is believed and what was read, as rows: head losses, inflows and outer stages in time, gauges, closed gates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from suyuan.hydraulics.doubts import Doubts, Errors
from suyuan.hydraulics.frame import Frame
from suyuan.hydraulics.gauges import Gauge, Gauges
from suyuan.hydraulics.resistance import GRAVITY, deepened, head_loss, resistance
from suyuan.hydraulics.rows import Rows

Array = NDArray[np.float64]

LATE = 0.55
"""Weight of the stage at the end of a bin, against that at its beginning, in what drives the bin's mean discharge: that of
Preissmann's scheme (Cunge, Holly and Verwey, 1980, Practical Aspects of Computational River Hydraulics: 0.55 to 0.6).
At one half nothing holds stages that swing from edge to edge; what more adds is taken off again with the guess's own change."""

SHUT = 1e-4
"""Share of the usual discharge that may pass a closed gate before it is taken out."""


@dataclass(frozen=True)
class Guess:
    """Where the statements are made linear: `discharge` (bin, reach), `stage` (bin + 1, centre), and the usual `scale` [m3/s].

    Below `slack` times the usual discharge head loss runs linear.
    """

    discharge: Array
    stage: Array
    scale: float
    slack: float

    def rise(self, frame: Frame) -> Array:
        """Return the stage halfway along each reach above its mean, (bin + 1, reach) [m]."""
        level = self.stage @ frame.mean_stage.T
        return np.asarray(level - level.mean(axis=0))


@dataclass(frozen=True)
class Problem:
    """All that is given: the frame, the gauges, what is doubted, and which reaches are closed (bin, reach) or open how far."""

    frame: Frame
    gauges: Gauges
    doubts: Doubts
    errors: Errors
    opening: Array

    @property
    def closed(self) -> NDArray[np.bool_]:
        """Whether a gate's log says closed, (bin, reach)."""
        return np.asarray(self.opening == 0.0)


def swelling(problem: Problem, rise: Array) -> Array:
    """Return the storage (bin + 1, reach) [m3] above that of upright banks where they slope or a table says, at a `rise` [m]."""
    shape = problem.frame.shape
    is_plain = shape.is_channel & ~shape.is_tabled
    found = np.where(is_plain, problem.errors.side_slope * shape.length, 0.0) * rise**2
    for each in problem.frame.tables:
        if not each.is_lake:
            found[:, each.index] = each.beyond(rise[:, each.index])
    return found


def widened(problem: Problem, rise: Array) -> Array:
    """Return the storage (bin + 1, reach) [m3] that a unit of width factor adds; none where a table says what is held."""
    shape = problem.frame.shape
    return rise * np.where(shape.is_tabled, 0.0, shape.area)


def _lakes_beyond(frame: Frame, guess: Guess) -> Array:
    """Return the discharge (bin, reach) [m3/s] that fills lakes with tables beyond upright walls."""
    found = np.zeros_like(guess.discharge)
    for each in frame.tables:
        if each.is_lake:
            level = guess.stage @ frame.stage_at[each.index]
            rate = np.diff(each.beyond(level - level.mean())) / frame.step
            found += rate[:, None] * frame.passing[:, each.index]
    return found


@dataclass(frozen=True)
class Bent:
    """What the guess adds to discharge beyond the linear frame, m3/s.

    `widened` (bin, reach, group) for a unit of each group's width factor, `swollen` (bin, reach) for sloping banks and tables;
    `widening` (bin, reach, group) and `swelled` (bin, reach) are the storage gained that causes it.
    """

    widened: Array
    swollen: Array
    widening: Array
    swelled: Array


def bent(problem: Problem, guess: Guess) -> Bent:
    """Return what a guess adds to discharge beyond the linear frame."""
    frame, rise = problem.frame, guess.rise(problem.frame)
    gained = np.diff(widened(problem, rise), axis=0) / frame.step
    swelled = np.diff(swelling(problem, rise), axis=0) / frame.step
    doubts = problem.doubts
    swollen = swelled @ frame.passed.T + _lakes_beyond(frame, guess)
    return Bent(doubts.carried(frame.passed, gained), swollen, doubts.groups(gained), swelled)


def losses(problem: Problem, guess: Guess, *, more: Bent, sd: float) -> Rows:
    """Return the rows of head loss: along every way between centres the stage falls by what friction and inertia cost.

    Manning's formula, linear about the guess; a factor on each arm's resistance; an error of `sd` times the usual loss that is
    independent between reaches and bins, so ways that share a reach share its error. The change of discharge in time costs
    L / (g A) dQ/dt (Saint-Venant), taken from the guess.
    """
    frame, doubts = problem.frame, problem.doubts
    bins, turned = len(guess.discharge), frame.loss_ways.T
    rise = guess.rise(frame)
    with np.errstate(divide="ignore"):
        opened = np.where(problem.opening > 0.0, problem.opening, 1.0) ** -2.0
    deeper = deepened(frame.shape, 0.5 * (rise[1:] + rise[:-1]), side_slope=problem.errors.side_slope)
    k = resistance(frame.shape) * deeper * opened
    lost, slope = head_loss(k, guess.discharge, least=guess.slack * guess.scale)
    white = _whitening(problem, guess, sd=sd)
    along = white @ turned
    fall = turned @ (frame.stage_at[frame.ends[0]] - frame.stage_at[frame.ends[1]])
    sloped = along * slope[:, None, :]
    now = -(sloped @ frame.discharge)
    before = np.zeros_like(now)
    before[:, :, frame.stage] = -now[
        :, :, frame.stage
    ]  # what is stored is this edge's stage less the last one's
    now[:, :, frame.stage] += LATE * (white @ fall)
    before[:, :, frame.stage] += (1.0 - LATE) * (white @ fall)
    still = np.zeros((bins, len(turned), len(doubts.sd)))
    still[:, :, doubts.loss] = -(
        doubts.carried(along[0], lost) if len(along) == 1 else along @ doubts.groups(lost)
    )
    still[:, :, doubts.width] = -(sloped @ more.widened)
    constant = lost - slope * (guess.discharge - more.swollen) + _inertia(frame, guess.discharge)
    constant += (LATE - 0.5) * np.gradient(lost, axis=0)
    right = (along @ constant[..., None])[..., 0]
    return Rows(now, before, still, right, np.ones((bins, len(turned))), "head loss")


def _inertia(frame: Frame, discharge: Array) -> Array:
    """Return the head that speeding up costs, (bin, reach) [m]."""
    section = frame.shape.width * frame.shape.depth
    change = np.gradient(discharge, frame.step, axis=0)
    return np.where(frame.shape.is_channel, frame.shape.length / (GRAVITY * section), 0.0) * change


def _whitening(problem: Problem, guess: Guess, *, sd: float) -> Array:
    """Return (bin or 1, way, way) what makes the errors of the ways' head losses independent and of size one."""
    frame = problem.frame
    usual = np.mean(guess.discharge**2, axis=0) + (0.1 * guess.scale) ** 2
    error = sd * resistance(frame.shape) * usual + np.where(frame.shape.is_gate, 5e-3, 5e-4)
    pattern, which = np.unique(problem.closed, axis=0, return_inverse=True)
    found = np.empty((len(pattern), frame.loss_ways.shape[1], frame.loss_ways.shape[1]))
    for i, shut in enumerate(pattern):
        variance = np.where(shut, 1e3, error) ** 2
        joint = (frame.loss_ways.T * variance) @ frame.loss_ways
        lower = cholesky(joint, lower=True)
        found[i] = solve_triangular(lower, np.eye(len(joint)), lower=True)
    return found if len(found) == 1 else found[which.ravel()]


def inflows(problem: Problem, place: int, *, sd: float, scale: str) -> Rows:
    """Return the rows of one inflow, of nodes first: it goes back to its usual value within `memory_h` (AR(1)), steps of `sd`."""
    frame = problem.frame
    weights = np.zeros((1, frame.size))
    weights[0, frame.inflow.start + place] = 1.0
    return _remembered(problem, weights, level=int(problem.doubts.level_of_inflow[place]), sd=sd, scale=scale)


def outer_stage(problem: Problem, place: int, *, sd: float, scale: str) -> Rows:
    """Return the rows of one open node's stage, likewise."""
    frame = problem.frame
    weights = np.zeros((1, frame.size))
    weights[0, frame.stage] = frame.stage_at[frame.open_nodes[place]]
    return _remembered(problem, weights, level=int(problem.doubts.level_of_stage[place]), sd=sd, scale=scale)


def _remembered(problem: Problem, weights: Array, *, level: int, sd: float, scale: str) -> Rows:
    bins = len(problem.opening)
    memory = float(np.exp(-problem.frame.step / (problem.errors.memory_h * 3600.0)))
    before = np.tile(-memory * weights, (bins, 1, 1))
    before[0] = 0.0
    still = np.zeros((bins, 1, len(problem.doubts.sd)))
    still[:, 0, level] = memory - 1.0
    still[0, 0, level] = -1.0
    weight = np.full((bins, 1), 1.0 / sd)
    weight[0] *= np.sqrt(1.0 - memory**2)
    return Rows(weights[None], before, still, np.zeros((bins, 1)), weight, scale)


def usual_inflows(problem: Problem, *, sd: float) -> Rows:
    """Return the rows that usual inflows of boundaries scatter about their mean by `sd`, of lakes and laterals about none."""
    level = problem.doubts.level_of_inflow
    is_boundary = np.zeros(len(level), bool)
    is_boundary[: len(problem.frame.driven)] = [
        problem.frame.network.nodes[n].kind == "boundary" for n in problem.frame.driven
    ]
    bins = len(problem.opening)
    still = np.zeros((1, len(level), len(problem.doubts.sd)))
    still[0, np.arange(len(level)), level] = 1.0
    still[0, is_boundary, problem.doubts.mean_inflow] = -1.0
    weight = np.zeros((bins, len(level)))
    weight[0] = 1.0 / sd
    nothing = np.zeros((1, len(level), problem.frame.size))
    return Rows(nothing, nothing, still, np.zeros_like(weight), weight, "usual inflow")


def at_the_start(problem: Problem, *, sd: float) -> Rows:
    """Return the rows that let the stage begin where it is: its first step at every centre has the error `sd` [m]."""
    frame = problem.frame
    now = np.zeros((1, len(frame.at), frame.size))
    now[0, :, frame.stage] = np.eye(len(frame.at))
    bins = len(problem.opening)
    weight = np.zeros((bins, len(frame.at)))
    weight[0] = 1.0 / sd
    return Rows(now, -now, _nothing(problem, len(frame.at)), np.zeros((bins, len(frame.at))), weight)


def undriven(problem: Problem, *, scale: float) -> Rows:
    """Return the rows that hold discharge to about `scale` where nothing drives it: pumps, weirs, gates of unknown size."""
    frame = problem.frame
    which = np.flatnonzero(~(frame.shape.is_channel | frame.shape.is_gate))
    bins = len(problem.opening)
    weight = np.full((bins, len(which)), 1.0 / scale)
    now, before = frame.discharge[None, which], frame.discharge_before[None, which]
    return Rows(now, before, _nothing(problem, len(which)), np.zeros((bins, len(which))), weight)


def shut(problem: Problem, *, scale: float, more: Bent) -> Rows:
    """Return the rows that nothing passes a closed gate."""
    frame = problem.frame
    which = np.flatnonzero(problem.closed.any(axis=0))
    weight = problem.closed[:, which] / (SHUT * scale)
    still = np.zeros((len(weight), len(which), len(problem.doubts.sd)))
    still[:, :, problem.doubts.width] = more.widened[:, which]
    now, before = frame.discharge[None, which], frame.discharge_before[None, which]
    return Rows(now, before, still, -more.swollen[:, which], weight)


def _nothing(problem: Problem, rows: int) -> Array:
    return np.zeros((1, rows, len(problem.doubts.sd)))


def read(problem: Problem, g: int, *, guess: Guess, more: Bent) -> Rows:
    """Return the rows of one gauge's record; `g` counts the gauges of water. Gaps say nothing."""
    gauge = problem.gauges.readings[g]
    if gauge.kind == "stage":
        return _levels(problem, g)
    now, before, extra, constant = _seen(problem.frame, gauge, more=more)
    known = np.isfinite(gauge.value)
    still = np.zeros((len(known), 1, len(problem.doubts.sd)))
    still[:, 0, problem.doubts.width] = extra
    if problem.doubts.share_of[g] >= 0:
        is_flow = gauge.kind == "discharge"
        passing = (
            guess.discharge[:, problem.frame.network.reach_index(gauge.reach)] if is_flow else gauge.value
        )
        still[:, 0, problem.doubts.share_of[g]] = np.nan_to_num(passing)
    weight = np.where(known, 1.0 / np.where(known, gauge.sd, 1.0), 0.0)[:, None]
    return Rows(
        now[None, None], before[None, None], still, np.nan_to_num(gauge.value - constant)[:, None], weight
    )


def _levels(problem: Problem, g: int) -> Rows:
    """Return the rows of a stage gauge: at the end of every bin, and at the beginning of the first."""
    frame, gauge = problem.frame, problem.gauges.readings[g]
    r = frame.network.reach_index(gauge.reach)
    share = gauge.chainage_m / frame.shape.length[r]
    at = np.zeros(frame.size)
    at[frame.stage] = (1.0 - share) * frame.stage_at[frame.ends[0, r]] + share * frame.stage_at[
        frame.ends[1, r]
    ]
    now, before, still = np.zeros((1, 2, frame.size)), np.zeros((1, 2, frame.size)), _nothing(problem, 2)
    now[0, 0], before[0, 1] = at, at
    still[:, :, problem.doubts.offset_of[g]] = 1.0
    known = np.isfinite(gauge.value)
    weight = np.where(known, 1.0 / np.where(known, gauge.sd, 1.0), 0.0)
    value = np.nan_to_num(gauge.value)
    is_first = np.arange(len(value) - 1) == 0
    return Rows(
        now,
        before,
        still,
        np.stack([value[1:], np.where(is_first, value[0], 0.0)], axis=1),
        np.stack([weight[1:], np.where(is_first, weight[0], 0.0)], axis=1),
    )


def _passing(frame: Frame, gauge: Gauge) -> Array:
    """Return weights (reach,) of the discharges that make up what a gauge of discharge or inflow sees."""
    weights = np.zeros(len(frame.network.reaches))
    if gauge.kind == "discharge":
        weights[frame.network.reach_index(gauge.reach)] = 1.0
    elif gauge.kind == "inflow":
        node = frame.network.node_index(gauge.node)
        weights += (frame.ends[0] == node).astype(float) - (frame.ends[1] == node)
    return weights


def _seen(frame: Frame, gauge: Gauge, *, more: Bent) -> tuple[Array, Array, Array, Array]:
    """Return what a gauge sees of this bin's unknowns (n,), of the last one's (n,), of the width factors (bin, group), and of
    itself (bin,)."""
    now, before = np.zeros(frame.size), np.zeros(frame.size)
    nothing = np.zeros((len(more.widened), more.widened.shape[2])), np.zeros(len(more.widened))
    if gauge.kind == "inflow" and frame.network.node_index(gauge.node) in frame.driven:
        now[frame.inflow.start + int(np.searchsorted(frame.driven, frame.network.node_index(gauge.node)))] = (
            1.0
        )
        return now, before, *nothing
    if gauge.kind == "lateral":
        now[
            frame.lateral.start + int(np.searchsorted(frame.along, frame.network.reach_index(gauge.reach)))
        ] = 1.0
        return now, before, *nothing
    weights, storing = _passing(frame, gauge), _stored_before(frame, gauge)
    by_stage = storing @ frame.stored / frame.step
    now, before = weights @ frame.discharge, weights @ frame.discharge_before
    now[frame.stage] += by_stage
    before[frame.stage] -= by_stage
    now[frame.lateral] -= storing[frame.along]  # what enters on the way need not be brought
    some, held = np.flatnonzero(weights), np.flatnonzero(storing)
    extra = weights[some] @ more.widened[:, some] + storing[held] @ more.widening[:, held]
    return now, before, extra, more.swollen @ weights + more.swelled @ storing


def _stored_before(frame: Frame, gauge: Gauge) -> Array:
    """Return weights (reach,) of the storage between the middle of a reach and the gauge, or around the gauged node."""
    weights = np.zeros(len(frame.network.reaches))
    if gauge.kind == "discharge":
        r = frame.network.reach_index(gauge.reach)
        weights[r] = 0.5 - gauge.chainage_m / frame.shape.length[r]
    elif gauge.kind == "inflow":
        node = frame.network.node_index(gauge.node)
        weights += 0.5 * ((frame.ends[0] == node).astype(float) + (frame.ends[1] == node))
    return weights
