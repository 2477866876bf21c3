"""Marching mass forward through the steps, and sensitivities back, WIDTH columns at a time.

The backward march is the transpose of the forward one, operation by operation, with the same numbers. All arrays of columns
have shape (row, WIDTH): the innermost loop runs over contiguous columns of known number, which is what makes it quick.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from suyuan.transport.advection import Rows
from suyuan.transport.dispersion import Factors
from suyuan.transport.elimination import NodeSystem
from suyuan.transport.spread import WIDTH, disperse, disperse_back
from suyuan.transport.water import Grid

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Sweep(NamedTuple):
    """What one march reads besides the matrices.

    `seconds` (step,) and `rate` (WIDTH,) [1/s] of decay, `is_dispersive`. Place i spreads over the cells `place_cell[i]`
    with `place_weight[i]`, both (place, 2). The readings at the edge where step s begins are the entries
    `edge_first[s]:edge_first[s + 1]`: `weight` [1/m3] at `cell`, of the reading `receptor`. `path_boundary` (path, 2) is
    the boundary at each end with which water is exchanged by dispersion, or -1.
    """

    seconds: Array
    rate: Array
    is_dispersive: bool
    place_cell: Index
    place_weight: Array
    edge_first: Index
    cell: Index
    receptor: Index
    weight: Array
    path_boundary: Index


@nb.njit(cache=True, nogil=True)
def advect(rows: Rows, s: int, before: Array, after: Array) -> None:
    """Fill `after` with the advection matrix of the s-th step times `before`."""
    for r in range(rows.first.shape[1] - 1):
        first, last, base = rows.first[s, r], rows.first[s, r + 1], rows.base[s, r]
        if base >= 0 and last - first == 4:
            a, b, c, d = (
                rows.weight[first],
                rows.weight[first + 1],
                rows.weight[first + 2],
                rows.weight[first + 3],
            )
            for k in range(WIDTH):
                after[r, k] = (
                    a * before[base, k]
                    + b * before[base + 1, k]
                    + c * before[base + 2, k]
                    + d * before[base + 3, k]
                )
            continue
        for k in range(WIDTH):
            after[r, k] = 0.0
        for e in range(first, last):
            column = base + e - first if base >= 0 else rows.column[e]
            weight = rows.weight[e]
            for k in range(WIDTH):
                after[r, k] += weight * before[column, k]


@nb.njit(cache=True, nogil=True)
def advect_back(rows: Rows, s: int, stores: int, after: Array, before: Array) -> None:
    """Fill `before` with the transposed advection matrix times `after`; what left at outlets (rows from `stores`) is 0."""
    before[:] = 0.0
    for r in range(stores):
        first, last, base = rows.first[s, r], rows.first[s, r + 1], rows.base[s, r]
        if base >= 0 and last - first == 4:
            a, b, c, d = (
                rows.weight[first],
                rows.weight[first + 1],
                rows.weight[first + 2],
                rows.weight[first + 3],
            )
            for k in range(WIDTH):
                value = after[r, k]
                before[base, k] += a * value
                before[base + 1, k] += b * value
                before[base + 2, k] += c * value
                before[base + 3, k] += d * value
            continue
        for e in range(first, last):
            column = base + e - first if base >= 0 else rows.column[e]
            weight = rows.weight[e]
            for k in range(WIDTH):
                before[column, k] += weight * after[r, k]


@nb.njit(cache=True, nogil=True)
def decay(stores: int, sweep: Sweep, s: int, value: Array) -> None:
    """Let half a step's first-order decay work on what cells and lakes hold."""
    if not sweep.rate.any():
        return
    left = np.exp(-0.5 * sweep.seconds[s] * sweep.rate)
    for r in range(stores):
        for k in range(WIDTH):
            value[r, k] *= left[k]


@nb.njit(cache=True, nogil=True)
def release(sweep: Sweep, mass: Array, value: Array) -> None:
    """Add half of `mass` (place, WIDTH) [g] to the cells of each place."""
    for i in range(len(sweep.place_cell)):
        for side in range(2):
            c, weight = sweep.place_cell[i, side], 0.5 * sweep.place_weight[i, side]
            for k in range(WIDTH):
                value[c, k] += weight * mass[i, k]


@nb.njit(cache=True, nogil=True)
def sense(sweep: Sweep, value: Array, felt: Array) -> None:
    """Add to `felt` (place, WIDTH) half of `value` at each place: the transpose of `release`."""
    for i in range(len(sweep.place_cell)):
        for side in range(2):
            c, weight = sweep.place_cell[i, side], 0.5 * sweep.place_weight[i, side]
            for k in range(WIDTH):
                felt[i, k] += weight * value[c, k]


@nb.njit(cache=True, nogil=True)
def read(sweep: Sweep, s: int, value: Array, readings: Array) -> None:
    """Add to `readings` (reading, WIDTH) what the entries at the edge where step s begins see of `value`."""
    for e in range(sweep.edge_first[s], sweep.edge_first[s + 1]):
        for k in range(WIDTH):
            readings[sweep.receptor[e], k] += sweep.weight[e] * value[sweep.cell[e], k]


@nb.njit(cache=True, nogil=True)
def unread(sweep: Sweep, s: int, readings: Array, value: Array) -> None:
    """Add `readings` (reading, WIDTH) to the cells where they are taken: the transpose of `read`."""
    for e in range(sweep.edge_first[s], sweep.edge_first[s + 1]):
        for k in range(WIDTH):
            value[sweep.cell[e], k] += sweep.weight[e] * readings[sweep.receptor[e], k]


@nb.njit(cache=True, nogil=True)
def march_forward(
    grid: Grid,
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
    """March `state` (cells and lakes, WIDTH) [g] through the steps, in place.

    `mass` (step, place, WIDTH) [g] is released, `outside` (step, boundary, WIDTH) [g/m3] stands at the boundaries. Adds to
    `readings` (reading, WIDTH) and to `crossed` (2, boundary, WIDTH) [g]: what dispersion let in, and what flowed out.
    """
    stores, boundaries = len(state), len(grid.boundaries)
    before = np.zeros((stores + boundaries, WIDTH))
    after = np.zeros((stores + boundaries, WIDTH))
    nodes = np.zeros((len(system.nodes), WIDTH))
    beyond = np.zeros((2 * boundaries, WIDTH))
    before[:stores] = state
    for s in range(len(rows.step)):
        read(sweep, s, before, readings)
        release(sweep, mass[s], before)
        decay(stores, sweep, s, before)
        before[stores:] = outside[s]
        advect(rows, s, before, after)
        crossed[1] += after[stores:]
        if sweep.is_dispersive:
            beyond[:boundaries] = outside[s]
            disperse(grid, system, factors, s, sweep.path_boundary, after, nodes, beyond)
            crossed[0] += beyond[boundaries:]
        decay(stores, sweep, s, after)
        release(sweep, mass[s], after)
        before, after = after, before
    read(sweep, len(rows.step), before, readings)
    state[:] = before[:stores]


@nb.njit(cache=True, nogil=True)
def march_back(
    grid: Grid,
    system: NodeSystem,
    rows: Rows,
    factors: Factors,
    sweep: Sweep,
    state: Array,
    readings: Array,
    felt: Array,
    outside: Array,
) -> None:
    """March sensitivities `state` (cells and lakes, WIDTH) [1/m3] back through the steps, in place.

    `readings` (reading, WIDTH) weighs what the entries see. Fills `felt` (step, place, WIDTH), the sensitivity to the mass
    released in each step, and `outside` (step, boundary, WIDTH), that to the concentration at each boundary.
    """
    stores, boundaries = len(state), len(grid.boundaries)
    after = np.zeros((stores + boundaries, WIDTH))
    before = np.zeros((stores + boundaries, WIDTH))
    nodes = np.zeros((len(system.nodes), WIDTH))
    beyond = np.zeros((boundaries, WIDTH))
    after[:stores] = state
    unread(sweep, len(rows.step), readings, after)
    for s in range(len(rows.step) - 1, -1, -1):
        felt[s] = 0.0
        sense(sweep, after, felt[s])
        decay(stores, sweep, s, after)
        beyond[:] = 0.0
        if sweep.is_dispersive:
            disperse_back(grid, system, factors, s, sweep.path_boundary, after, nodes, beyond)
        advect_back(rows, s, stores, after, before)
        outside[s] = before[stores:] + beyond
        decay(stores, sweep, s, before)
        sense(sweep, before, felt[s])
        unread(sweep, s, readings, before)
        before, after = after, before
    state[:] = after[:stores]
