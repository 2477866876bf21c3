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

LEAST_LAKE_SHARE = 0.01
"""Share of its first volume below which a lake counts as run dry."""


class Water(NamedTuple):
    """Time steps and what the water does in them.

    Per step: `bin` it lies in, `begin` and `end` as shares of that bin, `length` [s]. `into` (bin, end)
    [m3/s] flows from a path's end into the node there (negative: out of it), `outside` (bin, boundary) [m3/s]
    enters from outside, `volume` (bin + 1, reach) and `lake` (bin + 1, lake) [m3] at the edges, `dispersion`
    (bin, reach) [m2/s].
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


def water_of(
    geometry: Geometry, network: Network, *, flow: BalancedFlow, dt_s: float, dispersion: Array
) -> Water:
    """Return the flow cut into steps of about `dt_s` that never cross the edge of a bin.

    A ring in which water would go round more than `circulation.TURNS` times in a step is slowed to that.
    A lake stores what its reaches bring and take; what the flow calls external there is its change of volume.
    `dispersion` (bin, reach) [m2/s] is carried along. Raises InputError where a lake would run dry, that is hold less than
    LEAST_LAKE_SHARE of its first volume.
    """
    lengths = np.diff(flow.edges)
    count = np.maximum(1, np.ceil(lengths / dt_s - 1e-9)).astype(np.int64)
    into = slowed(geometry, _into(geometry, flow), volume=flow.volume, seconds=lengths / count)
    nodes = len(network.nodes)
    arrives = np.zeros((len(into), nodes))
    np.add.at(arrives.T, geometry.path_nodes.ravel(), into.T)
    first = np.array([network.nodes[n].volume_m3 for n in geometry.lakes])
    gained = np.cumsum(arrives[:, geometry.lakes] * lengths[:, None], axis=0)
    lake = np.vstack([first, first + gained]) if len(first) else np.zeros((len(flow.edges), 0))
    _refuse_dry_lake(network, geometry, lake=lake)
    bins = np.repeat(np.arange(len(lengths)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return Water(
        bin=bins,
        begin=within / count[bins],
        end=(within + 1) / count[bins],
        length=lengths[bins] / count[bins],
        into=into,
        outside=np.ascontiguousarray(-arrives[:, geometry.boundaries]),
        volume=np.ascontiguousarray(flow.volume, dtype=float),
        lake=np.ascontiguousarray(lake, dtype=float),
        dispersion=np.ascontiguousarray(dispersion, dtype=float),
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


def _refuse_dry_lake(network: Network, geometry: Geometry, *, lake: Array) -> None:
    for column, node in enumerate(geometry.lakes):
        low = np.flatnonzero(lake[:, column] < LEAST_LAKE_SHARE * lake[0, column])
        if len(low):
            what = (
                f"lake '{network.nodes[node].id}' of {lake[0, column]:.4g} m3 would hold "
                f"{lake[low[0], column]:.4g} m3 at edge {low[0] + 1} of the flow"
            )
            remedy = "correct its volume_m3, or make it an outlet so that it exchanges water with outside"
            raise InputError(network.source, what, remedy)
