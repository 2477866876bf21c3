"""Dispersion of one step as factors of two implicit solves.

Both stages share one matrix. Written for the semi-discrete system V dc/dt = -K c, with z an eigenvalue of V^-1 K dt,

    R(z) = (1 + (2 a - 1) z) / (1 + a z)^2,      a = 1 - sqrt(1/2),

is TR-BDF2 with gamma = 2 - sqrt(2) (Bank et al. 1985): second order, L-stable. Between cells, `a` is chosen per face as
1 - sqrt(1/2 + 1/(12 mu)), mu = D dt / dx^2: then R agrees with exp(-mu k^2 dx^2) one order further in k dx, which takes away
the leading error of the three-point Laplacian as a compact fourth-order scheme would, at no cost. mu = 1/6 gives a = 0,
the explicit scheme known for that property. Nodes hold no water (lakes do) and are unknowns too.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from suyuan.transport.elimination import NodeSystem, factorise
from suyuan.transport.water import Grid, Water

Array = NDArray[np.float64]
Index = NDArray[np.int64]

IMPLICIT = 1.0 - np.sqrt(0.5)
"""The share a of TR-BDF2."""


class Factors(NamedTuple):
    """The eliminated dispersion matrices of some steps.

    Per (step, cell): `volume` after the step [m3]; eliminating the cells of a path in order, the `inverse` pivot, the
    multiplier `onward` to the next cell (or the end node) and `back` to the start node. `explicit` (step, cell + path) is
    the exchange at each face [m3] for the explicit part. Per (step, boundary): exchange with outside, `inlet` (implicit) and
    `inlet_explicit`. Per step the nodes' `diagonal` (inverse), `upper`, and `lake` volume.
    """

    volume: Array
    inverse: Array
    onward: Array
    back: Array
    explicit: Array
    inlet: Array
    inlet_explicit: Array
    diagonal: Array
    upper: Array
    lake: Array


def factors_for(grid: Grid, system: NodeSystem, steps: int) -> Factors:
    """Return empty factors for so many steps."""
    cells, paths, boundaries = len(grid.cell_reach), len(grid.path_nodes), len(grid.boundaries)
    sizes = (cells, cells, cells, cells, cells + paths, boundaries, boundaries)
    small = (len(system.nodes), len(system.column), len(grid.lakes))
    return Factors(*(np.zeros((steps, size)) for size in (*sizes, *small)))


@nb.njit(cache=True, nogil=True)
def implicit_share(exchange: float, volume: float) -> float:
    """Return a for a face between cells: `exchange` K dt [m3], `volume` of the cells (harmonic mean) [m3]."""
    return 1.0 - np.sqrt(0.5 + volume / (12.0 * exchange)) if exchange > 0.0 else 0.0


@nb.njit(cache=True, nogil=True)
def face_exchange(grid: Grid, water: Water, step: int, volume: Array, path: int, exchange: Array) -> None:
    """Fill D A dt / distance [m3] at the faces of a path, (cells of the path + 1,); half cells in series."""
    b, seconds = water.bin[step], water.length[step]
    first, last = grid.path_cells[path], grid.path_cells[path + 1]
    before = 0.0
    for c in range(first, last):
        length = grid.cell_length[c]
        half = 2.0 * water.dispersion[b, grid.cell_reach[c]] * volume[c] * seconds / (length * length)
        if c == first:
            exchange[0] = half
        elif half + before > 0.0:
            exchange[c - first] = half * before / (half + before)
        else:
            exchange[c - first] = 0.0
        before = half
    exchange[last - first] = before


@nb.njit(cache=True, nogil=True)
def end_exchange(
    grid: Grid, water: Water, system: NodeSystem, step: int, end: int, half: float
) -> tuple[float, float]:
    """Return the exchange [m3] of a path's end cell with its node, and with outside.

    With a node that has an unknown: all of it. With outside only where water enters there, and then no more than enters,
    so that it fades as the inflow does. Where water leaves, or at a dead end: none.
    """
    node = grid.path_nodes[end // 2, end % 2]
    if system.unknown[node] >= 0:
        return half, 0.0
    boundary = grid.node_boundary[node]
    if boundary < 0:
        return 0.0, 0.0
    entered = water.outside[water.bin[step], boundary] * water.length[step]
    return 0.0, min(half, max(entered, 0.0))


@nb.njit(cache=True, nogil=True)
def eliminate_path(
    grid: Grid,
    water: Water,
    system: NodeSystem,
    factors: Factors,
    step: int,
    s: int,
    path: int,
    exchange: Array,
) -> None:
    """Eliminate the cells of one path and add what is left to the nodes' system of the step."""
    first, last = grid.path_cells[path], grid.path_cells[path + 1]
    cells = last - first
    volume = factors.volume[s]
    face_exchange(grid, water, step, volume, path, exchange)
    to_start, inlet = end_exchange(grid, water, system, step, 2 * path, exchange[0])
    to_end, outlet = end_exchange(grid, water, system, step, 2 * path + 1, exchange[cells])
    for side, through in ((0, inlet), (1, outlet)):
        boundary = grid.node_boundary[grid.path_nodes[path, side]]
        if boundary >= 0 and system.unknown[grid.path_nodes[path, side]] < 0:
            factors.inlet[s, boundary] = IMPLICIT * through
            factors.inlet_explicit[s, boundary] = (1.0 - 2.0 * IMPLICIT) * through
    for c in range(1, cells):
        pair = 2.0 * volume[first + c - 1] * volume[first + c] / (volume[first + c - 1] + volume[first + c])
        share = implicit_share(exchange[c], pair)
        factors.explicit[s, first + path + c] = (1.0 - 2.0 * share) * exchange[c]
        exchange[c] *= share
    factors.explicit[s, first + path] = (1.0 - 2.0 * IMPLICIT) * (to_start + inlet)
    factors.explicit[s, last + path] = (1.0 - 2.0 * IMPLICIT) * (to_end + outlet)
    exchange[0], exchange[cells] = IMPLICIT * to_start, IMPLICIT * to_end
    extra, carried, spike, given = IMPLICIT * inlet, 0.0, -exchange[0], exchange[0]
    for c in range(cells):
        if c == cells - 1:
            extra += IMPLICIT * outlet
        pivot = volume[first + c] + exchange[c] + exchange[c + 1] + extra - carried
        factors.inverse[s, first + c] = 1.0 / pivot
        factors.onward[s, first + c] = exchange[c + 1] / pivot
        factors.back[s, first + c] = spike / pivot
        given -= spike * spike / pivot
        carried, extra = exchange[c + 1] * exchange[c + 1] / pivot, 0.0
        if c < cells - 1:
            spike *= exchange[c + 1] / pivot
    couple(
        system,
        grid.path_nodes[path],
        factors.diagonal[s],
        factors.upper[s],
        system.pair[path],
        (given, spike * factors.onward[s, last - 1], exchange[cells] - carried),
    )


@nb.njit(cache=True, nogil=True)
def couple(
    system: NodeSystem,
    nodes: Index,
    diagonal: Array,
    upper: Array,
    pair: int,
    left: tuple[float, float, float],
) -> None:
    """Add what a path's elimination leaves to its two nodes: (start's diagonal, their coupling, end's diagonal)."""
    start, end = system.unknown[nodes[0]], system.unknown[nodes[1]]
    if start >= 0:
        diagonal[start] += left[0]
    if end >= 0:
        diagonal[end] += left[2]
    if pair >= 0:
        upper[pair] += left[1]
    elif pair == -2:
        diagonal[start] += 2.0 * left[1]


@nb.njit(cache=True, nogil=True)
def assemble_factors(grid: Grid, water: Water, system: NodeSystem, steps: Index, factors: Factors) -> None:
    """Fill the dispersion factors of `steps`."""
    exchange = np.zeros(len(grid.cell_reach) + 1)
    for s in range(len(steps)):
        step = steps[s]
        b, share = water.bin[step], water.end[step]
        for c in range(len(grid.cell_reach)):
            r = grid.cell_reach[c]
            change = water.volume[b + 1, r] - water.volume[b, r]
            factors.volume[s, c] = (water.volume[b, r] + change * share) * grid.cell_share[c]
        factors.diagonal[s] = 0.0
        factors.upper[s] = 0.0
        for lake in range(len(grid.lakes)):
            change = water.lake[b + 1, lake] - water.lake[b, lake]
            factors.lake[s, lake] = water.lake[b, lake] + change * share
            factors.diagonal[s, system.unknown[grid.lakes[lake]]] = factors.lake[s, lake]
        for path in range(len(grid.path_nodes)):
            eliminate_path(grid, water, system, factors, step, s, path, exchange)
        factorise(system, factors.diagonal[s], factors.upper[s])
