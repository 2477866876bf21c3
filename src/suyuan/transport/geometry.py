"""Where the water is: reaches cut into cells, chains of reaches merged into paths, nodes where paths meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import LEAST_VOLUME_PER_METRE, BalancedFlow, has_structure, holds_water
from suyuan.network import Network

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WITH_OUTSIDE = ("boundary", "outlet", "lake")
"""Kinds of node that exchange water with the world outside the network."""

LINK_VOLUME_PER_METRE = 10.0 * LEAST_VOLUME_PER_METRE
"""Water up to which a reach with a structure counts as a link that holds none, m3 per metre."""


@dataclass(frozen=True)
class Geometry:
    """A network cut into cells that are equal fractions of their reach's volume, numbered along paths.

    A path is a chain of reaches joined at nodes where nothing else happens; it runs from its start to its
    end, whatever the drawn direction of its reaches. Path p holds the cells `path_cells[p]` to `path_cells[p
    + 1]` and begins and ends at the nodes `path_nodes[p]`. End 2p of path p is its start, end 2p + 1 its end;
    node n gathers the ends `node_ends[node_first[n]:node_first[n + 1]]`. Per cell: `cell_reach`, `cell_share`
    (of the reach's volume) and `cell_length` [m]. Per end: `end_reach` and whether that reach is drawn along
    the path (`end_along`). `lakes` and `boundaries` are node indices, `laterals` reaches along which water enters or is taken
    out; a lake with water from outside is both. `node_lake` and `node_boundary` (node,) are positions there or -1. Per reach:
    `reach_path`, `reach_first` (its first cell along the path), `reach_cells`, `reach_along`.
    """

    path_cells: Index
    path_nodes: Index
    node_first: Index
    node_ends: Index
    end_reach: Index
    end_along: NDArray[np.bool_]
    cell_reach: Index
    cell_share: Array
    cell_length: Array
    reach_path: Index
    reach_first: Index
    reach_cells: Index
    reach_along: NDArray[np.bool_]
    lakes: Index
    boundaries: Index
    laterals: Index
    node_lake: Index
    node_boundary: Index

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.cell_reach)

    @property
    def entries(self) -> int:
        """In how many ways water comes from outside: boundaries, then laterals."""
        return len(self.boundaries) + len(self.laterals)

    @property
    def paths(self) -> int:
        """How many paths there are."""
        return len(self.path_nodes)

    def weights_at(self, reach: int, distance_m: float) -> tuple[tuple[int, int], tuple[float, float]]:
        """Return the two cells whose centres embrace a place, and its linear weights on them, which sum to 1.

        `distance_m` counts from the reach's start along the path. Beyond the last centre of a path the end
        cell counts alone.
        """
        path = int(self.reach_path[reach])
        low, high = int(self.path_cells[path]), int(self.path_cells[path + 1])
        length = self.cell_length[low:high]
        centre = np.cumsum(length) - 0.5 * length
        first = int(self.reach_first[reach]) - low
        place = float(length[:first].sum()) + distance_m
        right = int(np.searchsorted(centre, place))
        if right == 0 or right == high - low:
            cell = low + min(right, high - low - 1)
            return (cell, cell), (1.0, 0.0)
        share = (place - centre[right - 1]) / (centre[right] - centre[right - 1])
        return (low + right - 1, low + right), (1.0 - float(share), float(share))

    def place(
        self, network: Network, *, reach_id: str, chainage_m: float
    ) -> tuple[tuple[int, int], tuple[float, float]]:
        """Return cells and weights of a chainage counted from the drawn start of a reach."""
        reach = network.reach_index(reach_id)
        length = network.reaches[reach].length_m
        return self.weights_at(reach, chainage_m if self.reach_along[reach] else length - chainage_m)


def cut(network: Network, dx_m: float, *, flow: BalancedFlow) -> Geometry:
    """Return the network cut into cells of about `dx_m` metres, and where the flow has water from outside."""
    ends = np.array(
        [[network.node_index(r.from_node), network.node_index(r.to_node)] for r in network.reaches]
    )
    chains = _chains(network, ends, is_link=is_link(network, flow))
    count = np.array([max(1, round(r.length_m / dx_m)) for r in network.reaches])
    for chain in chains:
        if len(chain) == 1:
            count[chain[0][0]] = max(2, count[chain[0][0]])
    order = [reach for chain in chains for reach, _ in chain]
    along = np.empty(len(ends), bool)
    path_of = np.empty(len(ends), np.int64)
    for p, chain in enumerate(chains):
        for reach, is_along in chain:
            along[reach], path_of[reach] = is_along, p
    first = np.empty(len(ends), np.int64)
    first[order] = np.concatenate([[0], np.cumsum(count[order])[:-1]])
    cell_reach = np.repeat(order, count[order])
    length = np.array([r.length_m for r in network.reaches])
    path_cells = np.concatenate([[0], np.cumsum([sum(count[r] for r, _ in chain) for chain in chains])])
    return _assembled(
        network,
        [(chain[0], chain[-1]) for chain in chains],
        ends=ends,
        flow=flow,
        cells={
            "path_cells": path_cells.astype(np.int64),
            "cell_reach": cell_reach.astype(np.int64),
            "cell_share": 1.0 / count[cell_reach],
            "cell_length": length[cell_reach] / count[cell_reach],
            "reach_path": path_of,
            "reach_first": first,
            "reach_cells": count.astype(np.int64),
            "reach_along": along,
        },
    )


def _assembled(
    network: Network,
    tips: list[tuple[tuple[int, bool], tuple[int, bool]]],
    *,
    ends: Index,
    flow: BalancedFlow,
    cells: dict[str, NDArray[np.generic]],
) -> Geometry:
    """Return the geometry once it is known with which reaches each path begins and ends."""
    path_nodes = np.array(
        [[ends[a, 0 if da else 1], ends[b, 1 if db else 0]] for (a, da), (b, db) in tips], np.int64
    )
    flat = path_nodes.ravel()
    nodes = len(network.nodes)
    holds = holds_water(network)
    outside = np.array([n.kind in WITH_OUTSIDE for n in network.nodes]) & ~holds
    outside |= holds & (flow.external != 0.0).any(axis=0)
    return Geometry(
        **cells,  # type: ignore[arg-type]
        path_nodes=path_nodes,
        node_first=np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=nodes))]).astype(np.int64),
        node_ends=np.argsort(flat, kind="stable").astype(np.int64),
        end_reach=np.array([reach for tip in tips for reach, _ in tip], np.int64),
        end_along=np.array([is_along for tip in tips for _, is_along in tip], bool),
        lakes=np.flatnonzero(holds).astype(np.int64),
        boundaries=np.flatnonzero(outside).astype(np.int64),
        laterals=np.flatnonzero((flow.lateral != 0.0).any(axis=0)).astype(np.int64),
        node_lake=np.where(holds, np.cumsum(holds) - 1, -1).astype(np.int64),
        node_boundary=np.where(outside, np.cumsum(outside) - 1, -1).astype(np.int64),
    )


def is_link(network: Network, flow: BalancedFlow) -> NDArray[np.bool_]:
    """Return which reaches (reach,) are structures that hold next to no water: no more than LINK_VOLUME_PER_METRE."""
    most = LINK_VOLUME_PER_METRE * np.array([r.length_m for r in network.reaches])
    return np.asarray(has_structure(network) & (flow.volume.max(axis=0) <= most))


def _chains(network: Network, ends: Index, *, is_link: NDArray[np.bool_]) -> list[list[tuple[int, bool]]]:
    """Return the paths, each a list of (reach, whether the path runs along its drawn direction).

    A link is a path by itself: interpolation through cells of a litre next to cells of a thousand m3 would ring.
    """
    degree = np.bincount(ends.ravel(), minlength=len(network.nodes))
    passes = np.array([n.kind not in WITH_OUTSIDE for n in network.nodes]) & (degree == 2)
    passes[ends[is_link]] = False
    touching: list[list[int]] = [[] for _ in network.nodes]
    for reach, pair in enumerate(ends):
        for node in pair:
            touching[node].append(reach)
    chains: list[list[tuple[int, bool]]] = []
    used = np.zeros(len(ends), bool)
    starts = [r for r in range(len(ends)) if not passes[ends[r]].all()] + list(range(len(ends)))
    for reach in starts:
        if used[reach]:
            continue
        is_along = not passes[ends[reach, 0]] or bool(passes[ends[reach, 1]])
        chains.append(_follow(reach, is_along, ends=ends, passes=passes, touching=touching, used=used))
    return chains


def _follow(
    reach: int,
    is_along: bool,
    *,
    ends: Index,
    passes: NDArray[np.bool_],
    touching: list[list[int]],
    used: NDArray[np.bool_],
) -> list[tuple[int, bool]]:
    """Return the chain that begins with this reach, marking what it takes as used."""
    chain = []
    while not used[reach]:
        used[reach] = True
        chain.append((reach, is_along))
        node = int(ends[reach, 1 if is_along else 0])
        if not passes[node]:
            break
        onward = [r for r in touching[node] if not used[r]]
        if not onward:
            break
        reach = onward[0]
        is_along = int(ends[reach, 0]) == node
    return chain
