"""The water of a run, step by step: what the kernels that assemble an operator read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.transport.circulation import slowed
from suyuan.transport.geometry import Geometry

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LEAST_LAKE_SHARE = 1e-3
"""Share of its largest volume that a lake keeps: one that would hold less gets so much more, all the time."""

MOST_LAKE_LACK = 0.01
"""Share of its largest volume by which a lake may fall below empty, in a flow that is a little wrong, and still be lifted."""


class Water(NamedTuple):
    """Time steps and what the water does in them.

    Per step: `bin` it lies in, `begin` and `end` as shares of that bin, `length` [s]. `into` (bin, end)
    [m3/s] flows from a path's end into the node there (negative: out of it), `outside` (bin, boundary) [m3/s]
    enters from outside, then (bin, lateral) along reaches, `volume` (bin + 1, reach) and `lake` (bin + 1, lake) [m3] at the
    edges, `dispersion` (bin, reach) [m2/s]. `lateral` (bin, reach) [m3/s] has no bins where nothing enters along reaches.
    """

    bin: Index
    begin: Array
    end: Array
    length: Array
    into: Array
    outside: Array
    volume: Array
    lake: Array
    dispersion: Array
    lateral: Array


def water_of(
    geometry: Geometry, network: Network, *, flow: BalancedFlow, dt_s: float, dispersion: Array
) -> Water:
    """Return the flow cut into steps of about `dt_s` that never cross the edge of a bin.

    A ring in which water would go round more than `circulation.TURNS` times in a step is slowed to that.
    A lake stores what its reaches bring and take, and what comes from outside. `dispersion` (bin, reach) [m2/s] is carried
    along. Raises InputError where a lake would be more than empty, by MOST_LAKE_LACK of its largest volume.
    """
    lengths = np.diff(flow.edges)
    count = np.maximum(1, np.ceil(lengths / dt_s - 1e-9)).astype(np.int64)
    into = slowed(geometry, _into(geometry, flow), volume=flow.volume, seconds=lengths / count)
    nodes = len(network.nodes)
    arrives = np.zeros((len(into), nodes))
    np.add.at(arrives.T, geometry.path_nodes.ravel(), into.T)
    outside = -arrives[:, geometry.boundaries]
    has_lake = geometry.node_lake[geometry.boundaries] >= 0
    outside[:, has_lake] = flow.external[:, geometry.boundaries[has_lake]]
    lake = _lakes(network, geometry, flow=flow, arrives=arrives)
    bins = np.repeat(np.arange(len(lengths)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return Water(
        bin=bins,
        begin=within / count[bins],
        end=(within + 1) / count[bins],
        length=lengths[bins] / count[bins],
        into=into,
        outside=np.hstack([outside, flow.lateral[:, geometry.laterals]]),
        volume=np.ascontiguousarray(flow.volume, dtype=float),
        lake=np.ascontiguousarray(lake, dtype=float),
        dispersion=np.ascontiguousarray(dispersion, dtype=float),
        lateral=np.ascontiguousarray(flow.lateral[: len(into) if len(geometry.laterals) else 0], dtype=float),
    )


def step_edges(water: Water, flow: BalancedFlow) -> Array:
    """Return the edges of the steps, (step + 1,) [s] from the start of the flow."""
    lengths = np.diff(flow.edges)
    inner = flow.edges[water.bin] + water.begin * lengths[water.bin]
    return np.append(inner, flow.edges[-1])


def _into(geometry: Geometry, flow: BalancedFlow) -> Array:
    """Return the discharge from each path end into its node, (bin, end) [m3/s]; exactly zero into a dead
    end."""
    reach, along = geometry.end_reach, geometry.end_along
    is_start = np.arange(len(reach)) % 2 == 0
    value = np.where(is_start == along, flow.discharge_start[:, reach], flow.discharge_end[:, reach])
    into = np.where(is_start == along, -value, value)
    is_dead = (np.diff(geometry.node_first) == 1) & (geometry.node_lake < 0) & (geometry.node_boundary < 0)
    into[:, is_dead[geometry.path_nodes.ravel()]] = 0.0
    return np.ascontiguousarray(into)


def _lakes(network: Network, geometry: Geometry, *, flow: BalancedFlow, arrives: Array) -> Array:
    """Return what lakes hold at the edges of the bins, (bin + 1, lake) [m3].

    `arrives` (bin, node) [m3/s] is what reaches bring less what they take.
    """
    usual = np.array([network.nodes[n].volume_m3 for n in geometry.lakes])
    given = flow.lake_volume[0, geometry.lakes]
    rate = (arrives + flow.external)[:, geometry.lakes]
    gained = np.cumsum(rate * np.diff(flow.edges)[:, None], axis=0)
    lake = np.where(np.isnan(given), usual, given) + np.vstack([np.zeros((1, len(usual))), gained])
    largest, lowest = np.maximum(lake.max(axis=0), usual), lake.min(axis=0)
    lacking = np.flatnonzero(lowest < -MOST_LAKE_LACK * largest)
    if len(lacking):
        k, low = int(lacking[0]), int(np.argmin(lake[:, lacking[0]]))
        what = (
            f"lake '{network.nodes[geometry.lakes[k]].id}' of {lake[0, k]:.4g} m3 would hold "
            f"{lake[low, k]:.4g} m3 at edge {low + 1} of the flow"
        )
        remedy = "correct its volume_m3, or make it an outlet so that it exchanges water with outside"
        raise InputError(network.source, what, remedy)
    return np.ascontiguousarray(lake + np.maximum(LEAST_LAKE_SHARE * largest - lowest, 0.0))
