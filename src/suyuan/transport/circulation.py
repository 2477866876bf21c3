"""Water that goes round and round in a ring within one step, slowed to what a step can follow.

To find where the water of a cell was when the step began, it is followed upstream from node to node. Each path
takes it a share of the step, so that ends, except where a ring carries far more than it holds: a pump in a
short ring or a slip in the flow would let it go round a million times, and twice as many ways at every round
where two rings meet. How often it went round no longer matters there: the ring is mixed. So the part of the
discharge that goes round is taken down, by the same in every path of the ring. The water balance of every node
and path stays as it was, and with it mass and even water.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.transport.geometry import Geometry

Array = NDArray[np.float64]
Index = NDArray[np.int64]

TURNS = 4.0
"""Rounds that water may go in one step."""

HALVINGS = 100
"""Halvings of the interval in which lies what goes round too often."""


class _Paths(NamedTuple):
    """Paths that water runs through from `tail` to `head`, nodes; all (path,).

    `held` [m3] is the least they hold, `entered` and `left` [m3] what runs in and out in a step.
    """

    tail: Index
    head: Index
    held: Array
    entered: Array
    left: Array

    def of(self, ring: list[int]) -> _Paths:
        """Return these paths alone."""
        return _Paths(self.tail[ring], self.head[ring], self.held[ring], self.entered[ring], self.left[ring])

    def shares(self, surplus: Array) -> Array:
        """Return the least share of the step that each takes water without this surplus, (path,)."""
        runs_through = (self.entered > surplus) & (self.left > surplus)
        entered = np.where(runs_through, self.entered - surplus, 1.0)
        return np.where(runs_through, self.held / entered, np.inf)


def slowed(geometry: Geometry, into: Array, *, volume: Array, seconds: Array) -> Array:
    """Return the discharge without what lets water go round a ring more than TURNS times in a step.

    `into` (bin, end) [m3/s] flows from a path's end into its node, as does what is returned; `volume`
    (bin + 1, reach) [m3] stands at the edges of the bins, `seconds` (bin,) [s] is the length of their steps.
    Where no ring is so fast `into` itself is returned.
    """
    first, last = into[:, 0::2], into[:, 1::2]
    held = _least_held(geometry, volume)
    entered = np.maximum(np.maximum(-first, -last), 0.0) * seconds[:, None]
    bins, paths = np.nonzero((first * last < 0.0) & (TURNS * held < entered))
    side = (first[bins, paths] > 0.0).astype(np.int64)
    tail, head = geometry.path_nodes[paths, side], geometry.path_nodes[paths, 1 - side]
    is_ring = _in_rings(bins, tail=tail, head=head, nodes=len(geometry.node_lake))
    if not is_ring.any():
        return into
    result = into.copy()
    for b in np.unique(bins[is_ring]):
        ring = np.flatnonzero(is_ring & (bins == b))
        p, upper = paths[ring], 2 * paths[ring] + side[ring]
        left = into[b, upper ^ 1] * seconds[b]
        surplus = _surplus(_Paths(tail[ring], head[ring], held[b, p], entered[b, p], left)) / seconds[b]
        result[b, upper] += surplus
        result[b, upper ^ 1] -= surplus
    return result


def _least_held(geometry: Geometry, volume: Array) -> Array:
    """Return the least volume of each path in each bin, (bin, path) [m3]."""
    total = np.zeros((len(volume), geometry.paths))
    np.add.at(total.T, geometry.reach_path, volume.T)
    return np.minimum(total[:-1], total[1:])


def _in_rings(bins: Index, *, tail: Index, head: Index, nodes: int) -> NDArray[np.bool_]:
    """Return which paths are left when those that come from nowhere or lead nowhere are taken away."""
    begin, end = bins * nodes + tail, bins * nodes + head
    alive = np.ones(len(bins), bool)
    count = len(bins) + 1
    while alive.sum() < count:
        count = alive.sum()
        alive &= np.isin(begin, end[alive]) & np.isin(end, begin[alive])
    return alive


def _surplus(paths: _Paths) -> Array:
    """Return what each path carries too much because it goes round too often, (path,) [m3] in a step.

    A slowed path never gets quicker, so each ring is slowed once at most.
    """
    surplus = np.zeros(len(paths.tail))
    for path in range(len(surplus)):
        while ring := _fast_ring(paths, path, shares=paths.shares(surplus)):
            surplus[ring] += _too_much(paths.of(ring), surplus[ring])
    return surplus


def _fast_ring(paths: _Paths, first: int, *, shares: Array) -> list[int]:
    """Return the paths of the quickest ring through path `first`, or none if water goes round it TURNS times at
    most (Dijkstra, 1959)."""
    limit = (1.0 - 1e-9) / TURNS - shares[first]
    ahead, seen = [(0.0, int(paths.head[first]), [first])], set()
    while ahead:
        share, node, ring = heapq.heappop(ahead)
        if share >= limit:
            return []
        if node == paths.tail[first]:
            return ring
        if node not in seen:
            seen.add(node)
            for path in np.flatnonzero(paths.tail == node):
                heapq.heappush(
                    ahead, (share + float(shares[path]), int(paths.head[path]), [*ring, int(path)])
                )
    return []


def _too_much(ring: _Paths, surplus: Array) -> float:
    """Return what has to go from every path of a ring beside its `surplus`, so that water goes round it TURNS
    times [m3]."""
    low, high = 0.0, float((np.minimum(ring.entered, ring.left) - surplus).min())
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if ring.shares(surplus + middle).sum() < 1.0 / TURNS:
            low = middle
        else:
            high = middle
    return high
