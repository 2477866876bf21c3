"""Advection of one step as a sparse matrix: where the water of each cell was when the step began.

A parcel keeps its place in cumulative volume: W - Q0(t) is constant, W the volume between the path's start
and the parcel and Q0 what has entered at the start. So a cell's new mass is the difference of the old
cumulative mass at the departure points of its two faces, read from a polynomial through the faces around
(conservative semi-Lagrangian remap, Zerroukat et al. 2002; Nair & Machenhauer 2002). Near a path's end it has
fewer faces: one with two more on one side of the departure point than on the other lets some waves grow (Strang
1962). Water that was not in the path yet passed its node at a share theta of the step; what passed the node until
theta comes from all paths that flow into it, mixed, and so on upstream.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import uncounted_kernel
from suyuan.transport.geometry import Geometry

Array = NDArray[np.float64]
Index = NDArray[np.int64]

POINTS = 6
"""Faces through which cumulative mass is interpolated: 6 is a quintic."""

UNEVEN = 3.0
"""How many times larger than the smallest the largest cell of a stencil may be: beyond, polynomials of high order swing."""

STACK = 100_000
"""Parts of one cell's water that may wait to be followed upstream."""

ROW, AT, DEPTH = 0, 1, 2
"""Places in `cursor`: where the row began, where its next entry goes, how many parts wait to be followed."""


@uncounted_kernel
def faces_around(i: int, cells: int) -> tuple[int, int]:
    """Return the first and the last face of a path of this many cells that the polynomial in cell `i` goes through.

    They are POINTS or fewer, as many on either side of the cell's middle, but in a path's last cell two on the inner side,
    one on the outer. A polynomial that leans further amplifies waves (Strang, 1962).

    >>> faces_around(0, 9), faces_around(1, 9), faces_around(4, 9)
    ((0, 2), (0, 3), (2, 7))
    """
    left, right = i + 1, cells - i
    most = min(max(min(left, right), 2), POINTS // 2)
    return i + 1 - min(left, most), i + min(right, most)


def uniform_weights() -> Array:
    """Return the interpolation on equal cells as polynomials, (shift, power of the place in its cell, cell).

    `shift` is the position of the cell that holds the departure point among the POINTS - 1 cells of the
    stencil. The sum of the polynomials times the cells' masses is the mass between the cell's lower face and
    the departure point.

    >>> bool(np.allclose(uniform_weights()[2].sum(axis=0), [0, 0, 1, 0, 0]))
    True
    """
    table = np.zeros((POINTS - 1, POINTS - 1, POINTS))
    for shift in range(POINTS - 1):
        first, last = faces_around(shift, POINTS - 1)
        for k in range(first, last + 1):
            others = np.delete(np.arange(first, last + 1), k - first)
            basis = np.zeros(POINTS)
            basis[: last - first + 1] = np.poly(others - shift)[::-1] / np.prod(k - others)
            for c in range(shift, k):
                table[shift, c] += basis
            for c in range(k, shift):
                table[shift, c] -= basis
    table[:, :, 0] = 0.0
    return np.ascontiguousarray(table.swapaxes(1, 2))


UNIFORM = uniform_weights()


class Step(NamedTuple):
    """What the assembly of one step's advection reads and works with.

    Of the geometry: `path_cells`, `path_nodes`, `node_first`, `node_ends`, `node_lake`, `node_boundary`,
    `cell_reach`. Of the step: `held` (cell,) [m3] as it begins, cumulative volume at the faces before (`old`)
    and after (`new`), `flux` (end,) and `outside` (boundary,) [m3] into the nodes, `taken` (node,) [m3] out
    of them, `lake` and `lake_given` [m3]. The rest are stacks and marks.
    """

    path_cells: Index
    path_nodes: Index
    node_first: Index
    node_ends: Index
    node_lake: Index
    node_boundary: Index
    cell_reach: Index
    held: Array
    old: Array
    new: Array
    flux: Array
    outside: Array
    taken: Array
    lake: Array
    lake_given: Array
    cursor: Index
    mark: Index
    low: Array
    high: Array
    node: Index
    part: Array


def step_for(geometry: Geometry) -> Step:
    """Return working arrays for a network of this size."""
    cells, paths, nodes = geometry.cells, geometry.paths, len(geometry.node_lake)
    lakes, boundaries = len(geometry.lakes), len(geometry.boundaries)
    own = {name: getattr(geometry, name) for name in Step._fields[:7]}
    return Step(
        **own,
        held=np.zeros(cells),
        old=np.zeros(cells + paths),
        new=np.zeros(cells + paths),
        flux=np.zeros(2 * paths),
        outside=np.zeros(boundaries),
        taken=np.zeros(nodes),
        lake=np.zeros(lakes),
        lake_given=np.zeros(lakes),
        cursor=np.zeros(3, np.int64),
        mark=np.full(cells + lakes + boundaries, -1),
        low=np.zeros(POINTS),
        high=np.zeros(POINTS),
        node=np.zeros(STACK, np.int64),
        part=np.zeros((STACK, 3)),
    )


@uncounted_kernel
def is_even(face: Array, first: int, last: int) -> bool:
    """Return whether the cells `first` to `last` (not included) of a path are of much the same size."""
    least = most = face[first + 1] - face[first]
    for c in range(first + 1, last):
        size = face[c + 1] - face[c]
        least, most = min(least, size), max(most, size)
    return bool(most <= UNEVEN * least)


@uncounted_kernel
def lagrange(face: Array, x: float, cells: tuple[int, int, int], start: int, weight: Array) -> None:
    """Fill `weight` as `stencil` does, from the polynomial through the faces of the cells (first, that of x, last not included).

    The weight of the cell `start` comes first; cells outside have none.
    """
    first, i, last = cells
    for c in range(POINTS - 1):
        weight[c] = 0.0
    for k in range(first, last + 1):
        basis = 1.0
        for j in range(first, last + 1):
            if j != k:
                basis *= (x - face[j]) / (face[k] - face[j])
        for c in range(i, k):
            weight[c - start] += basis
        for c in range(k, i):
            weight[c - start] -= basis


@uncounted_kernel
def stencil(face: Array, reach: Index, x: float, i: int, weight: Array) -> tuple[int, int]:
    """Return the cell of a path that holds x, and the first cell of its stencil, counted from the start.

    `face` (cell + 1,) is the cumulative volume, `reach` (cell,) that of each cell, `i` a guess of the cell.
    `weight` is filled so that the mass between that cell's lower face and x is the sum of weight times mass
    over the stencil. Within a reach cells are equal and the weights are known polynomials, elsewhere Lagrange's formula
    gives them, through fewer faces near a path's end and where cells are too UNEVEN: at last the two of the cell itself.
    """
    cells = len(reach)
    while i > 0 and x < face[i]:
        i -= 1
    while i < cells - 1 and x >= face[i + 1]:
        i += 1
    start = min(max(i - (POINTS // 2 - 1), 0), cells + 1 - POINTS)
    if start >= 0 and reach[start] == reach[start + POINTS - 2]:
        place = (x - face[i]) / (face[i + 1] - face[i])
        table = UNIFORM[i - start]
        for c in range(POINTS - 1):
            weight[c] = table[POINTS - 1, c]
        for power in range(POINTS - 2, -1, -1):
            for c in range(POINTS - 1):
                weight[c] = weight[c] * place + table[power, c]
        return i, start
    start = max(start, 0)
    first, last = faces_around(i, cells)
    while not is_even(face, first, last):
        first, last = max(first, min(first + 1, i)), min(last, max(last - 1, i + 1))
    lagrange(face, x, (first, i, last), start, weight)
    return i, start


@uncounted_kernel
def add(cursor: Index, mark: Index, columns: Index, weights: Array, column: int, weight: float) -> None:
    """Add a weight [m3] to the row that is being written, to its entry of this column if it has one.

    `columns` and `weights` (entry,) hold the rows one after the other, `mark` (column,) where a column was last written,
    `cursor` (3,) the places ROW, AT and DEPTH. There must be room for an entry.
    """
    at = mark[column]
    if at >= cursor[ROW]:
        weights[at] += weight
        return
    at = cursor[AT]
    columns[at] = column
    weights[at] = weight
    mark[column] = at
    cursor[AT] = at + 1


@uncounted_kernel
def add_segment(
    step: Step, columns: Index, weights: Array, path: int, since: float, until: float, factor: float
) -> None:
    """Add `factor` times the old mass of a path between two cumulative volumes that lie in it."""
    first, last = step.path_cells[path], step.path_cells[path + 1]
    face, reach = step.old[first + path : last + path + 1], step.cell_reach[first:last]
    guess = min(int((last - first) * until / face[-1]), last - first - 1)
    top, top_start = stencil(face, reach, until, guess, step.high)
    foot, foot_start = stencil(face, reach, since, top, step.low)
    for k in range(min(POINTS, last - first + 1) - 1):
        c = first + top_start + k
        add(step.cursor, step.mark, columns, weights, c, factor * step.high[k] * step.held[c])
        c = first + foot_start + k
        add(step.cursor, step.mark, columns, weights, c, -factor * step.low[k] * step.held[c])
    for c in range(first + foot, first + top):
        add(step.cursor, step.mark, columns, weights, c, factor * step.held[c])


@uncounted_kernel
def push(step: Step, node: int, since: float, until: float, factor: float) -> None:
    """Remember to follow what passed a node between two shares of the step; ~node means: only what came to a
    lake."""
    if until > since and factor != 0.0:
        depth = step.cursor[DEPTH]
        step.node[depth] = node
        step.part[depth, 0] = since
        step.part[depth, 1] = until
        step.part[depth, 2] = factor
        step.cursor[DEPTH] = depth + 1


@uncounted_kernel
def add_stretch(
    step: Step, columns: Index, weights: Array, path: int, low: float, high: float, factor: float
) -> None:
    """Add the old mass between two cumulative volumes of a path, of which parts may have lain beyond its
    ends."""
    total = step.old[step.path_cells[path + 1] + path]
    if min(high, total) > max(low, 0.0):
        add_segment(step, columns, weights, path, max(low, 0.0), min(high, total), factor)
    for side in range(2):
        entered = -step.flux[2 * path + side]
        near = max(-high, 0.0) if side == 0 else max(low - total, 0.0)
        far = -low if side == 0 else high - total
        if entered > 0.0 and far > near:
            node = step.path_nodes[path, side]
            share = factor * entered / step.taken[node]
            push(step, node, near / entered, min(far / entered, 1.0), share)


@uncounted_kernel
def lake_share(held: float, given: float, taken: float, until: float) -> tuple[float, float]:
    """Return which shares of a lake's first and of its given mass have left it at a share of the step.

    `held` is its first volume, `given` and `taken` the step's inflow and outflow [m3]. The tank is mixed:
    with V linear in time and inflow of steady concentration, c - c_in falls as (V / V0)^(-given / (given -
    taken)).
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


@uncounted_kernel
def add_inflow(
    step: Step, columns: Index, weights: Array, node: int, since: float, until: float, factor: float
) -> None:
    """Add what entered a node between two shares of the step, from paths and from outside."""
    for i in range(step.node_first[node], step.node_first[node + 1]):
        end = step.node_ends[i]
        left = step.flux[end]
        if left <= 0.0:
            continue
        path = end // 2
        low, high = left * since, left * until
        if end % 2 == 1:
            total = step.old[step.path_cells[path + 1] + path]
            low, high = total - high, total - low
        add_stretch(step, columns, weights, path, low, high, factor)
    boundary = step.node_boundary[node]
    if boundary >= 0 and step.outside[boundary] > 0.0:
        column = len(step.held) + len(step.lake) + boundary
        weight = factor * step.outside[boundary] * (until - since)
        add(step.cursor, step.mark, columns, weights, column, weight)


@uncounted_kernel
def follow(step: Step, columns: Index, weights: Array) -> None:
    """Follow upstream all that waits on the stack; theta falls from node to node, so this ends.

    Soon so, for `circulation.slowed` lets no water go round a ring more than a few times in a step.
    """
    while step.cursor[DEPTH] > 0:
        depth = step.cursor[DEPTH] - 1
        step.cursor[DEPTH] = depth
        node, since, until, factor = (
            step.node[depth],
            step.part[depth, 0],
            step.part[depth, 1],
            step.part[depth, 2],
        )
        if node < 0:
            add_inflow(step, columns, weights, ~node, since, until, factor)
            continue
        lake = step.node_lake[node]
        if lake < 0:
            add_inflow(step, columns, weights, node, since, until, factor)
            continue
        held, given, taken = step.lake[lake], step.lake_given[lake], step.taken[node]
        early, late = lake_share(held, given, taken, since), lake_share(held, given, taken, until)
        weight = factor * (late[0] - early[0]) * held
        add(step.cursor, step.mark, columns, weights, len(step.held) + lake, weight)
        push(step, ~node, 0.0, since, -factor * early[1])
        push(step, ~node, 0.0, until, factor * late[1])
