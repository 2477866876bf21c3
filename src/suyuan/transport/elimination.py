"""Gaussian elimination among the junctions: which pairs of nodes fill in, and the factors of one step.

What is left of a step's dispersion when all cells are eliminated is a small symmetric system between the
nodes. Its pattern never changes, so the order (least degree first) and the fill are found once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import uncounted_kernel
from suyuan.transport.geometry import Geometry
from suyuan.transport.lanes import LANES, load, plus_times, store, times

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class NodeSystem(NamedTuple):
    """The pattern of the nodes' system, in order of elimination.

    `unknown` (node,) is a node's position in that order or -1; `nodes` (unknown,) the node at each position.
    Row k of the upper factor holds the entries `first[k]:first[k + 1]` in `column`; eliminating k changes,
    for each pair of those entries, the entry `target` (from `target_first[k]` on, pairs in order). `pair`
    (path,) is the entry that joins a path's two nodes (-1: none, -2: both ends at the same node).
    """

    unknown: Index
    nodes: Index
    first: Index
    column: Index
    target: Index
    target_first: Index
    pair: Index


def node_system(geometry: Geometry) -> NodeSystem:
    """Return the pattern of the system between the nodes that have an unknown: junctions of several ends, and
    lakes."""
    degree = np.diff(geometry.node_first)
    has_unknown = (geometry.node_lake >= 0) | (degree > 1)
    neighbours: dict[int, set[int]] = {int(n): set() for n in np.flatnonzero(has_unknown)}
    for a, b in geometry.path_nodes.tolist():
        if a != b and has_unknown[a] and has_unknown[b]:
            neighbours[a].add(b)
            neighbours[b].add(a)
    order, rows = _eliminated(neighbours)
    unknown = np.full(len(degree), -1, np.int64)
    unknown[order] = np.arange(len(order))
    later = [sorted(int(unknown[n]) for n in row) for row in rows]
    first = np.concatenate([[0], np.cumsum([len(row) for row in later])]).astype(np.int64)
    entry = {(k, j): int(first[k]) + i for k, row in enumerate(later) for i, j in enumerate(row)}
    targets = [[entry[i, j] for n, i in enumerate(row) for j in row[n + 1 :]] for row in later]
    return NodeSystem(
        unknown=unknown,
        nodes=np.array(order, np.int64),
        first=first,
        column=np.array([j for row in later for j in row], np.int64),
        target=np.array([t for row in targets for t in row], np.int64),
        target_first=np.concatenate([[0], np.cumsum([len(t) for t in targets])]).astype(np.int64),
        pair=_pairs(geometry, unknown, entry=entry),
    )


def _eliminated(neighbours: dict[int, set[int]]) -> tuple[list[int], list[set[int]]]:
    """Return the order of least degree, and for each node the later ones it is joined to (fill included)."""
    order, rows = [], []
    while neighbours:
        node = min(neighbours, key=lambda n: (len(neighbours[n]), n))
        row = neighbours.pop(node)
        for other in row:
            neighbours[other] |= row
            neighbours[other] -= {other, node}
        order.append(node)
        rows.append(row)
    return order, rows


def _pairs(geometry: Geometry, unknown: Index, *, entry: dict[tuple[int, int], int]) -> Index:
    pairs = np.full(geometry.paths, -1, np.int64)
    for p, (a, b) in enumerate(unknown[geometry.path_nodes].tolist()):
        if a >= 0 and a == b:
            pairs[p] = -2
        elif a >= 0 and b >= 0:
            pairs[p] = entry[min(a, b), max(a, b)]
    return pairs


@uncounted_kernel
def factorise(system: NodeSystem, diagonal: Array, upper: Array) -> None:
    """Turn `diagonal` (unknown,) and `upper` (entry,) into its inverse and the multipliers, in place.

    A node that nothing disperses to has an empty row; it gets an inverse of 0 and stays out.
    """
    for k in range(len(diagonal)):
        inverse = 1.0 / diagonal[k] if diagonal[k] > 0.0 else 0.0
        t = system.target_first[k]
        for i in range(system.first[k], system.first[k + 1]):
            multiplier = upper[i] * inverse
            diagonal[system.column[i]] -= multiplier * upper[i]
            for j in range(i + 1, system.first[k + 1]):
                upper[system.target[t]] -= multiplier * upper[j]
                t += 1
        for i in range(system.first[k], system.first[k + 1]):
            upper[i] *= inverse
        diagonal[k] = inverse


@uncounted_kernel
def solve_nodes(first: Index, column: Index, diagonal: Array, upper: Array, value: Array) -> None:
    """Solve the factorised system for the right-hand sides `value` (unknown or more, column), in place."""
    for k in range(0, value.shape[1], LANES):
        for row in range(len(diagonal)):
            own = load(value, row, k)
            for i in range(first[row], first[row + 1]):
                store(value, column[i], k, plus_times(load(value, column[i], k), -upper[i], own))
        for row in range(len(diagonal) - 1, -1, -1):
            own = times(diagonal[row], load(value, row, k))
            for i in range(first[row], first[row + 1]):
                own = plus_times(own, -upper[i], load(value, column[i], k))
            store(value, row, k, own)
