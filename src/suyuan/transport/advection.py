"""Advection of one step as a sparse matrix: where the water of each cell was when the step began.

A parcel keeps its place in cumulative volume: W - Q0(t) is constant, W the volume between the path's start and the parcel
and Q0 what has entered at the start. So a cell's new mass is the difference of the old cumulative mass at the departure
points of its two faces, read from a polynomial through the faces around (conservative semi-Lagrangian remap, Zerroukat et
al. 2002; Nair & Machenhauer 2002). Water that was not in the path yet passed its node at a share theta of the step; what
passed the node until theta comes from all paths that flow into it, mixed, and so on upstream.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from suyuan.transport.water import Grid, Water

Array = NDArray[np.float64]
Index = NDArray[np.int64]

POINTS = 4
"""Faces through which cumulative mass is interpolated: 4 is a cubic."""

STACK = 100_000
"""Parts of one cell's water that may wait to be followed upstream."""


class Rows(NamedTuple):
    """The advection matrices of the steps `step`, row by row.

    Row r of the s-th step holds the entries `first[s, r]:first[s, r + 1]` of `weight`. Where `base[s, r]` >= 0 its columns are
    consecutive from there; else they stand in `column`. Rows and columns are cells, then lakes, then boundaries: in a
    column the concentration outside [g/m3], in a row the mass that leaves there [g].
    """

    step: Index
    first: Index
    base: Index
    column: Index
    weight: Array


class Scratch(NamedTuple):
    """Working arrays of the assembly of one step."""

    old: Array
    new: Array
    given: Array
    taken: Array
    mark: Index
    low: Array
    high: Array
    node: Index
    since: Array
    until: Array
    factor: Array
    is_inflow: NDArray[np.bool_]


def scratch_for(grid: Grid, boundaries: int, lakes: int) -> Scratch:
    """Return working arrays for a network of this size."""
    cells, paths, nodes = len(grid.cell_reach), len(grid.path_nodes), len(grid.node_first) - 1
    return Scratch(
        old=np.zeros(cells + paths),
        new=np.zeros(cells + paths),
        given=np.zeros(nodes),
        taken=np.zeros(nodes),
        mark=np.full(cells + lakes + boundaries, -1),
        low=np.zeros(POINTS),
        high=np.zeros(POINTS),
        node=np.zeros(STACK, np.int64),
        since=np.zeros(STACK),
        until=np.zeros(STACK),
        factor=np.zeros(STACK),
        is_inflow=np.zeros(STACK, bool),
    )


@nb.njit(cache=True, nogil=True)
def faces_and_nodes(grid: Grid, water: Water, step: int, scratch: Scratch) -> None:
    """Fill the cumulative volume at all faces before and after a step, and what each node is given and takes [m3]."""
    b = water.bin[step]
    for p in range(len(grid.path_nodes)):
        f = grid.path_cells[p] + p
        scratch.old[f] = 0.0
        scratch.new[f] = 0.0
        for c in range(grid.path_cells[p], grid.path_cells[p + 1]):
            r = grid.cell_reach[c]
            change = water.volume[b + 1, r] - water.volume[b, r]
            f = c + p
            scratch.old[f + 1] = (
                scratch.old[f] + (water.volume[b, r] + change * water.begin[step]) * grid.cell_share[c]
            )
            scratch.new[f + 1] = (
                scratch.new[f] + (water.volume[b, r] + change * water.end[step]) * grid.cell_share[c]
            )
    for n in range(len(grid.node_first) - 1):
        given, taken = 0.0, 0.0
        for i in range(grid.node_first[n], grid.node_first[n + 1]):
            flux = water.into[b, grid.node_ends[i]] * water.length[step]
            given += max(flux, 0.0)
            taken += max(-flux, 0.0)
        if grid.node_boundary[n] >= 0:
            flux = water.outside[b, grid.node_boundary[n]] * water.length[step]
            given += max(flux, 0.0)
            taken += max(-flux, 0.0)
        scratch.given[n] = given
        scratch.taken[n] = taken


@nb.njit(cache=True, nogil=True)
def stencil(face: Array, first: int, cells: int, x: float, i: int, weight: Array) -> tuple[int, int]:
    """Return the cell (counted from the path's start) that holds x, and the first cell of its stencil.

    `weight` (POINTS - 1,) is filled so that the mass between that cell's lower face and x is the sum of weight times mass
    over the stencil's cells. `i` is a guess of the cell. Lagrange's formula through the nearest POINTS faces.
    """
    while i > 0 and x < face[first + i]:
        i -= 1
    while i < cells - 1 and x >= face[first + i + 1]:
        i += 1
    points = min(POINTS, cells + 1)
    start = min(max(i - (points // 2 - 1), 0), cells + 1 - points)
    for c in range(points - 1):
        weight[c] = 0.0
    for k in range(points):
        if start + k == i:
            continue
        at = face[first + start + k]
        basis = 1.0
        for j in range(points):
            if j != k:
                there = face[first + start + j]
                basis *= (x - there) / (at - there)
        if start + k > i:
            for c in range(i - start, k):
                weight[c] += basis
        else:
            for c in range(k, i - start):
                weight[c] -= basis
    return i, start


@nb.njit(cache=True, nogil=True)
def add(rows: Rows, scratch: Scratch, row: tuple[int, int], column: int, weight: float) -> tuple[int, int]:
    """Add a weight to a row that spans the entries row[0]:row[1], and return its new span."""
    at = scratch.mark[column]
    if at >= row[0] and at < row[1]:
        rows.weight[at] += weight
        return row
    rows.column[row[1]] = column
    rows.weight[row[1]] = weight
    scratch.mark[column] = row[1]
    return row[0], row[1] + 1


@nb.njit(cache=True, nogil=True)
def add_segment(
    grid: Grid,
    scratch: Scratch,
    rows: Rows,
    row: tuple[int, int],
    path: int,
    low: float,
    high: float,
    factor: float,
) -> tuple[int, int]:
    """Add `factor` times the old mass of a path between two cumulative volumes that lie in it."""
    first, cells = grid.path_cells[path], grid.path_cells[path + 1] - grid.path_cells[path]
    points = min(POINTS, cells + 1)
    top, top_start = stencil(scratch.old, first + path, cells, high, cells - 1, scratch.high)
    foot, foot_start = stencil(scratch.old, first + path, cells, low, top, scratch.low)
    for c in range(points - 1):
        row = add(rows, scratch, row, first + top_start + c, factor * scratch.high[c])
        row = add(rows, scratch, row, first + foot_start + c, -factor * scratch.low[c])
    for c in range(foot, top):
        row = add(rows, scratch, row, first + c, factor)
    return row


@nb.njit(cache=True, nogil=True)
def push(
    scratch: Scratch, depth: int, node: int, since: float, until: float, factor: float, is_inflow: bool
) -> int:
    """Remember to follow what passed a node between two shares of the step; return the depth of the stack."""
    if until > since and factor != 0.0:
        scratch.node[depth] = node
        scratch.since[depth] = since
        scratch.until[depth] = until
        scratch.factor[depth] = factor
        scratch.is_inflow[depth] = is_inflow
        return depth + 1
    return depth


@nb.njit(cache=True, nogil=True)
def add_stretch(
    grid: Grid,
    water: Water,
    step: int,
    scratch: Scratch,
    rows: Rows,
    row: tuple[int, int],
    path: int,
    low: float,
    high: float,
    factor: float,
    depth: int,
) -> tuple[tuple[int, int], int]:
    """Add the old mass between two cumulative volumes of a path, of which parts may have lain beyond its ends."""
    b = water.bin[step]
    total = scratch.old[grid.path_cells[path + 1] + path]
    inside_low, inside_high = max(low, 0.0), min(high, total)
    if inside_high > inside_low:
        row = add_segment(grid, scratch, rows, row, path, inside_low, inside_high, factor)
    for side in range(2):
        entered = -water.into[b, 2 * path + side] * water.length[step]
        near = max(-high, 0.0) if side == 0 else max(low - total, 0.0)
        far = -low if side == 0 else high - total
        if entered > 0.0 and far > near:
            node = grid.path_nodes[path, side]
            share = factor * entered / scratch.taken[node]
            depth = push(scratch, depth, node, near / entered, min(far / entered, 1.0), share, False)
    return row, depth


@nb.njit(cache=True, nogil=True)
def lake_share(held: float, given: float, taken: float, until: float) -> tuple[float, float]:
    """Return which shares of a lake's first mass, and of the mass it was given, have left it at a share of the step.

    `held` is its first volume, `given` and `taken` the step's inflow and outflow [m3]. The tank is mixed: with V linear
    in time and inflow of steady concentration, c - c_in falls as (V / V0)^(-given / (given - taken)).
    """
    if until <= 0.0:
        return 0.0, 0.0
    net = given - taken
    growth = np.log1p(net * until / held) / net if net != 0.0 else until / held
    of_held = -np.expm1(-taken * growth)
    if given <= 0.0:
        return of_held, 0.0
    of_given = 1.0 + (held + net * until) * np.expm1(-given * growth) / (given * until)
    return of_held, of_given


@nb.njit(cache=True, nogil=True)
def add_node_inflow(
    grid: Grid,
    water: Water,
    step: int,
    scratch: Scratch,
    rows: Rows,
    row: tuple[int, int],
    depth: int,
) -> tuple[tuple[int, int], int]:
    """Add what entered the node on top of the stack, from paths and from outside; `depth` is its place there."""
    b = water.bin[step]
    node, since, until, factor = (
        scratch.node[depth],
        scratch.since[depth],
        scratch.until[depth],
        scratch.factor[depth],
    )
    for i in range(grid.node_first[node], grid.node_first[node + 1]):
        end = grid.node_ends[i]
        left = water.into[b, end] * water.length[step]
        if left <= 0.0:
            continue
        path = end // 2
        low, high = left * since, left * until
        if end % 2 == 1:
            total = scratch.old[grid.path_cells[path + 1] + path]
            low, high = total - high, total - low
        row, depth = add_stretch(grid, water, step, scratch, rows, row, path, low, high, factor, depth)
    boundary = grid.node_boundary[node]
    if boundary >= 0 and water.outside[b, boundary] > 0.0:
        entered = water.outside[b, boundary] * water.length[step] * (until - since)
        lakes = water.lake.shape[1]
        row = add(rows, scratch, row, len(grid.cell_reach) + lakes + boundary, factor * entered)
    return row, depth


@nb.njit(cache=True, nogil=True)
def follow(
    grid: Grid, water: Water, step: int, scratch: Scratch, rows: Rows, row: tuple[int, int], depth: int
) -> tuple[int, int]:
    """Follow upstream all that waits on the stack; theta falls from node to node, so this ends."""
    b = water.bin[step]
    while depth > 0:
        depth -= 1
        node, factor = scratch.node[depth], scratch.factor[depth]
        lake = grid.node_lake[node]
        if lake < 0 or scratch.is_inflow[depth]:
            row, depth = add_node_inflow(grid, water, step, scratch, rows, row, depth)
            continue
        change = water.lake[b + 1, lake] - water.lake[b, lake]
        held = water.lake[b, lake] + change * water.begin[step]
        given, taken = scratch.given[node], scratch.taken[node]
        since, until = scratch.since[depth], scratch.until[depth]
        early, late = lake_share(held, given, taken, since), lake_share(held, given, taken, until)
        row = add(rows, scratch, row, len(grid.cell_reach) + lake, factor * (late[0] - early[0]))
        depth = push(scratch, depth, node, 0.0, since, -factor * early[1], True)
        depth = push(scratch, depth, node, 0.0, until, factor * late[1], True)
    return row
