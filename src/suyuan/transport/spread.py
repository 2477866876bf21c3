"""One step's dispersion of WIDTH columns at once, forward and transposed, from its factors.

All arrays of columns have shape (row, WIDTH): the innermost loop runs over contiguous columns of known number, which is what
makes it quick.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from suyuan.transport.dispersion import IMPLICIT, Factors
from suyuan.transport.elimination import NodeSystem, solve_nodes
from suyuan.transport.water import Grid

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WIDTH = 32
"""Columns (scenarios or readings) that are marched together."""


@nb.njit(cache=True, nogil=True)
def gather_nodes(
    grid: Grid, system: NodeSystem, factors: Factors, s: int, path: int, value: Array, nodes: Array
) -> None:
    """Eliminate the cells of a path from the right-hand side `value`, handing what they owe to the nodes."""
    start, end = system.unknown[grid.path_nodes[path, 0]], system.unknown[grid.path_nodes[path, 1]]
    first, last = grid.path_cells[path], grid.path_cells[path + 1]
    for c in range(first, last):
        if c > first:
            onward = factors.onward[s, c - 1]
            for k in range(WIDTH):
                value[c, k] += onward * value[c - 1, k]
        if start >= 0:
            back = factors.back[s, c]
            for k in range(WIDTH):
                nodes[start, k] -= back * value[c, k]
    if end >= 0:
        onward = factors.onward[s, last - 1]
        for k in range(WIDTH):
            nodes[end, k] += onward * value[last - 1, k]


@nb.njit(cache=True, nogil=True)
def substitute(
    grid: Grid, system: NodeSystem, factors: Factors, s: int, path: int, value: Array, nodes: Array
) -> None:
    """Put the nodes' solution back into the cells of a path: `value` becomes a concentration."""
    start, end = system.unknown[grid.path_nodes[path, 0]], system.unknown[grid.path_nodes[path, 1]]
    first, last = grid.path_cells[path], grid.path_cells[path + 1]
    for c in range(last - 1, first - 1, -1):
        inverse, onward, back = factors.inverse[s, c], factors.onward[s, c], factors.back[s, c]
        for k in range(WIDTH):
            value[c, k] *= inverse
        if c + 1 < last:
            for k in range(WIDTH):
                value[c, k] += onward * value[c + 1, k]
        elif end >= 0:
            for k in range(WIDTH):
                value[c, k] += onward * nodes[end, k]
        if start >= 0:
            for k in range(WIDTH):
                value[c, k] -= back * nodes[start, k]


@nb.njit(cache=True, nogil=True)
def explicit_part(
    grid: Grid, system: NodeSystem, factors: Factors, s: int, path: int, value: Array, nodes: Array
) -> None:
    """Turn the concentration `value` of a path's cells into the right-hand side of the second stage, (V - K'') c."""
    start, end = system.unknown[grid.path_nodes[path, 0]], system.unknown[grid.path_nodes[path, 1]]
    first, last = grid.path_cells[path], grid.path_cells[path + 1]
    flux = np.zeros(WIDTH)
    share = factors.explicit[s, first + path]
    for k in range(WIDTH):
        flux[k] = share * value[first, k]
    if start >= 0:
        for k in range(WIDTH):
            flux[k] -= share * nodes[start, k]
    for c in range(first, last):
        volume, share = factors.volume[s, c], factors.explicit[s, c + 1 + path]
        for k in range(WIDTH):
            onward = -share * value[c, k]
            if c + 1 < last:
                onward += share * value[c + 1, k]
            elif end >= 0:
                onward += share * nodes[end, k]
            value[c, k] = volume * value[c, k] - flux[k] + onward
            flux[k] = onward


@nb.njit(cache=True, nogil=True)
def at_inlets(grid: Grid, path_boundary: Index, shares: Array, value: Array, outside: Array) -> None:
    """Add share times the concentration outside to the cell at each inlet."""
    for path in range(len(grid.path_nodes)):
        for side in range(2):
            b = path_boundary[path, side]
            if b >= 0 and shares[b] != 0.0:
                c = grid.path_cells[path] if side == 0 else grid.path_cells[path + 1] - 1
                for k in range(WIDTH):
                    value[c, k] += shares[b] * outside[b, k]


@nb.njit(cache=True, nogil=True)
def from_inlets(grid: Grid, path_boundary: Index, shares: Array, value: Array, outside: Array) -> None:
    """Add share times the value in the cell at each inlet to the one outside: the transpose of `at_inlets`."""
    for path in range(len(grid.path_nodes)):
        for side in range(2):
            b = path_boundary[path, side]
            if b >= 0 and shares[b] != 0.0:
                c = grid.path_cells[path] if side == 0 else grid.path_cells[path + 1] - 1
                for k in range(WIDTH):
                    outside[b, k] += shares[b] * value[c, k]


@nb.njit(cache=True, nogil=True)
def implicit_solve(
    grid: Grid, system: NodeSystem, factors: Factors, s: int, value: Array, nodes: Array
) -> None:
    """Solve one implicit stage in place: `value` from mass to concentration; `nodes` holds lake mass, then concentration."""
    for path in range(len(grid.path_nodes)):
        gather_nodes(grid, system, factors, s, path, value, nodes)
    solve_nodes(system, factors.diagonal[s], factors.upper[s], nodes)
    for path in range(len(grid.path_nodes)):
        substitute(grid, system, factors, s, path, value, nodes)


@nb.njit(cache=True, nogil=True)
def lakes_to_nodes(grid: Grid, system: NodeSystem, value: Array, nodes: Array) -> None:
    """Start the nodes' right-hand side: what lakes hold, nothing at junctions."""
    nodes[:] = 0.0
    for lake in range(len(grid.lakes)):
        nodes[system.unknown[grid.lakes[lake]]] = value[len(grid.cell_reach) + lake]


@nb.njit(cache=True, nogil=True)
def second_stage(
    grid: Grid, system: NodeSystem, factors: Factors, s: int, value: Array, nodes: Array
) -> None:
    """Turn the first stage's concentrations into the right-hand side of the second, (V - K'') c, in place.

    A junction has no volume and one share `a` for all its faces, so its own row is 0; a lake's row follows from its mass,
    still in `value`, because (V + a K) c = m there.
    """
    for path in range(len(grid.path_nodes)):
        explicit_part(grid, system, factors, s, path, value, nodes)
    ratio = (1.0 - 2.0 * IMPLICIT) / IMPLICIT
    for lake in range(len(grid.lakes)):
        row, node = len(grid.cell_reach) + lake, system.unknown[grid.lakes[lake]]
        for k in range(WIDTH):
            held = factors.lake[s, lake] * nodes[node, k]
            value[row, k] = held - ratio * (value[row, k] - held)


@nb.njit(cache=True, nogil=True)
def to_mass(grid: Grid, factors: Factors, s: int, value: Array) -> None:
    """Turn concentrations of cells and lakes into masses (in the backward march: sensitivities to mass to those to water)."""
    cells = len(grid.cell_reach)
    for c in range(cells):
        volume = factors.volume[s, c]
        for k in range(WIDTH):
            value[c, k] *= volume
    for lake in range(len(grid.lakes)):
        for k in range(WIDTH):
            value[cells + lake, k] *= factors.lake[s, lake]


@nb.njit(cache=True, nogil=True)
def nodes_to_lakes(grid: Grid, system: NodeSystem, value: Array, nodes: Array) -> None:
    """Take the lakes' concentrations from the nodes' solution."""
    for lake in range(len(grid.lakes)):
        value[len(grid.cell_reach) + lake] = nodes[system.unknown[grid.lakes[lake]]]


@nb.njit(cache=True, nogil=True)
def disperse(
    grid: Grid,
    system: NodeSystem,
    factors: Factors,
    s: int,
    path_boundary: Index,
    value: Array,
    nodes: Array,
    outside: Array,
) -> None:
    """Replace the masses `value` by what they are after the step's dispersion, given the concentrations outside.

    `outside` (2 x boundary, WIDTH): its first half is read, its second receives the mass that came in from there.
    """
    boundaries = len(grid.boundaries)
    concentration, gained = outside[:boundaries], outside[boundaries:]
    both = factors.inlet[s] + factors.inlet_explicit[s]
    at_inlets(grid, path_boundary, factors.inlet[s], value, concentration)
    lakes_to_nodes(grid, system, value, nodes)
    implicit_solve(grid, system, factors, s, value, nodes)
    gained[:] = 0.0
    from_inlets(grid, path_boundary, -both, value, gained)
    second_stage(grid, system, factors, s, value, nodes)
    at_inlets(grid, path_boundary, both, value, concentration)
    lakes_to_nodes(grid, system, value, nodes)
    implicit_solve(grid, system, factors, s, value, nodes)
    from_inlets(grid, path_boundary, -factors.inlet[s], value, gained)
    for b in range(boundaries):
        for k in range(WIDTH):
            gained[b, k] += (both[b] + factors.inlet[s, b]) * concentration[b, k]
    nodes_to_lakes(grid, system, value, nodes)
    to_mass(grid, factors, s, value)


@nb.njit(cache=True, nogil=True)
def disperse_back(
    grid: Grid,
    system: NodeSystem,
    factors: Factors,
    s: int,
    path_boundary: Index,
    value: Array,
    nodes: Array,
    outside: Array,
) -> None:
    """Transpose of `disperse`: `value` from after to before the step; `outside` (boundary, WIDTH) receives its share."""
    outside[:] = 0.0
    to_mass(grid, factors, s, value)
    lakes_to_nodes(grid, system, value, nodes)
    implicit_solve(grid, system, factors, s, value, nodes)
    from_inlets(grid, path_boundary, factors.inlet[s] + factors.inlet_explicit[s], value, outside)
    second_stage(grid, system, factors, s, value, nodes)
    lakes_to_nodes(grid, system, value, nodes)
    implicit_solve(grid, system, factors, s, value, nodes)
    from_inlets(grid, path_boundary, factors.inlet[s], value, outside)
    nodes_to_lakes(grid, system, value, nodes)
