"""Other flows that close as exactly as the given one: more or less let in, other splits where waters divide, or longer ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.sparse.linalg import splu

from suyuan.flow import BalancedFlow, FlowField, closed_from, has_outside, holds_water, incidence
from suyuan.network import Network

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Circulations:
    """Discharges that go round and need no water from outside, (reach, circulation), linearly independent.

    `arm` (reach,) counts the arms: reaches in series, between which no water divides or meets.
    """

    discharge: Array
    arm: NDArray[np.int64]


def altered(
    flow: BalancedFlow,
    network: Network,
    *,
    external: Array,
    wanted: Array,
    spread: Array,
    circulations: Circulations,
) -> BalancedFlow:
    """Return the flow that closes with other inflows at the boundary nodes and other splits, volumes unchanged.

    `external` (bin, node) [m3/s] is what should enter, rain on lakes included; outlets take up the difference. A lake passes
    it on and keeps its gain; it takes the difference up only where no outlet can, or where it holds no volume of its own. As far
    as continuity then leaves them free, discharges in loops, and on ways to several outlets, come as near as can be to those
    `wanted` (bin, reach) [m3/s]: least squares in every bin, an arm's departure in units of its `spread` (bin, reach) [m3/s].
    Next to nothing passes where spread is next to nothing, as at a closed gate.
    """
    change = _through(flow, network, external=external)
    free, arm = circulations.discharge, circulations.arm
    given = 0.5 * (flow.discharge_start + flow.discharge_end)
    weight = 1.0 / (spread**2 * np.bincount(arm)[arm])
    missing = weight * (wanted - given - change)
    for b in range(len(given) if free.shape[1] else 0):
        change[b] += free @ np.linalg.solve((free.T * weight[b]) @ free, missing[b] @ free)
    leaving, entering = incidence(network)
    start, end = flow.discharge_start + change, flow.discharge_end + change
    needed = (leaving @ start.T - entering @ end.T).T
    outside = np.where(holds_water(network), external, needed)
    outside[:, ~has_outside(network)] = 0.0
    gained = np.cumsum((outside - needed) * np.diff(flow.edges)[:, None], axis=0)
    held = flow.lake_volume[0] + np.vstack([np.zeros_like(gained[:1]), gained])
    return replace(flow, discharge_start=start, discharge_end=end, external=outside, lake_volume=held)


def with_lateral(flow: BalancedFlow, network: Network, *, lateral: Array) -> BalancedFlow:
    """Return the flow with other inflows along its reaches, `lateral` (bin, reach) [m3/s], volumes unchanged.

    Each reach hands half of what it gets more on at either end; `external` says what every node then lacks, at junctions too,
    until `altered` brings it to the outlets.
    """
    more = 0.5 * (lateral - flow.lateral)
    leaving, entering = incidence(network)
    owed = (leaving @ more.T + entering @ more.T).T
    return replace(
        flow,
        discharge_start=flow.discharge_start - more,
        discharge_end=flow.discharge_end + more,
        external=flow.external - owed,
        lateral=lateral,
    )


def _through(flow: BalancedFlow, network: Network, *, external: Array) -> Array:
    """Return changes of discharge (bin, reach) [m3/s] that bring other inflows to the outlets, each reach as its mean square."""
    leaving, entering = incidence(network)
    keep = ~_takes_up(network)
    net = (entering - leaving)[keep]
    square = np.mean(flow.discharge_start**2 + flow.discharge_end**2, axis=0) / 2.0
    variance = square + 1e-6 * square.max() + 1e-18
    least = np.where(has_outside(network)[keep], 1e-9 * variance.max(), 0.0)
    matrix = (net @ sparse.diags(variance) @ net.T + sparse.diags(least)).tocsc()
    multiplier = splu(matrix).solve((external - flow.external)[:, keep].T)
    return np.ascontiguousarray(-(sparse.diags(variance) @ net.T @ multiplier).T)


def circulations_of(network: Network) -> Circulations:
    """Return the circulations of a network: one for each reach beyond a spanning tree, along it and back through the tree.

    All nodes that take up what more or less is let in count as one. A tree with one outlet has none.
    """
    leaving, entering = incidence(network)
    is_open = _takes_up(network)
    place = np.where(is_open, 0, np.cumsum(~is_open) - int(not is_open.any()))
    ends = np.stack([(place @ side).astype(int) for side in (leaving, entering)])
    tree, root = _spanning_tree(ends, count=int(place.max()) + 1)
    closing = np.setdiff1d(np.arange(ends.shape[1]), tree)
    one = sparse.csr_matrix((np.ones(len(place)), (place, np.arange(len(place)))))
    net = (one @ (entering - leaving))[np.setdiff1d(np.arange(int(place.max()) + 1), root)].tocsc()
    free = np.zeros((ends.shape[1], len(closing)))
    free[closing, np.arange(len(closing))] = 1.0
    if len(tree) and len(closing):
        free[tree] = np.rint(-splu(net[:, tree]).solve(net[:, closing].toarray()))
    return Circulations(free, _arms(network))


def _arms(network: Network) -> NDArray[np.int64]:
    """Return the arm of each reach, (reach,): of reaches that are joined where nothing else meets them and nothing enters."""
    leaving, entering = incidence(network)
    meets = leaving + entering
    is_passed = (np.asarray(meets.sum(axis=1)).ravel() == 2.0) & ~has_outside(network)
    _, arm = connected_components(meets[is_passed].T @ meets[is_passed], directed=False)
    return np.asarray(arm, np.int64)


def _spanning_tree(ends: NDArray[np.int64], *, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the reaches that span all places, and one place of each connected water; `ends` (2, reach)."""
    pairs, reach = np.unique(np.sort(ends, axis=0), axis=1, return_index=True)
    graph = sparse.coo_matrix((reach + 1.0, (pairs[0], pairs[1])), (count, count))  # zero would be no reach
    tree = minimum_spanning_tree(graph.tocsr()).data.astype(np.int64) - 1
    _, water = connected_components(graph, directed=False)
    return np.sort(tree), np.unique(water, return_index=True)[1]


def _takes_up(network: Network) -> NDArray[np.bool_]:
    """Return which nodes (node,) take up what more or less is let in: of every connected water its outlets, else its lakes."""
    leaving, entering = incidence(network)
    _, water = connected_components(leaving @ entering.T, directed=False)
    is_lake = np.array([n.kind == "lake" for n in network.nodes])
    is_open = np.array([n.kind == "outlet" for n in network.nodes]) | (is_lake & ~holds_water(network))
    return np.asarray(is_open | (is_lake & ~np.isin(water, water[is_open])))


def prolonged(flow: BalancedFlow, network: Network, *, until_s: float) -> BalancedFlow:
    """Return the flow run on to `until_s` [s] from its start, its last day repeated; the same flow if it reaches so far.

    What a reach or a lake gained or lost in volume over that day is spread out of it, so that tides return and nothing fills up
    or runs dry; a lake gets or gives the difference as water from outside. The balance report stays that of the given flow.
    """
    end, bins = float(flow.edges[-1]), len(flow.edges) - 1
    if until_s <= end:
        return flow
    day = np.flatnonzero(flow.edges[:-1] >= end - 86400.0 - 1e-6)
    span = flow.edges[np.append(day, bins)] - flow.edges[day[0]]
    held = flow.volume[np.append(day, bins)]
    change = held - held[0] - (span / span[-1])[:, None] * (held[-1] - held[0])
    repeats = int(np.ceil((until_s - end) / span[-1]))
    after = np.concatenate([end + k * span[-1] + span[1:] for k in range(repeats)])
    kept = slice(0, int(np.searchsorted(after, until_s - 1e-6)) + 1)
    volume = np.tile(np.maximum(flow.volume[-1] + change[1:], 0.0), (repeats, 1))[kept]

    def repeated(rate: Array, less: Array | float = 0.0) -> Array:
        return np.concatenate([rate, np.tile(rate[day] - less, (repeats, 1))[kept]])

    start, finish = repeated(flow.discharge_start), repeated(flow.discharge_end)
    rained = np.flatnonzero(holds_water(network))
    gained = flow.lake_volume[-1] - flow.lake_volume[day[0]]
    longer = FlowField(
        flow.start,
        np.append(flow.edges, after[kept]),
        tuple(r.id for r in network.reaches),
        start,
        finish,
        np.concatenate([flow.volume, volume]),
        tuple(network.nodes[n].id for n in rained),
        repeated(flow.external[:, rained], (gained / span[-1])[rained]),
        lateral=repeated(flow.lateral),
    )
    closed = closed_from(longer, network)
    filled = closed.lake_volume - closed.lake_volume[0] + flow.lake_volume[0]
    return replace(closed, balance=flow.balance, lake_volume=filled)
