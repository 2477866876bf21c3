"""Marching mass forward through the steps, and sensitivities back, many columns at a time.

The backward march is the transpose of the forward one, operation by operation, with the same numbers. All
arrays of columns have shape (row, column), with a multiple of LANES columns.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel, uncounted_kernel
from suyuan.transport.advection import POINTS
from suyuan.transport.dispersion import Factors, Mesh
from suyuan.transport.elimination import NodeSystem
from suyuan.transport.lanes import (
    LANES,
    denormals_as_before,
    denormals_as_zero,
    load,
    plus_times,
    store,
    times,
)
from suyuan.transport.remap import Rows
from suyuan.transport.spread import dilute, disperse

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Sweep(NamedTuple):
    """What one march reads besides the matrices.

    `seconds` (step,) and `rate` (column,) [1/s] of decay, `is_dispersive`. Mass let in at `place` goes to the
    cell `place_cell` with weight `place_weight`, (entry,) each. The readings at the edge where step s begins
    are the entries `edge_first[s]:edge_first[s + 1]`: `weight` [1/m3] at `cell`, of the reading `receptor`.
    """

    seconds: Array
    rate: Array
    is_dispersive: bool
    place: Index
    place_cell: Index
    place_weight: Array
    edge_first: Index
    cell: Index
    receptor: Index
    weight: Array


@uncounted_kernel
def advect(first: Index, base: Index, columns: Index, weights: Array, before: Array, after: Array) -> None:
    """Fill the masses `after` with one step's advection matrix times the concentrations `before`.

    `after` [g] and `before` [g/m3] have the shape (cells, lakes and boundaries; column); the matrix [m3] stands in `first`
    (row + 1,), `base` (row,), `columns` and `weights` (entry,) as `remap.Rows` tells.
    """
    for r in range(len(base)):
        at, end, b = first[r], first[r + 1], base[r]
        for k in range(0, after.shape[1], LANES):
            if b >= 0 and end - at == POINTS:
                low = times(weights[at], load(before, b, k))
                high = times(weights[at + 1], load(before, b + 1, k))
                low = plus_times(low, weights[at + 2], load(before, b + 2, k))
                high = plus_times(high, weights[at + 3], load(before, b + 3, k))
                low = plus_times(low, weights[at + 4], load(before, b + 4, k))
                high = plus_times(high, weights[at + 5], load(before, b + 5, k))
                store(after, r, k, plus_times(low, 1.0, high))
                continue
            total = times(0.0, load(after, r, k))
            for e in range(at, end):
                column = b + e - at if b >= 0 else columns[e]
                total = plus_times(total, weights[e], load(before, column, k))
            store(after, r, k, total)


@uncounted_kernel
def add_run(
    first: Index, base: Index, weights: Array, rows: tuple[int, int], after: Array, before: Array
) -> None:
    """Add the transpose of a run of rows of POINTS entries that each begin one column after the one above.

    What a column owes is complete once the run has passed it; until then it waits in one of POINTS running
    sums.
    """
    for k in range(0, after.shape[1], LANES):
        none = times(0.0, load(after, rows[0], k))
        a, b, c, d, e, f = none, none, none, none, none, none
        for r in range(rows[0], rows[1]):
            at, own = first[r], load(after, r, k)
            a = plus_times(a, weights[at], own)
            b = plus_times(b, weights[at + 1], own)
            c = plus_times(c, weights[at + 2], own)
            d = plus_times(d, weights[at + 3], own)
            e = plus_times(e, weights[at + 4], own)
            f = plus_times(f, weights[at + 5], own)
            store(before, base[r], k, plus_times(load(before, base[r], k), 1.0, a))
            a, b, c, d, e, f = b, c, d, e, f, none
        column = base[rows[1] - 1] + 1
        for rest in (a, b, c, d, e):
            store(before, column, k, plus_times(load(before, column, k), 1.0, rest))
            column += 1


@uncounted_kernel
def advect_back(
    first: Index, base: Index, columns: Index, weights: Array, after: Array, before: Array
) -> None:
    """Fill `before` with the transposed advection matrix times `after`, which may have fewer rows than the matrix.

    `before` (cells, lakes and boundaries; column) and `after` (row, column) are sensitivities, to a mass [1/g] after the
    step and so to a concentration [m3/g] before it; the matrix [m3] is that of `advect`.
    """
    for r in range(len(before)):
        for k in range(0, before.shape[1], LANES):
            store(before, r, k, times(0.0, load(before, r, k)))
    r = 0
    while r < len(after):
        end = r
        while end < len(after) and base[end] >= 0 and base[end] - end == base[r] - r:
            if first[end + 1] - first[end] != POINTS:
                break
            end += 1
        if end > r:
            add_run(first, base, weights, (r, end), after, before)
            r = end
            continue
        for e in range(first[r], first[r + 1]):
            column = base[r] + e - first[r] if base[r] >= 0 else columns[e]
            for k in range(0, before.shape[1], LANES):
                total = plus_times(load(before, column, k), weights[e], load(after, r, k))
                store(before, column, k, total)
        r += 1


@kernel
def decay(seconds: float, rate: Array, value: Array) -> None:
    """Let first-order decay work on every row of `value` for some seconds."""
    if not rate.any():
        return
    left = np.exp(-seconds * rate)
    for r in range(len(value)):
        for k in range(value.shape[1]):
            value[r, k] *= left[k]


@uncounted_kernel
def copy_rows(source: Array, at: int, target: Array, to: int, rows: int) -> None:
    """Copy so many rows of `source`, from row `at` on, to `target`, from row `to` on."""
    for r in range(rows):
        for k in range(0, target.shape[1], LANES):
            store(target, to + r, k, load(source, at + r, k))


@uncounted_kernel
def add_rows(factor: float, source: Array, at: int, target: Array) -> None:
    """Add `factor` times the rows of `source` from row `at` on to all rows of `target`."""
    for r in range(len(target)):
        for k in range(0, target.shape[1], LANES):
            store(target, r, k, plus_times(load(target, r, k), factor, load(source, at + r, k)))


@uncounted_kernel
def add_at(to: Index, of: Index, weight: Array, source: Array, target: Array) -> None:
    """Add weight times rows of `source` to rows of `target`: entry by entry, from row `of` to row `to`."""
    for e in range(len(to)):
        for k in range(0, target.shape[1], LANES):
            store(target, to[e], k, plus_times(load(target, to[e], k), weight[e], load(source, of[e], k)))


@kernel
def march_forward(
    mesh: Mesh,
    system: NodeSystem,
    rows: Rows,
    factors: Factors,
    sweep: Sweep,
    state: Array,
    mass: Array,
    outside: Array,
    readings: Array,
    crossed: Array,
) -> None:
    """March `state` (cells and lakes, column) [g] through the steps, in place.

    `mass` (step, place, column) [g] is let in, half of it as a step begins and half as it ends; `outside`
    (step, boundary, column) [g/m3] stands at the boundaries. Adds to `readings` (reading, column) and to
    `crossed` (2, boundary, column) [g]: what dispersion let in, and what flowed out.
    """
    mode = denormals_as_zero()  # far from where it is let in nearly all is denormal, and that is slow
    (boundaries, width), stores, half = outside.shape[1:], len(state), 0.5 * sweep.place_weight
    before, after = np.zeros((stores + boundaries, width)), np.zeros((stores + boundaries, width))
    nodes, owed = np.zeros((2, len(system.nodes) + 1, width)), np.zeros((boundaries, width))
    copy_rows(state, 0, after, 0, stores)
    for s in range(len(sweep.seconds)):
        before, after = after, before
        a, b = sweep.edge_first[s], sweep.edge_first[s + 1]
        add_at(sweep.receptor[a:b], sweep.cell[a:b], sweep.weight[a:b], before, readings)
        add_at(sweep.place_cell, sweep.place, half, mass[s], before)
        decay(0.5 * sweep.seconds[s], sweep.rate, before[:stores])
        if sweep.is_dispersive:
            disperse(mesh, system, factors, s, before, outside[s], owed, nodes)
            add_rows(-1.0, owed, 0, crossed[0])
            for i in range(boundaries):
                share = 2.0 * factors.inlet[s, i] + factors.inlet_explicit[s, i]
                add_rows(share, outside[s], i, crossed[0, i : i + 1])
        else:
            dilute(factors.volume[s], factors.lake[s], before)
        copy_rows(outside[s], 0, before, stores, boundaries)
        advect(rows.first[s], rows.base[s], rows.column, rows.weight, before, after)
        add_rows(1.0, after, stores, crossed[1])
        decay(0.5 * sweep.seconds[s], sweep.rate, after[:stores])
        add_at(sweep.place_cell, sweep.place, half, mass[s], after)
    a = sweep.edge_first[len(sweep.seconds)]
    add_at(sweep.receptor[a:], sweep.cell[a:], sweep.weight[a:], after, readings)
    copy_rows(after, 0, state, 0, stores)
    denormals_as_before(mode)


@kernel
def march_back(
    mesh: Mesh,
    system: NodeSystem,
    rows: Rows,
    factors: Factors,
    sweep: Sweep,
    state: Array,
    readings: Array,
    bins: tuple[Index, Index, Array],
    gain: Array,
    outside: Array,
) -> None:
    """March sensitivities `state` (cells and lakes, column) [1/m3] back through the steps, in place.

    `readings` (reading, column) weighs what the entries see. Adds to `gain` (bin, place, column) the
    sensitivity to a steady release through each bin; step s lies in the bins `bins[1][i]` for `bins[2][i]`
    seconds, i from `bins[0][s]` to `bins[0][s + 1]`. Fills `outside` (step, boundary, column), the
    sensitivity to the concentration at each boundary.
    """
    mode = denormals_as_zero()  # far from where it is let in nearly all is denormal, and that is slow
    stores, boundaries, width = len(state), outside.shape[1], state.shape[1]
    before, after = np.zeros((stores + boundaries, width)), np.zeros((stores + boundaries, width))
    nodes, none = np.zeros((2, len(system.nodes) + 1, width)), np.zeros((boundaries, width))
    half = 0.5 * sweep.place_weight
    copy_rows(state, 0, before, 0, stores)
    a = sweep.edge_first[len(sweep.seconds)]
    add_at(sweep.cell[a:], sweep.receptor[a:], sweep.weight[a:], readings, before)
    for s in range(len(sweep.seconds) - 1, -1, -1):
        before, after = after, before
        for i in range(bins[0][s], bins[0][s + 1]):
            add_at(sweep.place, sweep.place_cell, half * bins[2][i], after, gain[bins[1][i]])
        decay(0.5 * sweep.seconds[s], sweep.rate, after[:stores])
        advect_back(rows.first[s], rows.base[s], rows.column, rows.weight, after[:stores], before)
        if sweep.is_dispersive:
            disperse(mesh, system, factors, s, before, none, outside[s], nodes)
        else:
            dilute(factors.volume[s], factors.lake[s], before)
            outside[s] = 0.0
        add_rows(1.0, before, stores, outside[s])
        decay(0.5 * sweep.seconds[s], sweep.rate, before[:stores])
        for i in range(bins[0][s], bins[0][s + 1]):
            add_at(sweep.place, sweep.place_cell, half * bins[2][i], before, gain[bins[1][i]])
        a, b = sweep.edge_first[s], sweep.edge_first[s + 1]
        add_at(sweep.cell[a:b], sweep.receptor[a:b], sweep.weight[a:b], readings, before)
    copy_rows(before, 0, state, 0, stores)
    denormals_as_before(mode)
