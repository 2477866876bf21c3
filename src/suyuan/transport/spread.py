"""One step's dispersion of many columns at once, from its factors.

All arrays of columns have shape (row, column). A path's recurrences run from cell to cell with the columns in
lanes.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel, uncounted_kernel
from suyuan.transport.dispersion import IMPLICIT, Factors, Mesh
from suyuan.transport.elimination import NodeSystem, solve_nodes
from suyuan.transport.lanes import LANES, load, plus_times, store, times

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@uncounted_kernel
def gather(
    value: Array, onward: Array, back: Array, near: int, cells: tuple[int, int], ends: Index, nodes: Array
) -> None:
    """Eliminate the cells of a path from the right-hand side `value`; what they owe goes to its two nodes.

    `value` (cells and lakes, column) [g] and `nodes` (node, column) [g] are changed in place; `onward` and `back` (cell,)
    say what share a cell owes to the next one and to the path's start, `cells` is the first cell and the one after the
    last, `ends` (2,) are rows of `nodes`. The first `near` cells are near enough to the start to owe it something.
    """
    first, last = cells
    for k in range(0, value.shape[1], LANES):
        own = load(value, first, k)
        start = plus_times(load(nodes, ends[0], k), -back[first], own)
        for c in range(first + 1, first + near):
            own = plus_times(load(value, c, k), onward[c - 1], own)
            store(value, c, k, own)
            start = plus_times(start, -back[c], own)
        for c in range(first + max(near, 1), last):
            own = plus_times(load(value, c, k), onward[c - 1], own)
            store(value, c, k, own)
        store(nodes, ends[0], k, start)
        store(nodes, ends[1], k, plus_times(load(nodes, ends[1], k), onward[last - 1], own))


@uncounted_kernel
def substitute(
    value: Array,
    inverse: Array,
    onward: Array,
    back: Array,
    near: int,
    cells: tuple[int, int],
    ends: Index,
    nodes: Array,
) -> None:
    """Put the nodes' solution back into the cells of a path: `value` becomes a concentration.

    `value` (cells and lakes, column) is what `gather` left [g] and becomes g/m3 in place; `inverse` (cell,) [1/m3] is that of
    the eliminated diagonal, `nodes` (node, column) [g/m3] the solution there; the rest as for `gather`.
    """
    first, last = cells
    for k in range(0, value.shape[1], LANES):
        own, start = load(nodes, ends[1], k), load(nodes, ends[0], k)
        for c in range(last - 1, first + near - 1, -1):
            own = plus_times(times(inverse[c], load(value, c, k)), onward[c], own)
            store(value, c, k, own)
        for c in range(first + near - 1, first - 1, -1):
            own = plus_times(times(inverse[c], load(value, c, k)), onward[c], own)
            own = plus_times(own, -back[c], start)
            store(value, c, k, own)


@uncounted_kernel
def explicit_part(
    value: Array, volume: Array, exchange: Array, cells: tuple[int, int], path: int, ends: Index, nodes: Array
) -> None:
    """Turn the concentration `value` of a path into the right-hand side of the second stage, (V - K'') c.

    `exchange` (cell + path,) is that at the faces.
    """
    first, last = cells
    for k in range(0, value.shape[1], LANES):
        own = load(value, first, k)
        below = times(exchange[first + path], own)
        below = plus_times(below, -exchange[first + path], load(nodes, ends[0], k))
        for c in range(first, last):
            onward = load(value, c + 1, k) if c + 1 < last else load(nodes, ends[1], k)
            flux = plus_times(times(exchange[c + 1 + path], onward), -exchange[c + 1 + path], own)
            kept = plus_times(times(volume[c], own), -1.0, below)
            store(value, c, k, plus_times(kept, 1.0, flux))
            own, below = onward, flux


@uncounted_kernel
def let_in(boundaries: Index, shares: Array, outside: Array, value: Array, cells: tuple[int, int]) -> None:
    """Add share times the concentration outside to the cells at both ends of a path (`boundaries`, -1:
    none)."""
    for side in range(2):
        b, c = boundaries[side], cells[0] if side == 0 else cells[1] - 1
        if b >= 0:
            for k in range(0, value.shape[1], LANES):
                store(value, c, k, plus_times(load(value, c, k), shares[b], load(outside, b, k)))


@uncounted_kernel
def let_out(boundaries: Index, shares: Array, value: Array, owed: Array, cells: tuple[int, int]) -> None:
    """Add share times the cells at both ends of a path to what their boundaries are owed: the transpose of
    `let_in`."""
    for side in range(2):
        b, c = boundaries[side], cells[0] if side == 0 else cells[1] - 1
        if b >= 0:
            for k in range(0, value.shape[1], LANES):
                store(owed, b, k, plus_times(load(owed, b, k), shares[b], load(value, c, k)))


@uncounted_kernel
def first_gather(mesh: Mesh, factors: Factors, s: int, value: Array, outside: Array, nodes: Array) -> None:
    """Eliminate all cells from the first stage's right-hand side, the masses."""
    onward, back = factors.onward[s], factors.back[s]
    nodes[:] = 0.0
    for lake in range(len(mesh.lake_node)):
        for k in range(value.shape[1]):
            nodes[mesh.lake_node[lake], k] = value[len(mesh.cell_reach) + lake, k]
    for p in range(len(mesh.path_node)):
        cells = (mesh.path_cells[p], mesh.path_cells[p + 1])
        let_in(mesh.path_boundary[p], factors.inlet[s], outside, value, cells)
        gather(value, onward, back, factors.near[s, p], cells, mesh.path_node[p], nodes)


@uncounted_kernel
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
    """Finish the first stage, and eliminate the cells from the second one's right-hand side, (V - K'') c.

    `nodes` holds the first stage's concentrations at nodes, `later` receives the second one's right-hand side
    there. A junction has no volume and one share `a` for all its faces, so its own row is 0; a lake's row
    follows from its mass, still in `value`, because (V + a K) c = m there.
    """
    inverse, onward, back = factors.inverse[s], factors.onward[s], factors.back[s]
    ratio = (1.0 - 2.0 * IMPLICIT) / IMPLICIT
    later[:] = 0.0
    for lake in range(len(mesh.lake_node)):
        node = mesh.lake_node[lake]
        for k in range(value.shape[1]):
            held = factors.lake[s, lake] * nodes[node, k]
            later[node, k] = held - ratio * (value[len(mesh.cell_reach) + lake, k] - held)
    for p in range(len(mesh.path_node)):
        cells, near, ends = (
            (mesh.path_cells[p], mesh.path_cells[p + 1]),
            factors.near[s, p],
            mesh.path_node[p],
        )
        substitute(value, inverse, onward, back, near, cells, ends, nodes)
        let_out(mesh.path_boundary[p], both, value, owed, cells)
        explicit_part(value, factors.volume[s], factors.explicit[s], cells, p, ends, nodes)
        let_in(mesh.path_boundary[p], both, outside, value, cells)
        gather(value, onward, back, near, cells, ends, later)


@uncounted_kernel
def finish(mesh: Mesh, factors: Factors, s: int, value: Array, owed: Array, nodes: Array) -> None:
    """Finish the second stage: `value` becomes the concentration after the step's dispersion."""
    inverse, onward, back = factors.inverse[s], factors.onward[s], factors.back[s]
    for p in range(len(mesh.path_node)):
        cells = (mesh.path_cells[p], mesh.path_cells[p + 1])
        substitute(value, inverse, onward, back, factors.near[s, p], cells, mesh.path_node[p], nodes)
        let_out(mesh.path_boundary[p], factors.inlet[s], value, owed, cells)
    for lake in range(len(mesh.lake_node)):
        for k in range(value.shape[1]):
            value[len(mesh.cell_reach) + lake, k] = nodes[mesh.lake_node[lake], k]


@kernel
def disperse(
    mesh: Mesh,
    system: NodeSystem,
    factors: Factors,
    s: int,
    value: Array,
    outside: Array,
    owed: Array,
    nodes: Array,
) -> None:
    """Turn the masses `value` of cells and lakes into concentrations after the step's dispersion.

    `outside` (boundary, column) is the concentration there. `owed` (boundary, column) receives the transpose:
    what, with no concentration outside, is the sensitivity to it, because the matrix between cells is
    symmetric. `nodes` (2, unknown + 1, column) is working space; the last row stands for no node.
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


@uncounted_kernel
def dilute(volume: Array, lake: Array, value: Array) -> None:
    """Turn masses of cells and lakes into concentrations where nothing disperses."""
    cells = len(volume)
    for r in range(cells + len(lake)):
        inverse = 1.0 / (volume[r] if r < cells else lake[r - cells])
        for k in range(0, value.shape[1], LANES):
            store(value, r, k, times(inverse, load(value, r, k)))
