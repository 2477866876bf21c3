"""True concentrations on an invented network: explicit first-order upwind on 100 m cells with short steps.

Deliberately another scheme than `suyuan.transport`, so that a tracer tested on these waters meets a model
that is not its own. Its numerical dispersion is about |u| x 50 m, a few m2/s: what small canals show. Canals
may have dead zones (transient storage), which `suyuan.transport` as used for tracing does not know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel
from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.network import Network

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

CELL_M = 100.0
COURANT = 0.8


@dataclass(frozen=True)
class DeadZones:
    """Still water beside the canals, which takes up what passes and gives it back (Bencala and Walters 1983).

    `share` is the still water per moving water at its mean volume; `per_s` [1/s] how often the moving water is
    exchanged with it (their alpha). Sewers have none. Both waters decay alike.
    """

    share: float
    per_s: float

    def __post_init__(self) -> None:
        if not (0.0 < self.share < np.inf and 0.0 < self.per_s < np.inf):
            what = f"share {self.share:g} and exchange {self.per_s:g} per s do not make a dead zone"
            raise InputError("DeadZones", what, "give two positive numbers, or None for no dead zones")


@dataclass(frozen=True)
class PointSource:
    """Mass without water that enters at a place: `rate` (hour, tracer) [g/s]."""

    reach: str
    chainage_m: float
    rate: Array


@dataclass(frozen=True)
class Waters:
    """Concentrations everywhere and where the mass went.

    `concentration` (hour + 1, cell, tracer) [g/m3] at the full hours; `reach` (cell,) as the reach's number
    and `chainage_m` (cell,) of the cell's middle. `entered`, `left`, `decayed`, `held_first` and `held_last`
    (tracer,) [g]; held in dead zones too.
    """

    concentration: Array
    reach: Indices
    chainage_m: Array
    entered: Array
    left: Array
    decayed: Array
    held_first: Array
    held_last: Array

    def at(self, network: Network, place: tuple[str, float]) -> Array:
        """Return the concentration (hour + 1, tracer) in the cell at (reach id, chainage_m)."""
        return np.asarray(self.concentration[:, cell_at(network, place)])


def cells_of(network: Network) -> Indices:
    """Return the number of the first cell of every reach, and the number of cells at the end (reach + 1,)."""
    counts = [max(1, round(r.length_m / CELL_M)) for r in network.reaches]
    return np.asarray(np.r_[0, np.cumsum(counts)], np.int64)


def cell_at(network: Network, place: tuple[str, float]) -> int:
    """Return the cell that holds (reach id, chainage_m).

    >>> from suyuan.network import Node, Reach
    >>> canal = Network((Node("A", "boundary"), Node("B", "outlet")), (Reach("R1", "A", "B", 1000.0),))
    >>> cell_at(canal, ("R1", 250.0))
    2
    """
    first, r = cells_of(network), network.reach_index(place[0])
    count = int(first[r + 1] - first[r])
    return int(first[r]) + min(int(place[1] / network.reaches[r].length_m * count), count - 1)


def simulate(
    network: Network,
    flow: FlowField,
    *,
    inflowing: Array,
    sources: tuple[PointSource, ...] = (),
    decay_per_s: Array,
    dead_zones: DeadZones | None = None,
) -> Waters:
    """Return the concentrations that inflows and point sources make under `flow`, which must balance exactly.

    `inflowing` (hour, node, tracer) [g/m3] is what water holds that enters at a node from outside (read only
    at boundaries and outlets); the network is first filled with the mean of the boundaries' first day, dead
    zones too.
    `decay_per_s` (tracer,) [1/s] is of first order. `flow` has volumes at the bin edges and bins of an hour
    or a whole fraction of it.
    """
    first = cells_of(network)
    per_hour = round(3600.0 / float(flow.edges[1] - flow.edges[0]))
    begin = np.array([network.node_index(r.from_node) for r in network.reaches])
    end = np.array([network.node_index(r.to_node) for r in network.reaches])
    cells = np.array([cell_at(network, (s.reach, s.chainage_m)) for s in sources], np.int64)
    hours = len(flow.edges[1:]) // per_hour
    rates = np.zeros((hours, len(sources), inflowing.shape[2]))
    for s, source in enumerate(sources):
        rates[:, s] = source.rate
    initial = inflowing[:24, [n.kind == "boundary" for n in network.nodes]].mean(axis=(0, 1))
    concentration, budget = _march(
        (flow.discharge_start, flow.discharge_end, flow.volume, np.diff(flow.edges)),
        (first, begin, end, cells),
        per_hour,
        (inflowing, rates, decay_per_s),
        initial,
        _still_water(network, flow, dead_zones=dead_zones),
    )
    reach = np.repeat(np.arange(len(network.reaches)), np.diff(first))
    length = np.array([r.length_m for r in network.reaches])
    chainage = (np.arange(first[-1]) - first[reach] + 0.5) * (length / np.diff(first))[reach]
    return Waters(concentration, reach, chainage, *budget)


def _still_water(network: Network, flow: FlowField, *, dead_zones: DeadZones | None) -> tuple[Array, Array]:
    """Return the still water of every cell (cell,) [m3] and what it exchanges with the moving one [m3/s]."""
    cells = np.diff(cells_of(network))
    is_canal = np.array([r.kind != "storm_sewer" for r in network.reaches])
    held = np.repeat(np.where(is_canal, flow.volume.mean(axis=0) / cells, 0.0), cells)
    if dead_zones is None:
        return np.zeros(len(held)), np.zeros(len(held))
    return dead_zones.share * held, dead_zones.per_s * held


@kernel
def _march(flow, place, per_hour, loads, initial, still):  # type: ignore[no-untyped-def]
    """Return snapshots (hour + 1, cell, tracer) and the budget (entered, left, decayed, held twice) [g]."""
    start, end, volume, step = flow
    inflowing, rates, decay = loads
    first = place[0]
    cells, tracers, steps = first[-1], len(decay), len(start)
    inside, gain = np.empty((cells, tracers)), np.empty((cells, tracers))  # g/m3, g/s
    dead = np.empty((cells, tracers))
    now, after = np.empty(cells), np.empty(cells)
    keep, budget = np.empty(tracers), np.zeros((5, tracers))
    out = np.empty((steps // per_hour + 1, cells, tracers))
    _spread(volume[0], volume[1], 0.0, first, now)
    for c in range(cells):
        for k in range(tracers):
            inside[c, k] = dead[c, k] = out[0, c, k] = initial[k]
            budget[3, k] += (now[c] + still[0][c]) * initial[k]
    for t in range(steps):
        hour = t // per_hour
        pieces = _pieces(start[t], end[t], volume[t : t + 2], first, step[t])
        dt = step[t] / pieces
        for k in range(tracers):
            keep[k] = np.exp(-decay[k] * dt)
        for p in range(pieces):
            _spread(volume[t], volume[t + 1], (p + 1.0) / pieces, first, after)
            _exchange(inside, first, start[t], end[t], gain)
            _mix(inside, place, (start[t], end[t]), inflowing[hour], (gain, budget, dt))
            _release(place[3], rates[hour], gain, budget, dt)
            for c in range(cells):
                for k in range(tracers):
                    mass = now[c] * inside[c, k] + dt * gain[c, k]
                    budget[2, k] += mass * (1.0 - keep[k])
                    inside[c, k] = mass * keep[k] / after[c]
                now[c] = after[c]
            _trade(inside, dead, now, still, (keep, budget, dt))
        if (t + 1) % per_hour == 0:
            out[(t + 1) // per_hour] = inside
    for c in range(cells):
        for k in range(tracers):
            budget[4, k] += now[c] * inside[c, k] + still[0][c] * dead[c, k]
    return out, budget


@kernel
def _trade(inside, dead, held, still, books):  # type: ignore[no-untyped-def]
    """Exchange moving and still water (cell,), exactly for two stores of constant volume, after decay in the latter."""
    volume, rate = still
    keep, budget, dt = books
    for c in range(len(held)):
        if rate[c] == 0.0:
            continue
        both = held[c] + volume[c]
        fade = np.exp(-rate[c] * (1.0 / held[c] + 1.0 / volume[c]) * dt)
        for k in range(dead.shape[1]):
            budget[2, k] += volume[c] * dead[c, k] * (1.0 - keep[k])
            dead[c, k] *= keep[k]
            mean = (held[c] * inside[c, k] + volume[c] * dead[c, k]) / both
            gap = (inside[c, k] - dead[c, k]) * fade
            inside[c, k] = mean + gap * volume[c] / both
            dead[c, k] = mean - gap * held[c] / both


@kernel
def _spread(before, after, share, first, held):  # type: ignore[no-untyped-def]
    """Write the water held (cell,) at a share of the step, each reach's volume spread over its cells."""
    for r in range(len(before)):
        count = first[r + 1] - first[r]
        for c in range(first[r], first[r + 1]):
            held[c] = (before[r] + share * (after[r] - before[r])) / count


@kernel
def _pieces(start, end, volume, first, step):  # type: ignore[no-untyped-def]
    """Return into how many pieces a step is cut so that no cell gives more than COURANT of its water."""
    pieces = 1
    for r in range(len(start)):
        most = max(abs(start[r]), abs(end[r]), abs(end[r] - start[r]))
        held = min(volume[0, r], volume[1, r]) / (first[r + 1] - first[r])
        pieces = max(pieces, int(np.ceil(step * most / (COURANT * held))))
    return pieces


@kernel
def _exchange(inside, first, start, end, gain):  # type: ignore[no-untyped-def]
    """Write the gain [g/s] of every cell (cell, tracer) from the faces between cells of one reach."""
    gain[:] = 0.0
    for r in range(len(start)):
        count = first[r + 1] - first[r]
        for j in range(1, count):
            q = start[r] + (end[r] - start[r]) * (j / count)
            right = first[r] + j
            upwind = right - 1 if q > 0.0 else right
            for k in range(inside.shape[1]):
                load = q * inside[upwind, k]
                gain[right - 1, k] -= load
                gain[right, k] += load


@kernel
def _mix(inside, place, discharge, outside, books):  # type: ignore[no-untyped-def]
    """Add to the cells' gain what passes through mixed nodes, and book what enters and leaves."""
    first, ends = place[0], (place[1], place[2])
    gain, budget, dt = books
    nodes, tracers = outside.shape
    water, taken = np.zeros(nodes), np.zeros(nodes)  # what reaches bring to a node, and take from it
    load = np.zeros((nodes, tracers))
    for r in range(len(first) - 1):
        for side in range(2):
            cell = first[r] if side == 0 else first[r + 1] - 1
            node = ends[side][r]
            q = -discharge[0][r] if side == 0 else discharge[1][r]
            taken[node] += max(-q, 0.0)
            water[node] += max(q, 0.0)
            for k in range(tracers):
                load[node, k] += max(q, 0.0) * inside[cell, k]
                gain[cell, k] -= max(q, 0.0) * inside[cell, k]
    for i in range(nodes):
        entering = max(taken[i] - water[i], 0.0)
        leaving = max(water[i] - taken[i], 0.0)
        water[i] += entering
        for k in range(tracers):
            load[i, k] = (load[i, k] + entering * outside[i, k]) / max(water[i], 1e-300)  # now g/m3
            budget[0, k] += dt * entering * outside[i, k]
            budget[1, k] += dt * leaving * load[i, k]
    for r in range(len(first) - 1):
        for side in range(2):
            cell = first[r] if side == 0 else first[r + 1] - 1
            q = discharge[0][r] if side == 0 else -discharge[1][r]
            for k in range(tracers):
                gain[cell, k] += max(q, 0.0) * load[ends[side][r], k]


@kernel
def _release(cells, rates, gain, budget, dt):  # type: ignore[no-untyped-def]
    """Add the point sources to the cells' gain and book them."""
    for s in range(len(cells)):
        for k in range(rates.shape[1]):
            gain[cells[s], k] += rates[s, k]
            budget[0, k] += dt * rates[s, k]
