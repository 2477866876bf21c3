"""One step's dispersion of WIDTH columns at once, from its factors.

All arrays of columns have shape (row, WIDTH): the innermost loop runs over contiguous columns of known number, which is
what makes it quick.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from suyuan.transport.dispersion import IMPLICIT, Factors, Mesh
from suyuan.transport.elimination import NodeSystem, solve_nodes

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WIDTH = 32
"""Columns (scenarios or readings) that are marched together."""


@nb.njit(cache=True, nogil=True)
def gather(value: Array, onward: Array, back: Array, near: int, start: Array, end: Array) -> None:
    """Eliminate the cells of a path from the right-hand side `value`, handing what they owe to its two nodes.

    The first `near` cells are near enough to the start to owe it something.
    """
    last = len(value) - 1
    for c in range(1, last + 1):
        multiplier = onward[c - 1]
        for k in range(WIDTH):
            value[c, k] += multiplier * value[c - 1, k]
    for c in range(near):
        share = back[c]
        for k in range(WIDTH):
            start[k] -= share * value[c, k]
    for k in range(WIDTH):
        end[k] += onward[last] * value[last, k]


@nb.njit(cache=True, nogil=True)
def substitute(
    value: Array, inverse: Array, onward: Array, back: Array, near: int, start: Array, end: Array
) -> None:
    """Put the nodes' solution back into the cells of a path: `value` becomes a concentration."""
    last = len(value) - 1
    for k in range(WIDTH):
        value[last, k] = inverse[last] * value[last, k] + onward[last] * end[k]
    if near > last:
        for k in range(WIDTH):
            value[last, k] -= back[last] * start[k]
    for c in range(last - 1, near - 1, -1):
        pivot, multiplier = inverse[c], onward[c]
        for k in range(WIDTH):
            value[c, k] = pivot * value[c, k] + multiplier * value[c + 1, k]
    for c in range(min(last, near) - 1, -1, -1):
        pivot, multiplier, share = inverse[c], onward[c], back[c]
        for k in range(WIDTH):
            value[c, k] = pivot * value[c, k] + multiplier * value[c + 1, k] - share * start[k]


@nb.njit(cache=True, nogil=True)
def explicit_part(
    value: Array, volume: Array, exchange: Array, start: Array, end: Array, flux: Array
) -> None:
    """Turn the concentration `value` of a path's cells into the right-hand side of the second stage, (V - K'') c.

    `exchange` (cell + 1,) is that at the faces, `flux` (WIDTH,) working space.
    """
    last = len(value) - 1
    for k in range(WIDTH):
        flux[k] = exchange[0] * (value[0, k] - start[k])
    for c in range(last):
        held, share = volume[c], exchange[c + 1]
        for k in range(WIDTH):
            onward = share * (value[c + 1, k] - value[c, k])
            value[c, k] = held * value[c, k] - flux[k] + onward
            flux[k] = onward
    for k in range(WIDTH):
        value[last, k] = (
            volume[last] * value[last, k] - flux[k] + exchange[last + 1] * (end[k] - value[last, k])
        )


@nb.njit(cache=True, nogil=True)
def let_in(boundaries: Index, shares: Array, outside: Array, value: Array) -> None:
    """Add share times the concentration outside to the cells at both ends of a path (`boundaries`, -1: none)."""
    for side in range(2):
        b, c = boundaries[side], 0 if side == 0 else len(value) - 1
        if b >= 0:
            for k in range(WIDTH):
                value[c, k] += shares[b] * outside[b, k]


@nb.njit(cache=True, nogil=True)
def let_out(boundaries: Index, shares: Array, value: Array, owed: Array) -> None:
    """Add share times the cells at both ends of a path to what their boundaries are owed: the transpose of `let_in`."""
    for side in range(2):
        b, c = boundaries[side], 0 if side == 0 else len(value) - 1
        if b >= 0:
            for k in range(WIDTH):
                owed[b, k] += shares[b] * value[c, k]


@nb.njit(cache=True, nogil=True)
def first_gather(mesh: Mesh, factors: Factors, s: int, value: Array, outside: Array, nodes: Array) -> None:
    """Eliminate all cells from the first stage's right-hand side, the masses."""
    onward, back = factors.onward[s], factors.back[s]
    nodes[:] = 0.0
    for lake in range(len(mesh.lake_node)):
        for k in range(WIDTH):
            nodes[mesh.lake_node[lake], k] = value[len(mesh.cell_reach) + lake, k]
    for p in range(len(mesh.path_node)):
        a, b = mesh.path_cells[p], mesh.path_cells[p + 1]
        start, end = nodes[mesh.path_node[p, 0]], nodes[mesh.path_node[p, 1]]
        let_in(mesh.path_boundary[p], factors.inlet[s], outside, value[a:b])
        gather(value[a:b], onward[a:b], back[a:b], factors.near[s, p], start, end)


@nb.njit(cache=True, nogil=True)
def second_gather(
    mesh: Mesh,
    factors: Factors,
    s: int,
    value: Array,
    outside: Array,
    owed: Array,
    nodes: Array,
    later: Array,
    both: Array,
) -> None:
    """Finish the first stage and eliminate the cells from the second one's right-hand side, (V - K'') c, path by path.

    `nodes` holds the first stage's concentrations at nodes, `later` receives the second one's right-hand side there. A
    junction has no volume and one share `a` for all its faces, so its own row is 0; a lake's row follows from its mass,
    still in `value`, because (V + a K) c = m there.
    """
    inverse, onward, back = factors.inverse[s], factors.onward[s], factors.back[s]
    flux = np.empty(WIDTH)
    ratio = (1.0 - 2.0 * IMPLICIT) / IMPLICIT
    later[:] = 0.0
    for lake in range(len(mesh.lake_node)):
        node = mesh.lake_node[lake]
        for k in range(WIDTH):
            held = factors.lake[s, lake] * nodes[node, k]
            later[node, k] = held - ratio * (value[len(mesh.cell_reach) + lake, k] - held)
    for p in range(len(mesh.path_node)):
        a, b, near = mesh.path_cells[p], mesh.path_cells[p + 1], factors.near[s, p]
        start, end = mesh.path_node[p, 0], mesh.path_node[p, 1]
        own, exchange = value[a:b], factors.explicit[s, a + p : b + p + 1]
        substitute(own, inverse[a:b], onward[a:b], back[a:b], near, nodes[start], nodes[end])
        let_out(mesh.path_boundary[p], both, own, owed)
        explicit_part(own, factors.volume[s, a:b], exchange, nodes[start], nodes[end], flux)
        let_in(mesh.path_boundary[p], both, outside, own)
        gather(own, onward[a:b], back[a:b], near, later[start], later[end])


@nb.njit(cache=True, nogil=True)
def finish(mesh: Mesh, factors: Factors, s: int, value: Array, owed: Array, nodes: Array) -> None:
    """Finish the second stage: `value` becomes the concentration after the step's dispersion."""
    inverse, onward, back = factors.inverse[s], factors.onward[s], factors.back[s]
    for p in range(len(mesh.path_node)):
        a, b = mesh.path_cells[p], mesh.path_cells[p + 1]
        start, end = nodes[mesh.path_node[p, 0]], nodes[mesh.path_node[p, 1]]
        substitute(value[a:b], inverse[a:b], onward[a:b], back[a:b], factors.near[s, p], start, end)
        let_out(mesh.path_boundary[p], factors.inlet[s], value[a:b], owed)
    for lake in range(len(mesh.lake_node)):
        for k in range(WIDTH):
            value[len(mesh.cell_reach) + lake, k] = nodes[mesh.lake_node[lake], k]


@nb.njit(cache=True, nogil=True)
def disperse(
    mesh: Mesh, system: NodeSystem, factors: Factors, s: int, value: Array, outside: Array, owed: Array, nodes: Array
) -> None:
    """Turn the masses `value` of cells and lakes into their concentrations after the step's dispersion, in place.

    `outside` (boundary, WIDTH) is the concentration there. `owed` (boundary, WIDTH) receives the transpose: what, with no
    concentration outside, is the sensitivity to it, because the matrix between cells is symmetric. `nodes` (2, unknown
    + 1, WIDTH) is working space; the last row stands for no node.
    """
    both = np.empty(len(owed))
    for b in range(len(owed)):
        both[b] = factors.inlet[s, b] + factors.inlet_explicit[s, b]
    owed[:] = 0.0
    early, late = nodes[0], nodes[1]
    first_gather(mesh, factors, s, value, outside, early)
    solve_nodes(system.first, system.column, factors.diagonal[s], factors.upper[s], early)
    early[len(early) - 1] = 0.0
    second_gather(mesh, factors, s, value, outside, owed, early, late, both)
    solve_nodes(system.first, system.column, factors.diagonal[s], factors.upper[s], late)
    late[len(late) - 1] = 0.0
    finish(mesh, factors, s, value, owed, late)


@nb.njit(cache=True, nogil=True)
def dilute(volume: Array, lake: Array, value: Array) -> None:
    """Turn masses of cells and lakes into concentrations where nothing disperses."""
    cells = len(volume)
    for r in range(cells + len(lake)):
        inverse = 1.0 / (volume[r] if r < cells else lake[r - cells])
        for k in range(WIDTH):
            value[r, k] *= inverse
