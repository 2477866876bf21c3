"""Rows of the advection matrices, step by step; the pieces come from `advection`."""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

import numba as nb

from suyuan.transport.advection import (
    POINTS,
    Rows,
    Scratch,
    add,
    add_stretch,
    faces_and_nodes,
    follow,
    lake_share,
    push,
    stencil,
)
from suyuan.transport.water import Grid, Water


@nb.njit(cache=True, nogil=True)
def cell_row(
    grid: Grid,
    water: Water,
    step: int,
    scratch: Scratch,
    rows: Rows,
    path: int,
    low: float,
    high: float,
    at: int,
) -> int:
    """Write the row of a cell part of whose water came through a node; return where the next row begins."""
    row, depth = add_stretch(grid, water, step, scratch, rows, (at, at), path, low, high, 1.0, 0)
    return follow(grid, water, step, scratch, rows, row, depth)[1]


@nb.njit(cache=True, nogil=True)
def path_rows(grid: Grid, water: Water, step: int, scratch: Scratch, rows: Rows, path: int, at: int) -> int:
    """Write the rows of all cells of a path; return where the next row begins, -1 where there is no room.

    A cell all of whose water was in the path when the step began has consecutive columns and shares its faces' stencils
    with its neighbours, so it takes the short way.
    """
    s, seconds = step - rows.step[0], water.length[step]
    first, last = grid.path_cells[path], grid.path_cells[path + 1]
    entered = -water.into[water.bin[step], 2 * path] * seconds
    total = scratch.old[last + path]
    points = min(POINTS, last - first + 1)
    room = len(rows.weight) - len(scratch.mark) - 2 * POINTS
    low, i, start, known = -entered, 0, 0, -1
    for cell in range(first, last):
        rows.first[s, cell] = at
        rows.base[s, cell] = -1
        if at > room:
            return -1
        high = scratch.new[cell + path + 1] - entered
        if cell + 1 == last:
            high = total - water.into[water.bin[step], 2 * path + 1] * seconds
        if low < 0.0 or high > total:
            at = cell_row(grid, water, step, scratch, rows, path, low, high, at)
            low = high
            continue
        if known != cell:
            i, start = stencil(scratch.old, first + path, last - first, low, i, scratch.low)
        j, there = stencil(scratch.old, first + path, last - first, high, i, scratch.high)
        left = min(start, there)
        width = max(max(start, there) + points - 1, j) - left
        rows.base[s, cell] = first + left
        for c in range(width):
            rows.weight[at + c] = 1.0 if i <= left + c < j else 0.0
        for c in range(points - 1):
            rows.weight[at + there - left + c] += scratch.high[c]
            rows.weight[at + start - left + c] -= scratch.low[c]
            scratch.low[c] = scratch.high[c]
        at += width
        low, i, start, known = high, j, there, cell + 1
    return at


@nb.njit(cache=True, nogil=True)
def lake_rows(grid: Grid, water: Water, step: int, scratch: Scratch, rows: Rows, at: int) -> int:
    """Write the rows of what lakes hold; return where the next row begins."""
    b, s, cells = water.bin[step], step - rows.step[0], len(grid.cell_reach)
    for lake in range(len(grid.lakes)):
        node = grid.lakes[lake]
        rows.first[s, cells + lake] = at
        rows.base[s, cells + lake] = -1
        change = water.lake[b + 1, lake] - water.lake[b, lake]
        held = water.lake[b, lake] + change * water.begin[step]
        left = lake_share(held, scratch.given[node], scratch.taken[node], 1.0)
        row = add(rows, scratch, (at, at), cells + lake, 1.0 - left[0])
        depth = push(scratch, 0, node, 0.0, 1.0, 1.0 - left[1], True)
        at = follow(grid, water, step, scratch, rows, row, depth)[1]
    return at


@nb.njit(cache=True, nogil=True)
def outlet_rows(grid: Grid, water: Water, step: int, scratch: Scratch, rows: Rows, at: int) -> int:
    """Write the rows of what leaves at boundaries; return where the next row begins."""
    b, s, stores = water.bin[step], step - rows.step[0], len(grid.cell_reach) + len(grid.lakes)
    for boundary in range(len(grid.boundaries)):
        node = grid.boundaries[boundary]
        rows.first[s, stores + boundary] = at
        rows.base[s, stores + boundary] = -1
        leaves = max(-water.outside[b, boundary] * water.length[step], 0.0)
        if leaves > 0.0:
            depth = push(scratch, 0, node, 0.0, 1.0, leaves / scratch.taken[node], False)
            at = follow(grid, water, step, scratch, rows, (at, at), depth)[1]
    return at


@nb.njit(cache=True, nogil=True)
def assemble_rows(grid: Grid, water: Water, scratch: Scratch, rows: Rows) -> int:
    """Fill the advection matrices of the steps `rows.step`; return how many entries they hold, -1 if there was no room."""
    at = 0
    columns = len(scratch.mark)
    scratch.mark[:] = -1
    for s in range(len(rows.step)):
        step = rows.step[s]
        faces_and_nodes(grid, water, step, scratch)
        for path in range(len(grid.path_nodes)):
            at = path_rows(grid, water, step, scratch, rows, path, at)
            if at < 0:
                return -1
        if at + columns * (1 + len(grid.lakes) + len(grid.boundaries)) > len(rows.weight):
            return -1
        at = outlet_rows(grid, water, step, scratch, rows, lake_rows(grid, water, step, scratch, rows, at))
        rows.first[s, columns] = at
    return at
