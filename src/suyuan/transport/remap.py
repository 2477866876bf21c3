"""Rows of the advection matrices, step by step; the pieces come from `advection`."""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import uncounted_kernel
from suyuan.transport.advection import (
    AT,
    POINTS,
    ROW,
    Step,
    add,
    add_stretch,
    follow,
    lake_share,
    push,
    stencil,
)
from suyuan.transport.laterals import parted
from suyuan.transport.water import Water

Array = NDArray[np.float64]
Index = NDArray[np.int64]


ROUNDING = 1e-13
"""Share of the most water in a path or lake, up to which what a cell's row lacks is taken for rounding: hundreds of ulps."""


class Rows(NamedTuple):
    """The advection matrices of some steps, row by row: from concentrations before to masses after.

    Row r of step s holds the entries `first[s, r]:first[s, r + 1]` of `weight` [m3]. Where `base[s, r]` >= 0
    its columns are consecutive from there; else they stand in `column`. Rows and columns are cells, then
    lakes, then boundaries: in a column the concentration outside, in a row the mass that leaves there.
    """

    first: Index
    base: Index
    column: Index
    weight: Array


@uncounted_kernel
def fill_step(step: Step, water: Water, cell_share: Array, lakes: Index, n: int) -> None:
    """Fill in what the water does in step n."""
    b, seconds = water.bin[n], water.length[n]
    begin, end = water.begin[n], water.end[n]
    has_lateral = len(water.lateral) > 0
    for p in range(len(step.path_nodes)):
        before, after = 0.0, 0.0
        step.old[step.path_cells[p] + p] = 0.0
        step.new[step.path_cells[p] + p] = 0.0
        for c in range(step.path_cells[p], step.path_cells[p + 1]):
            r = step.cell_reach[c]
            volume, change = water.volume[b, r], water.volume[b + 1, r] - water.volume[b, r]
            first, last = volume + change * begin, volume + change * end
            if has_lateral:
                early, late = parted(water.lateral[b, r] * seconds, first, last)
                first, last = first + early, last - late
            step.held[c] = first * cell_share[c]
            before += step.held[c]
            after += last * cell_share[c]
            step.old[c + p + 1] = before
            step.new[c + p + 1] = after
    step.taken[:] = 0.0
    step.lake_given[:] = 0.0
    for e in range(len(step.flux)):
        flux, node = water.into[b, e] * seconds, step.path_nodes[e // 2, e % 2]
        step.flux[e] = flux
        step.taken[node] += max(-flux, 0.0)
        if step.node_lake[node] >= 0:
            step.lake_given[step.node_lake[node]] += max(flux, 0.0)
    for node in range(len(step.taken)):
        boundary = step.node_boundary[node]
        if boundary >= 0:
            step.outside[boundary] = water.outside[b, boundary] * seconds
            step.taken[node] += max(-step.outside[boundary], 0.0)
            if step.node_lake[node] >= 0:
                step.lake_given[step.node_lake[node]] += max(step.outside[boundary], 0.0)
    for lake in range(len(lakes)):
        step.lake[lake] = water.lake[b, lake] + (water.lake[b + 1, lake] - water.lake[b, lake]) * begin


@uncounted_kernel
def write_row(
    held: Array,
    weights: Array,
    at: int,
    i: int,
    start: int,
    low: Array,
    j: int,
    there: int,
    high: Array,
    points: int,
) -> tuple[int, int]:
    """Write the consecutive weights of a cell from its two faces' stencils; return first column and how many.

    The lower face departs from cell `i` with the stencil `low` from `start`, the upper from `j` with `high`
    from `there`.
    """
    if points == POINTS and there == start + 1 and j == i + 1:
        for c in range(POINTS - 2):
            weights[at + 1 + c] = (high[c] - low[c + 1]) * held[there + c]
        weights[at] = -low[0] * held[start]
        weights[at + POINTS - 1] = high[POINTS - 2] * held[start + POINTS - 1]
        weights[at + i - start] += held[i]
        for c in range(POINTS - 1):
            low[c] = high[c]
        return start, POINTS
    left = min(start, there)
    width = max(max(start, there) + points - 1, j) - left
    for c in range(width):
        weights[at + c] = 1.0 if i <= left + c < j else 0.0
    for c in range(points - 1):
        weights[at + there - left + c] += high[c]
        weights[at + start - left + c] -= low[c]
    for c in range(width):
        weights[at + c] *= held[left + c]
    for c in range(points - 1):
        low[c] = high[c]
    return left, width


@uncounted_kernel
def most_water(step: Step) -> float:
    """Return the most water that is cut up in one piece [m3]: of a path when the step begins, of a lake, or through an end."""
    most = 0.0
    for p in range(len(step.path_nodes)):
        most = max(most, step.old[step.path_cells[p + 1] + p])
    for lake in step.lake:
        most = max(most, lake)
    for flux in step.flux:
        most = max(most, abs(flux))
    return most


@uncounted_kernel
def fill_up(weights: Array, begin: int, end: int, volume: float, rounding: float) -> None:
    """Take rounding out of the weights of one row, so that they sum to the `volume` of its cell [m3].

    What a step brings is cut up with errors of ulps of all that is cut, `rounding` [m3]: much for a cell that is flushed a
    million times, nothing for the mass in the network. More, or most of the cell, is water that a flow lost: left to be seen, or
    mass were made up.
    """
    total = 0.0
    for e in range(begin, end):
        total += weights[e]
    if abs(total - volume) < min(rounding, 0.5 * volume):
        for e in range(begin, end):
            weights[e] *= volume / total


@uncounted_kernel
def path_rows(
    step: Step, firsts: Index, bases: Index, columns: Index, weights: Array, path: int, rounding: float
) -> None:
    """Write the rows of all cells of a path, as far as there is room.

    A cell all of whose water was in the path when the step began has consecutive columns and shares its
    faces' stencils with its neighbours, so it takes the short way.
    """
    first, last = step.path_cells[path], step.path_cells[path + 1]
    face, reach = step.old[first + path : last + path + 1], step.cell_reach[first:last]
    new, held = step.new[first + path : last + path + 1], step.held[first:last]
    entered, total = -step.flux[2 * path], face[last - first]
    points = min(POINTS, last - first + 1)
    room = len(weights) - len(step.mark) - 2 * POINTS
    low, i, start, known = -entered, 0, 0, -1
    at = step.cursor[AT]
    for c in range(last - first):
        firsts[first + c] = at
        bases[first + c] = -1
        if at > room:
            return
        high = new[c + 1] - entered if first + c + 1 < last else total - step.flux[2 * path + 1]
        if low < 0.0 or high > total:
            step.cursor[ROW] = at
            step.cursor[AT] = at
            add_stretch(step, columns, weights, path, low, high, 1.0)
            follow(step, columns, weights)
            fill_up(weights, firsts[first + c], step.cursor[AT], new[c + 1] - new[c], rounding)
            at = step.cursor[AT]
        else:
            if known != c:
                i, start = stencil(face, reach, low, i, step.low)
            j, there = stencil(face, reach, high, i, step.high)
            left, width = write_row(held, weights, at, i, start, step.low, j, there, step.high, points)
            bases[first + c] = first + left
            at += width
            i, start, known = j, there, c + 1
        low = high
    step.cursor[AT] = at


@uncounted_kernel
def store_rows(step: Step, firsts: Index, bases: Index, columns: Index, weights: Array) -> None:
    """Write the rows of what lakes hold, then of what leaves at boundaries."""
    cells, lakes = len(step.held), len(step.lake)
    for kind in range(2):
        for node in range(len(step.taken)):
            index = step.node_lake[node] if kind == 0 else step.node_boundary[node]
            if index < 0:
                continue
            row = cells + index + kind * lakes
            firsts[row] = step.cursor[AT]
            bases[row] = -1
            step.cursor[ROW] = step.cursor[AT]
            if kind == 0:
                held = step.lake[index]
                left = lake_share(held, step.lake_given[index], step.taken[node], 1.0)
                add(step.cursor, step.mark, columns, weights, row, (1.0 - left[0]) * held)
                push(step, ~node, 0.0, 1.0, 1.0 - left[1])
            elif step.outside[index] < 0.0:
                push(step, node, 0.0, 1.0, -step.outside[index] / step.taken[node])
            follow(step, columns, weights)
    firsts[len(firsts) - 1] = step.cursor[AT]


@uncounted_kernel
def assemble_rows(
    step: Step, water: Water, cell_share: Array, lakes: Index, steps: Index, rows: Rows
) -> bool:
    """Fill the advection matrices of `steps`; return whether there was room for their entries."""
    size = len(step.mark)
    step.mark[:] = -1
    step.cursor[:] = 0
    for s in range(len(steps)):
        fill_step(step, water, cell_share, lakes, steps[s])
        rounding = ROUNDING * most_water(step)
        for path in range(len(step.path_nodes)):
            path_rows(step, rows.first[s], rows.base[s], rows.column, rows.weight, path, rounding)
        if step.cursor[AT] + size * (1 + len(step.lake) + len(step.outside)) > len(rows.weight):
            return False
        store_rows(step, rows.first[s], rows.base[s], rows.column, rows.weight)
    return True
