"""Ways through a network: the tree on which water is passed on, and the ways round that continuity leaves free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.sparse.linalg import splu

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Ways:
    """How discharge may run where nodes of a ground give and take freely and all others must balance.

    `passing` (reach, node): the discharge along the spanning tree that brings one m3/s from the ground to a node (0 for nodes of
    the ground); `round` (reach, way): ways round, or from ground to ground, linearly independent, of -1, 0 and 1.
    """

    passing: Array
    round: Array


def ways(ends: Places, is_ground: NDArray[np.bool_], *, avoided: NDArray[np.bool_] | None = None) -> Ways:
    """Return the ways of reaches with these `ends` (2, reach), node numbers from and to; `is_ground` (node,).

    The spanning tree passes through reaches that are `avoided` (reach,) only where no other leads.
    In a part without ground the first node serves as one: its balance then holds only if the part's sum does.

    >>> found = ways(np.array([[0, 1], [1, 2]]), np.array([True, False, True]))  # two boundaries and a node between
    >>> found.round.T.tolist(), np.abs(found.passing[:, 1]).sum()
    ([[1.0, 1.0]], np.float64(1.0))
    """
    nodes, reaches = len(is_ground), ends.shape[1]
    place = np.where(is_ground, 0, np.cumsum(~is_ground) - int(not is_ground.any()))
    count = int(place.max()) + 1
    at = place[ends]
    order = np.arange(reaches) if avoided is None else np.argsort(avoided, kind="stable")
    tree, roots = _spanning_tree(at[:, order], count=count)
    tree = np.sort(order[tree])
    closing = np.setdiff1d(np.arange(reaches), tree)
    inner = np.setdiff1d(np.arange(count), roots)
    net = _net(at, count=count)[inner].tocsc()
    passing, rounds = np.zeros((reaches, nodes)), np.zeros((reaches, len(closing)))
    rounds[closing, np.arange(len(closing))] = 1.0
    if len(tree):
        solve = splu(net[:, tree]).solve
        unit = np.zeros((len(inner), nodes))
        row = np.full(count, -1)
        row[inner] = np.arange(len(inner))
        given = np.flatnonzero(row[place] >= 0)
        unit[row[place[given]], given] = 1.0
        passing[tree] = np.rint(solve(unit))
        if len(closing):
            rounds[tree] = np.rint(-solve(net[:, closing].toarray()))
    return Ways(passing, rounds)


def _net(at: Places, *, count: int) -> sparse.csr_matrix:
    """Return (place, reach): 1 where a reach brings water, -1 where it takes it, 0 where it does both."""
    reaches = at.shape[1]
    column = np.arange(reaches)
    values = np.repeat([1.0, -1.0], reaches)
    return sparse.csr_matrix((values, (np.r_[at[1], at[0]], np.r_[column, column])), (count, reaches))


def _spanning_tree(at: Places, *, count: int) -> tuple[Places, Places]:
    """Return the reaches that span all places, and the first place of each part."""
    pairs, reach = np.unique(np.sort(at, axis=0), axis=1, return_index=True)
    is_way = pairs[0] != pairs[1]
    graph = sparse.coo_matrix((reach[is_way] + 1.0, (pairs[0][is_way], pairs[1][is_way])), (count, count))
    tree = minimum_spanning_tree(graph.tocsr()).data.astype(np.int64) - 1
    _, part = connected_components(graph, directed=False)
    return np.sort(tree), np.unique(part, return_index=True)[1]


def null_space(rows: Array, *, size: int) -> Array:
    """Return an orthonormal basis (size, free) of what `rows` (row, size) leave free."""
    if not len(rows):
        return np.eye(size)
    _, singular, right = np.linalg.svd(rows, full_matrices=True)
    rank = int(np.sum(singular > 1e-9 * max(1.0, float(singular.max(initial=0.0)))))
    return np.ascontiguousarray(right[rank:].T)
