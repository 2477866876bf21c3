"""Dispersion of one step as factors of two implicit solves.

Both stages share one matrix. Written for the semi-discrete system V dc/dt = -K c, with z an eigenvalue of
V^-1 K dt,

    R(z) = (1 + (2 a - 1) z) / (1 + a z)^2,      a = 1 - sqrt(1/2),

is TR-BDF2 with gamma = 2 - sqrt(2) (Bank et al. 1985): second order, L-stable. Between cells, `a` is chosen
per face as 1 - sqrt(1/2 + 1/(12 mu)), mu = D dt / dx^2: then R agrees with exp(-mu k^2 dx^2) one order
further in k dx, which takes away the leading error of the three-point Laplacian as a compact fourth-order
scheme would, at no cost. mu = 1/6 gives a = 0, the explicit scheme known for that property. Nodes hold no
water (lakes do) and are unknowns too.
"""

# ruff: noqa: PLR0913, PLR0917  (kernels take arrays, as many as they need)
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel, uncounted_kernel
from suyuan.transport.elimination import NodeSystem, factorise
from suyuan.transport.geometry import Geometry
from suyuan.transport.water import Water

Array = NDArray[np.float64]
Index = NDArray[np.int64]

IMPLICIT = 1.0 - np.sqrt(0.5)
"""The share a of TR-BDF2."""


NEGLIGIBLE = 1e-20
"""Share of a node's influence below which it is left out: it would not change a sum in double precision."""


class Mesh(NamedTuple):
    """What dispersion reads of the geometry: nothing here changes with time.

    Per path: its cells `path_cells[p]` to `path_cells[p + 1]`; per (path, side): the place of its node among
    the unknowns (`path_node`; one beyond the last where it has none), and the boundary with which it
    exchanges directly (`path_boundary`, or -1). `cell_reach`, `cell_share`, `cell_length` as in Geometry;
    `lake_node` (lake,) is the place of a lake among the unknowns.
    """

    path_cells: Index
    path_node: Index
    path_boundary: Index
    cell_reach: Index
    cell_share: Array
    cell_length: Array
    lake_node: Index


class Factors(NamedTuple):
    """The eliminated dispersion matrices of some steps.

    Per (step, cell): `volume` as the step begins [m3]; eliminating the cells of a path in order, the
    `inverse` pivot, the multiplier `onward` to the next cell (or the end node) and `back` to the start node.
    `explicit` (step, cell + path) is the exchange at each face [m3] for the explicit part. Per (step,
    boundary): exchange with outside, `inlet` (implicit) and `inlet_explicit`. Per step the nodes' `diagonal`
    (inverse), `upper`, and `lake` volume. `near` (step, path) is the number of cells from the start on for
    which `back` is not 0.
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
    near: Index


def mesh_of(geometry: Geometry, system: NodeSystem) -> Mesh:
    """Return what dispersion reads of the geometry."""
    place = system.unknown[geometry.path_nodes]
    boundary = geometry.node_boundary[geometry.path_nodes]
    return Mesh(
        path_cells=geometry.path_cells,
        path_node=np.where(place < 0, len(system.nodes), place),
        path_boundary=np.where(place < 0, boundary, -1),
        cell_reach=geometry.cell_reach,
        cell_share=geometry.cell_share,
        cell_length=geometry.cell_length,
        lake_node=system.unknown[geometry.lakes],
    )


def factors_for(geometry: Geometry, system: NodeSystem, *, steps: int) -> Factors:
    """Return empty factors for so many steps."""
    cells, paths, boundaries = geometry.cells, geometry.paths, len(geometry.boundaries)
    sizes = (cells, cells, cells, cells, cells + paths, boundaries, boundaries)
    small = (len(system.nodes), len(system.column), len(geometry.lakes))
    arrays: list[Any] = [np.zeros((steps, size)) for size in (*sizes, *small)]
    return Factors._make([*arrays, np.zeros((steps, paths), np.int64)])


@uncounted_kernel
def implicit_share(mu: float) -> float:
    """Return the share a for a face between cells, `mu` = D dt / dx^2 (0 where nothing disperses).

    >>> round(implicit_share(1 / 6), 12)
    0.0
    """
    return 1.0 - np.sqrt(0.5 + 1.0 / (12.0 * mu)) if mu > 0.0 else 0.0


@uncounted_kernel
def face_exchange(
    volume: Array, reach: Index, length: Array, spread: Array, implicit: Array, explicit: Array
) -> tuple[float, float]:
    """Fill in exchange at the faces between the cells of a path; return that half a cell from its two ends.

    Exchange is D A dt / distance [m3].     Per cell: `volume`, `reach`, `length`; `spread` (reach,) is D dt.
    Half cells lie in series. `implicit` gets a, `explicit` 1 - 2 a of the exchange, (cell + 1,).
    """
    known, share = -1, 0.0
    before = 0.0
    for c in range(len(volume)):
        mu = spread[reach[c]] / (length[c] * length[c])
        half = 2.0 * mu * volume[c]
        if c == 0:
            before = half
            continue
        exchange = half * before / (half + before) if half > 0.0 and before > 0.0 else 0.0
        if reach[c] != reach[c - 1]:
            pair = 2.0 * volume[c - 1] * volume[c] / (volume[c - 1] + volume[c])
            across = implicit_share(exchange / pair)
            implicit[c], explicit[c] = across * exchange, (1.0 - 2.0 * across) * exchange
        else:
            if known != reach[c]:
                known, share = reach[c], implicit_share(mu)
            implicit[c], explicit[c] = share * exchange, (1.0 - 2.0 * share) * exchange
        before = half
    return 2.0 * spread[reach[0]] / (length[0] * length[0]) * volume[0], before


@uncounted_kernel
def inlet_exchange(half: float, volume: float, entered: float) -> float:
    """Return the exchange [m3] with outside at an end of a path where `entered` [m3] of water comes in.

    When the concentration c_0 there changes, dispersion brings (D / u) A dc_0 on top of u A c_0 dt (Ogata &
    Banks 1961, for u^2 t >> D). The end cell, of this `volume`, shows the change for one step, or until it is
    flushed, so the exchange over a step is D A dt / max(dx, u dt), half of `half` where it is not flushed. It
    never exceeds what enters and fades with it; where water leaves there is none.
    """
    return min(0.5 * half / max(1.0, entered / volume), max(entered, 0.0))


@uncounted_kernel
def fade(peclet: float) -> float:
    """Return the share of exchange with a node that is left against water running to it, x / (e^x - 1).

    Water that runs into a node quicker than dispersion spreads upstream leaves its path unchanged (Danckwerts
    1953); otherwise what is exchanged in one lump a step would travel on as ripples. `peclet` is the largest
    2 u max(dx, 2 u dt) / D at the node; as cells and steps shrink it goes to 0 and the share to 1
    (Scharfetter & Gummel 1969). The factor 2 keeps ripples of a steady confluence below 1 %.
    """
    if peclet > 500.0:
        return 0.0
    return peclet / np.expm1(peclet) if peclet > 1e-12 else 1.0


@uncounted_kernel
def node_peclet(mesh: Mesh, volume: Array, spread: Array, flux: Array, peclet: Array) -> None:
    """Fill the largest Peclet number (see `fade`) of the path ends at each unknown; `flux` (end,) [m3] per
    step."""
    peclet[:] = 0.0
    for end in range(len(flux)):
        path, side = end // 2, end % 2
        c = mesh.path_cells[path] if side == 0 else mesh.path_cells[path + 1] - 1
        length = mesh.cell_length[c]
        moved = abs(flux[end]) * length / volume[c]
        node, mixed = mesh.path_node[path, side], spread[mesh.cell_reach[c]]
        if moved > 0.0 and mixed > 0.0:
            number = 2.0 * moved * max(length, 2.0 * moved) / mixed
            peclet[node] = max(peclet[node], number)


@uncounted_kernel
def eliminate_cells(
    volume: Array, exchange: Array, extra: Array, inverse: Array, onward: Array, back: Array
) -> tuple[float, float, float, int]:
    """Eliminate the cells of one path; return what is left to its nodes.

    That is: the start's diagonal, their coupling, the end's diagonal, and for how many cells the start is
    near enough to matter (beyond, less than NEGLIGIBLE is left of it).

    `exchange` (cell + 1,) is implicit exchange at the faces, the first and last with the nodes; `extra` (2,)
    that with outside at both ends.
    """
    cells = len(volume)
    given, spike, carried = exchange[0], -exchange[0], -extra[0]
    least, near = NEGLIGIBLE * exchange[0], 0
    for c in range(cells):
        if c == cells - 1:
            carried -= extra[1]
        pivot = 1.0 / (volume[c] + exchange[c] + exchange[c + 1] - carried)
        inverse[c] = pivot
        onward[c] = exchange[c + 1] * pivot
        back[c] = spike * pivot
        given -= spike * back[c]
        carried = exchange[c + 1] * onward[c]
        near = c + 1 if spike != 0.0 else near
        spike *= onward[c]
        if abs(spike) < least:
            spike = 0.0
    return given, spike, exchange[cells] - carried, near


@kernel
def add_path(
    mesh: Mesh,
    factors: Factors,
    s: int,
    path: int,
    spread: Array,
    entered: Array,
    flux: Array,
    peclet: Array,
    implicit: Array,
) -> tuple[float, float, float]:
    """Write the factors of one path; return what is left to its nodes.

    Per step: `spread` (reach,) is D dt, `entered` (boundary,) [m3] from outside, `flux` (end,) [m3] into
    nodes.
    """
    first, last = mesh.path_cells[path], mesh.path_cells[path + 1]
    volume = factors.volume[s, first:last]
    explicit = factors.explicit[s, first + path : last + path + 1]
    reach, length = mesh.cell_reach[first:last], mesh.cell_length[first:last]
    halves = face_exchange(volume, reach, length, spread, implicit, explicit)
    extra = np.zeros(2)
    for side in range(2):
        boundary, node = mesh.path_boundary[path, side], mesh.path_node[path, side]
        at = 0 if side == 0 else last - first
        through = halves[side] if node < factors.diagonal.shape[1] else 0.0
        if flux[2 * path + side] > 0.0:
            through *= fade(peclet[node])
        implicit[at], explicit[at] = IMPLICIT * through, (1.0 - 2.0 * IMPLICIT) * through
        if boundary >= 0:
            inlet = inlet_exchange(halves[side], volume[0 if side == 0 else -1], entered[boundary])
            factors.inlet[s, boundary] = IMPLICIT * inlet
            factors.inlet_explicit[s, boundary] = (1.0 - 2.0 * IMPLICIT) * inlet
            explicit[at] = (1.0 - 2.0 * IMPLICIT) * inlet
            extra[side] = IMPLICIT * inlet
    given, across, taken, near = eliminate_cells(
        volume,
        implicit[: last - first + 1],
        extra,
        factors.inverse[s, first:last],
        factors.onward[s, first:last],
        factors.back[s, first:last],
    )
    factors.near[s, path] = near
    return given, across, taken


@uncounted_kernel
def couple(ends: Index, diagonal: Array, upper: Array, pair: int, left: tuple[float, float, float]) -> None:
    """Add what a path's elimination leaves to its two nodes, wherever they have a place among the
    unknowns."""
    if ends[0] < len(diagonal):
        diagonal[ends[0]] += left[0]
    if ends[1] < len(diagonal):
        diagonal[ends[1]] += left[2]
    if pair >= 0:
        upper[pair] += left[1]
    elif pair == -2:
        diagonal[ends[0]] += 2.0 * left[1]


@kernel
def assemble_factors(mesh: Mesh, water: Water, system: NodeSystem, steps: Index, factors: Factors) -> None:
    """Fill the dispersion factors of `steps`."""
    implicit, peclet = np.zeros(len(mesh.cell_reach) + 1), np.zeros(len(system.nodes) + 1)
    for s in range(len(steps)):
        n = steps[s]
        b, share = water.bin[n], water.begin[n]
        reach = water.volume[b] + (water.volume[b + 1] - water.volume[b]) * share
        for c in range(len(mesh.cell_reach)):
            factors.volume[s, c] = reach[mesh.cell_reach[c]] * mesh.cell_share[c]
        diagonal, upper = factors.diagonal[s], factors.upper[s]
        diagonal[:] = 0.0
        upper[:] = 0.0
        for lake in range(len(mesh.lake_node)):
            change = water.lake[b + 1, lake] - water.lake[b, lake]
            factors.lake[s, lake] = water.lake[b, lake] + change * share
            diagonal[mesh.lake_node[lake]] = factors.lake[s, lake]
        spread, entered = water.dispersion[b] * water.length[n], water.outside[b] * water.length[n]
        flux = water.into[b] * water.length[n]
        node_peclet(mesh, factors.volume[s], spread, flux, peclet)
        for path in range(len(mesh.path_node)):
            left = add_path(mesh, factors, s, path, spread, entered, flux, peclet, implicit)
            couple(mesh.path_node[path], diagonal, upper, system.pair[path], left)
        factorise(system, diagonal, upper)
