"""Flow reconciled from gauges: mean, doubt and draws, each of which closes exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from suyuan.errors import InputError
from suyuan.flow import LEAST_VOLUME_PER_METRE, FlowField, holds_water
from suyuan.hydraulics.bounds import kept
from suyuan.hydraulics.contradictions import MeanBalance, require_agreement
from suyuan.hydraulics.doubts import Errors, doubts_of
from suyuan.hydraulics.fit import Fit, fitted, usual_discharge
from suyuan.hydraulics.frame import frame_of
from suyuan.hydraulics.gauges import Gauges, require_placed
from suyuan.hydraulics.residuals import Residual, residuals_of
from suyuan.hydraulics.statements import Problem
from suyuan.hydraulics.undetermined import Undetermined, require_spread, undetermined_of
from suyuan.network import Network

Array = NDArray[np.float64]

SHALLOW = 0.05
"""Share of the bins in which the mean flow may fall dry before the depth given is refused."""


COMMON_DEPTH = 0.4
"""Share of the variance of depth's errors that all reaches have in common; the rest is each reach's own. As the errors of travel
times divide in flow members drawn about a given flow (0.10 in common, 0.12 a reach)."""


@dataclass(frozen=True)
class Reconciled:
    """Flow that the gauges, continuity and head losses agree on.

    `flow` is the mean and closes exactly; `sampled` draws others from what remains possible. `residuals` tells of each gauge how
    far it was adjusted, `balance` whether their means agree, `undetermined` what no gauge decides.
    """

    network: Network
    gauges: Gauges
    fit: Fit
    flow: FlowField
    residuals: tuple[Residual, ...]
    balance: MeanBalance
    undetermined: Undetermined

    def sampled(self, count: int, rng: np.random.Generator) -> Iterator[FlowField]:
        """Yield flows drawn from the posterior; each closes exactly and keeps closed gates and one-way pumps."""
        fit = self.fit
        noise = rng.standard_normal((*fit.unknown.shape, count))
        with threadpool_limits(1):
            deviation, still = fit.factor.drawn(noise, rng.standard_normal((len(fit.still), count)))
            unknown, constant = kept(
                fit, fit.unknown + np.moveaxis(deviation, 2, 0), still=fit.still + still.T
            )
        own = rng.standard_normal((count, len(self.network.reaches)))
        error = COMMON_DEPTH**0.5 * rng.standard_normal((count, 1)) + (1.0 - COMMON_DEPTH) ** 0.5 * own
        depth = np.exp(fit.problem.errors.depth * error)
        for i in range(count):
            yield _flow_of(fit, self.gauges, values=(unknown[i], constant[i]), deeper=depth[i])

    def sd(self) -> Array:
        """Return the standard deviation (bin, reach) [m3/s] of the discharge halfway along each reach, bounds left out."""
        fit, frame = self.fit, self.fit.problem.frame
        with threadpool_limits(1):
            own, before, still = fit.factor.covariances()
        now, last = frame.discharge, frame.discharge_before
        carried = fit.factor.carried
        found = np.empty((len(fit.problem.opening), len(now)))
        for b in range(len(found)):
            both = now @ own[b + 1] + 2.0 * last @ before[b + 1].T
            variance = np.einsum("rn,rn->r", both, now) + np.einsum("rn,rn->r", last @ own[b], last)
            fixed = np.zeros((len(now), len(still)))
            fixed[:, fit.problem.doubts.width] = fit.more.widened[b]
            moved = fixed * fit.factor.unit - now @ carried[b + 1] - last @ carried[b]
            found[b] = variance + np.einsum("rp,rp->r", moved @ still, moved)
        return np.sqrt(np.maximum(found, 0.0))


def reconcile(
    network: Network, gauges: Gauges, *, rng: np.random.Generator, errors: Errors | None = None
) -> Reconciled:
    """Return the flow that gauges, continuity and head losses agree on, with what remains possible.

    `rng` finds the error scales by probes; the mean hardly depends on it. Raises InputError for gauges that are not in the
    network, contradict each other, or all stand on one branch, and for channels without width and depth or that fall dry.
    The assumption that hurts most: rectangular channels of the width given, inflow at boundary nodes and gauged laterals only.

    >>> from suyuan.hydraulics.gauges import Gauge
    >>> from suyuan.network import Node, Reach
    >>> net = Network((Node("A", "boundary"), Node("B", "outlet")), (Reach("R", "A", "B", 1e3, width_m=10.0, depth_m=2.0),))
    >>> one = Gauge("Q1", "discharge", np.full(6, 4.0), np.full(6, 0.1), reach="R", chainage_m=500.0)
    >>> other = Gauge("Q2", "discharge", np.full(6, 4.3), np.full(6, 0.2), reach="R", chainage_m=500.0)
    >>> found = reconcile(net, Gauges(np.datetime64("2024-07-01"), np.arange(7) * 3600.0, (one, other)),
    ...     rng=np.random.default_rng(1))
    >>> float(found.flow.discharge_start.mean().round(2))  # (4.0 / 0.01 + 4.3 / 0.04) / (1 / 0.01 + 1 / 0.04)
    4.06
    """
    problem = problem_of(network, gauges, errors=errors or Errors())
    frame = problem.frame
    balance = require_agreement(frame, gauges)
    open_part = undetermined_of(frame, gauges, closed=np.all(problem.closed, axis=0))
    require_spread(frame, gauges, found=open_part)
    with threadpool_limits(
        1
    ):  # of blocks as small as a bin's, threads wait for each other longer than they work
        fit = fitted(problem, rng=rng)
        _require_water(fit)
        unknown, still = kept(fit, fit.unknown[None], still=fit.still[None], flows="the mean flow")
    flow = _flow_of(fit, gauges, values=(unknown[0], still[0]))
    return Reconciled(network, gauges, fit, flow, residuals_of(fit), balance, open_part)


def problem_of(network: Network, gauges: Gauges, *, errors: Errors) -> Problem:
    """Return what is given, checked and in matrices."""
    require_placed(gauges, network)
    frame = frame_of(network, gauges, roughness=errors.roughness, pools=errors.pools)
    doubts = doubts_of(frame, gauges, errors=errors, scale=usual_discharge(frame, gauges))
    return Problem(frame, gauges, doubts, errors, opening_of(network, gauges))


def opening_of(network: Network, gauges: Gauges) -> Array:
    """Return how far each reach is open, (bin, reach): 1 where no log says otherwise; the last word holds in a gap.

    A pump or gate whose discharge is logged as 0 is closed then.
    """
    opening = np.ones((len(gauges.edges) - 1, len(network.reaches)))
    moved = {s.reach for s in network.structures if s.kind in ("pump", "gate")}
    for gauge in gauges.gauges:
        if gauge.kind == "opening":
            known = np.flatnonzero(np.isfinite(gauge.value))
            last = np.searchsorted(known, np.arange(len(gauge.value)), side="right") - 1
            opening[:, network.reach_index(gauge.reach)] = gauge.value[known[np.maximum(last, 0)]]
        elif gauge.kind == "discharge" and gauge.reach in moved:
            opening[gauge.value == 0.0, network.reach_index(gauge.reach)] = 0.0
    return opening


def _flow_of(
    fit: Fit, gauges: Gauges, *, values: tuple[Array, Array], deeper: Array | float = 1.0
) -> FlowField:
    """Return the flow of unknowns; `deeper` (reach,) are factors on the volumes at the usual depth."""
    network = fit.problem.frame.network
    water = fit.water(*values)
    shape = fit.problem.frame.shape
    spare = np.maximum(water.volume.min(axis=0) - 2.0 * LEAST_VOLUME_PER_METRE * shape.length, 0.0)
    more = np.maximum((deeper - 1.0) * shape.held, -spare) * (shape.is_channel & ~shape.is_tabled)
    ids = tuple(r.id for r in network.reaches)
    lakes = tuple(network.nodes[each.index].id for each in fit.problem.frame.tabled_lakes)
    boundaries, inflow = _into_lakes(fit, water.unknown)
    return FlowField(
        gauges.start,
        gauges.edges,
        ids,
        water.start,
        water.end,
        water.volume + more,
        boundaries=boundaries,
        inflow=inflow,
        source=gauges.source,
        lateral=water.lateral if len(fit.problem.frame.along) else np.empty((0, 0)),
        lakes=lakes,
        lake_volume=fit.lakes(water.unknown) if lakes else np.empty((0, 0)),
    )


def _into_lakes(fit: Fit, unknown: Array) -> tuple[tuple[str, ...], Array]:
    """Return lakes that hold water with what enters each from outside (bin, lake) [m3/s], NaN where what they gain tells it."""
    frame = fit.problem.frame
    known = {int(node): frame.inflow.start + i for i, node in enumerate(frame.driven)}
    asked = {*known, *(each.index for each in frame.tabled_lakes)}
    lakes = [int(node) for node in np.flatnonzero(holds_water(frame.network)) if int(node) in asked]
    if not lakes:
        return (), np.empty((0, 0))
    nothing = np.full(len(unknown) - 1, np.nan)
    inflow = np.stack([unknown[1:, known[node]] if node in known else nothing for node in lakes], axis=1)
    return tuple(frame.network.nodes[node].id for node in lakes), inflow


def _require_water(fit: Fit) -> None:
    """Raise InputError where the stage falls below the bed for long."""
    frame = fit.problem.frame
    volume = fit.water(fit.unknown, fit.still).volume
    dry = np.mean(volume <= 0.0, axis=0) * frame.shape.is_channel
    worst = int(np.argmax(dry))
    if dry[worst] > SHALLOW:
        reach = frame.network.reaches[worst]
        low = float(volume[:, worst].min() / frame.shape.area[worst])
        what = (
            f"the stage in reach '{reach.id}' falls {-low:.2g} m below its bed, {dry[worst]:.0%} of the time"
        )
        remedy = f"depth_m {reach.depth_m:g} is too small, or a stage gauge nearby is in another unit"
        raise InputError(fit.problem.gauges.source, what, remedy)
