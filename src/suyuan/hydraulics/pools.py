"""Stage on a network by that of a few places, the centres: between them it runs as still as the way is long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.sparse.linalg import splu

Array = NDArray[np.float64]
Places = NDArray[np.int64]


def centres(ends: Places, length: Array, *, nodes: int, wanted: Sequence[int], most: int) -> Places:
    """Return the nodes, ascending, whose stage is followed: `wanted`, one in each water, then the farthest from all others.

    `ends` (2, reach) and `length` (reach,) are those of the reaches along which stage is continuous. All nodes if `most` allows.

    >>> centres(np.array([[0, 1, 2], [1, 2, 3]]), np.ones(3), nodes=4, wanted=[0], most=2).tolist()
    [0, 3]
    """
    if nodes <= most:
        return np.arange(nodes)
    graph = sparse.coo_matrix((length, (ends[0], ends[1])), (nodes, nodes)).tocsr()
    _, water = connected_components(graph, directed=False)
    chosen = sorted(set(wanted))
    chosen += [int(np.flatnonzero(water == w)[0]) for w in np.setdiff1d(water, water[chosen])]
    away = np.min(dijkstra(graph, directed=False, indices=np.array(chosen)), axis=0)
    while len(chosen) < most and away.max() > 0.0:
        chosen.append(int(np.argmax(away)))
        away = np.minimum(away, dijkstra(graph, directed=False, indices=np.array(chosen[-1:]))[0])
    return np.array(sorted(chosen), np.int64)


def stage_from(ends: Places, length: Array, *, nodes: int, at: Places) -> Array:
    """Return weights (node, centre): the stage of every node from that of the centres `at`, harmonic along the reaches.

    Rows sum to one: level water stays level.

    >>> stage_from(np.array([[0, 1], [1, 2]]), np.array([1.0, 3.0]), nodes=3, at=np.array([0, 2])).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]]
    """
    weight = 1.0 / length
    count = ends.shape[1]
    rows = sparse.csr_matrix(
        (np.repeat([1.0, -1.0], count), (np.tile(np.arange(count), 2), np.r_[ends[0], ends[1]])),
        (count, nodes),
    )
    laplace = (rows.T @ sparse.diags(weight) @ rows).tocsc()
    weights = np.zeros((nodes, len(at)))
    weights[at, np.arange(len(at))] = 1.0
    rest = np.setdiff1d(np.arange(nodes), at)
    if len(rest):
        weights[rest] = splu(laplace[rest][:, rest].tocsc()).solve(-laplace[rest][:, at].toarray())
    return weights
