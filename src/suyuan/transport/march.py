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
from suyuan.transport.laterals import Laterals, enter_early, enter_late, owe_early, owe_late
from suyuan.transport.remap import Rows
from suyuan.transport.spread import dilute, disperse
from suyuan.transport.storage import Exchange, exchanged, exchanged_back, exchanged_sinking

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Sweep(NamedTuple):
    """What one march reads besides the matrices; `laterals` say what enters along reaches, `exchange` what storage zones do.

    `seconds` (step,) and `rate` (step, column) [1/s] of decay, `sinking` (column,) [m/s] and `per_depth` (step, store) [1/m] of
    settling, which acts by itself in the rows that are `open`, beside no zone; `is_dispersive`. Mass let in at `place` goes to
    the cell `place_cell` with weight `place_weight`, (entry,) each. The readings at the edge where step s begins
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
    laterals: Laterals
    sinking: Array
    per_depth: Array
    open: Index
    exchange: Exchange


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


@kernel
def lose(sweep: Sweep, s: int, value: Array, zone: Array) -> None:
    """Let decay work for half of step s on cells, lakes and storage zones, and settling on rows of `value` beside no zone."""
    decay(0.5 * sweep.seconds[s], sweep.rate[s], value)
    if len(zone):
        decay(0.5 * sweep.seconds[s], sweep.rate[s], zone)
    if not sweep.sinking.any():
        return
    for r in sweep.open:
        for k in range(value.shape[1]):
            value[r, k] *= np.exp(-0.5 * sweep.seconds[s] * sweep.per_depth[s, r] * sweep.sinking[k])


@kernel
def exchange_early(sweep: Sweep, s: int, is_back: bool, value: Array, zone: Array) -> None:
    """Let cells and zones exchange for the first half of step s, or do the transpose of it."""
    flows, half = sweep.exchange, 0.5 * sweep.seconds[s]
    if not len(zone):
        return
    if sweep.sinking.any():
        sinks = (sweep.per_depth[s], sweep.sinking)
        exchanged_sinking(flows, flows.held_early[s], half, sinks, is_back, (value, zone))
    elif is_back:
        exchanged_back(flows.cell, flows.zone, (flows.early, flows.held_early), s, value, zone)
    else:
        exchanged(flows.cell, flows.zone, (flows.early, flows.held_early), s, value, zone)


@kernel
def exchange_late(sweep: Sweep, s: int, is_back: bool, value: Array, zone: Array) -> None:
    """Let cells and zones exchange for the second half of step s, or do the transpose of it."""
    flows, half = sweep.exchange, 0.5 * sweep.seconds[s]
    if not len(zone):
        return
    if sweep.sinking.any():
        sinks = (sweep.per_depth[s], sweep.sinking)
        exchanged_sinking(flows, flows.held_late[s], half, sinks, is_back, (value, zone))
    elif is_back:
        exchanged_back(flows.cell, flows.zone, (flows.late, flows.held_late), s, value, zone)
    else:
        exchanged(flows.cell, flows.zone, (flows.late, flows.held_late), s, value, zone)


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


@uncounted_kernel
def count_inlets(factors: Factors, s: int, outside: Array, owed: Array, crossed: Array) -> None:
    """Add to `crossed` (entry, column) [g] what dispersion let in at boundaries, less what they were `owed`."""
    add_rows(-1.0, owed, 0, crossed[: len(owed)])
    for i in range(len(owed)):
        share = 2.0 * factors.inlet[s, i] + factors.inlet_explicit[s, i]
        add_rows(share, outside, i, crossed[i : i + 1])


@uncounted_kernel
def read(sweep: Sweep, s: int, value: Array, readings: Array) -> None:
    """Add to `readings` (reading, column) what is seen of the masses `value` at the edge where step s begins."""
    a, b = sweep.edge_first[s], sweep.edge_first[s + 1]
    add_at(sweep.receptor[a:b], sweep.cell[a:b], sweep.weight[a:b], value, readings)


@uncounted_kernel
def read_back(sweep: Sweep, s: int, readings: Array, value: Array) -> None:
    """Add to the sensitivities `value` to masses what `readings` (reading, column) owe to the edge where step s begins."""
    a, b = sweep.edge_first[s], sweep.edge_first[s + 1]
    add_at(sweep.cell[a:b], sweep.receptor[a:b], sweep.weight[a:b], readings, value)


@kernel
def gather_gain(sweep: Sweep, bins: tuple[Index, Index, Array], s: int, value: Array, gain: Array) -> None:
    """Add to `gain` (bin, place, column) what half of the release in step s is owed by the sensitivities `value`.

    `bins` says in which bins the step lies, for how many seconds, as in `march_back`.
    """
    for i in range(bins[0][s], bins[0][s + 1]):
        weight = 0.5 * sweep.place_weight * bins[2][i]
        add_at(sweep.place, sweep.place_cell, weight, value, gain[bins[1][i]])


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
    """March `state` (cells, lakes and storage zones, column) [g] through the steps, in place.

    `mass` (step, place, column) [g] is let in, half of it as a step begins and half as it ends; `outside`
    (step, entry, column) [g/m3] stands at the boundaries and in what enters along reaches. Adds to `readings` (reading, column)
    and to `crossed` (2, entry, column) [g]: what dispersion let in, and what flowed out.
    """
    mode = denormals_as_zero()  # far from where it is let in nearly all is denormal, and that is slow
    stores, width, half = len(mesh.cell_reach) + len(mesh.lake_node), state.shape[1], 0.5 * sweep.place_weight
    boundaries, zone = rows.base.shape[1] - stores, state[stores:]
    before, after = np.zeros((stores + boundaries, width)), np.zeros((stores + boundaries, width))
    nodes, owed = np.zeros((2, len(system.nodes) + 1, width)), np.zeros((boundaries, width))
    copy_rows(state, 0, after, 0, stores)
    for s in range(len(sweep.seconds)):
        before, after = after, before
        read(sweep, s, before, readings)
        add_at(sweep.place_cell, sweep.place, half, mass[s], before)
        lose(sweep, s, before[:stores], zone)
        exchange_early(sweep, s, False, before, zone)
        if sweep.is_dispersive:
            disperse(mesh, system, factors, s, before, outside[s], owed, nodes)
            count_inlets(factors, s, outside[s], owed, crossed[0])
        else:
            dilute(factors.volume[s], factors.lake[s], before)
        copy_rows(outside[s], 0, before, stores, boundaries)
        enter_early(sweep.laterals, s, boundaries, outside[s], before, crossed[1])
        advect(rows.first[s], rows.base[s], rows.column, rows.weight, before, after)
        add_rows(1.0, after, stores, crossed[1, :boundaries])
        enter_late(sweep.laterals, s, boundaries, outside[s], after, crossed[1])
        exchange_late(sweep, s, False, after, zone)
        lose(sweep, s, after[:stores], zone)
        add_at(sweep.place_cell, sweep.place, half, mass[s], after)
    read(sweep, len(sweep.seconds), after, readings)
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
    """March sensitivities `state` (cells, lakes and storage zones, column) [1/m3] back through the steps, in place.

    `readings` (reading, column) weighs what the entries see. Adds to `gain` (bin, place, column) the
    sensitivity to a steady release through each bin; step s lies in the bins `bins[1][i]` for `bins[2][i]`
    seconds, i from `bins[0][s]` to `bins[0][s + 1]`. Fills `outside` (step, entry, column), the
    sensitivity to the concentration at each boundary and in what enters along each reach.
    """
    mode = denormals_as_zero()  # far from where it is let in nearly all is denormal, and that is slow
    stores, width = len(mesh.cell_reach) + len(mesh.lake_node), state.shape[1]
    boundaries, zone = rows.base.shape[1] - stores, state[stores:]
    before, after = np.zeros((stores + boundaries, width)), np.zeros((stores + boundaries, width))
    nodes, none = np.zeros((2, len(system.nodes) + 1, width)), np.zeros((boundaries, width))
    copy_rows(state, 0, before, 0, stores)
    read_back(sweep, len(sweep.seconds), readings, before)
    for s in range(len(sweep.seconds) - 1, -1, -1):
        before, after = after, before
        gather_gain(sweep, bins, s, after, gain)
        lose(sweep, s, after[:stores], zone)
        exchange_late(sweep, s, True, after, zone)
        outside[s] = 0.0
        owe_late(sweep.laterals, s, boundaries, after, outside[s])
        advect_back(rows.first[s], rows.base[s], rows.column, rows.weight, after[:stores], before)
        owe_early(sweep.laterals, s, boundaries, before, outside[s])
        if sweep.is_dispersive:
            disperse(mesh, system, factors, s, before, none, outside[s, :boundaries], nodes)
        else:
            dilute(factors.volume[s], factors.lake[s], before)
        add_rows(1.0, before, stores, outside[s, :boundaries])
        exchange_early(sweep, s, True, before, zone)
        lose(sweep, s, before[:stores], zone)
        gather_gain(sweep, bins, s, before, gain)
        read_back(sweep, s, readings, before)
    copy_rows(before, 0, state, 0, stores)
    denormals_as_before(mode)
