"""Transient storage: still water beside the channel that takes up what passes and gives it back (Bencala & Walters 1983).

    dC/dt = a (Cs - C),        dCs/dt = a (A / As) (C - Cs).

With the channel's volume V held for half a step, the two concentrations near their mean as exp(-a (V + Vs) / Vs t), exactly;
what passes from one to the other is x (C - Cs), x = V Vs / (V + Vs) (1 - that). A zone's volume Vs does not change with the
flow, so that even water stays even.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import uncounted_kernel
from suyuan.errors import InputError, nearest
from suyuan.flow import BalancedFlow, has_structure
from suyuan.network import Network
from suyuan.transport.geometry import Geometry
from suyuan.transport.lanes import LANES, load, plus_times, store
from suyuan.transport.water import Water

Array = NDArray[np.float64]
Index = NDArray[np.int64]

OPEN_WATER = ("canal", "river")
"""Kinds of reach that have still water beside them, where no reaches are named."""


@dataclass(frozen=True)
class TransientStorage:
    """Still water beside the channel: `area_ratio` As / A (of the mean section), `exchange_per_s` a [1/s].

    `reaches` are ids; empty for all canals and rivers without a structure.
    """

    area_ratio: float
    exchange_per_s: float
    reaches: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no storage."""
        if not (self.area_ratio > 0.0 and self.exchange_per_s >= 0.0):
            what = f"area_ratio {self.area_ratio} must be above 0 and exchange {self.exchange_per_s} 1/s 0 or more"
            raise InputError("transient storage", what, "leave the storage out where there is none")


class Zones(NamedTuple):
    """Storage zones, one a cell: `cell` (zone,), `held` (zone,) [m3], `exchange` (zone,) [1/s]."""

    cell: Index
    held: Array
    exchange: Array


class Exchange(NamedTuple):
    """What zones exchange in half of each step: `moved` [m3] and the cell's volume `held` [m3] as the step begins and ends.

    All (step, zone), but `zone` and `cell` (zone,): the zone's volume [m3] and its cell.
    """

    cell: Index
    zone: Array
    early: Array
    held_early: Array
    late: Array
    held_late: Array


def has_storage(network: Network, named: Sequence[str]) -> NDArray[np.bool_]:
    """Return which reaches have still water beside them, (reach,): those `named`, else open water without a structure."""
    ids = [r.id for r in network.reaches]
    unknown = [name for name in named if name not in ids]
    if unknown:
        what = f"transient storage beside reach '{unknown[0]}', which is not in the network"
        raise InputError("transient storage", what, nearest(unknown[0], ids))
    if named:
        return np.isin(ids, named)
    return np.array([r.kind in OPEN_WATER for r in network.reaches]) & ~has_structure(network)


def zones_of(
    geometry: Geometry, network: Network, *, flow: BalancedFlow, storage: TransientStorage | None
) -> Zones:
    """Return the zones of a network; none without storage."""
    if storage is None:
        return Zones(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    cell = np.flatnonzero(has_storage(network, storage.reaches)[geometry.cell_reach])
    mean = flow.volume.mean(axis=0)[geometry.cell_reach] * geometry.cell_share
    return Zones(cell, storage.area_ratio * mean[cell], np.full(len(cell), storage.exchange_per_s))


def exchange_in(zones: Zones, geometry: Geometry, *, water: Water, steps: slice) -> Exchange:
    """Return what the zones exchange in these steps."""
    if not len(zones.cell):
        none = np.zeros((0, 0))
        return Exchange(zones.cell, zones.held, none, none, none, none)
    b, reach = water.bin[steps], geometry.cell_reach[zones.cell]
    change = water.volume[b + 1] - water.volume[b]
    share = geometry.cell_share[zones.cell]
    first, last = (
        (water.volume[b] + change * part[steps, None])[:, reach] * share for part in (water.begin, water.end)
    )
    half = 0.5 * water.length[steps, None] * zones.exchange

    def moved(held: Array) -> Array:
        both = held + zones.held
        return np.asarray(-held * zones.held / both * np.expm1(-half * both / zones.held))

    return Exchange(zones.cell, zones.held, moved(first), first, moved(last), last)


@uncounted_kernel
def exchanged(
    cell: Index, zone: Array, flows: tuple[Array, Array], s: int, value: Array, stored: Array
) -> None:
    """Let cells and zones exchange for half a step: masses `value` (row, column), `stored` (zone, column) [g], in place.

    `zone` (zone,) [m3] is the volume of the zones, `flows` (step, zone) [m3] what is moved and the volume of the cells.
    """
    for z in range(len(cell)):
        for k in range(0, value.shape[1], LANES):
            own, other = load(value, cell[z], k), load(stored, z, k)
            gone, back = flows[0][s, z] / flows[1][s, z], flows[0][s, z] / zone[z]
            store(value, cell[z], k, plus_times(plus_times(own, -gone, own), back, other))
            store(stored, z, k, plus_times(plus_times(other, gone, own), -back, other))


@uncounted_kernel
def exchanged_back(
    cell: Index, zone: Array, flows: tuple[Array, Array], s: int, value: Array, stored: Array
) -> None:
    """Do the transpose of `exchanged`: `value` and `stored` are sensitivities to masses [1/g]."""
    for z in range(len(cell)):
        for k in range(0, value.shape[1], LANES):
            own, other = load(value, cell[z], k), load(stored, z, k)
            gone, back = flows[0][s, z] / flows[1][s, z], flows[0][s, z] / zone[z]
            store(value, cell[z], k, plus_times(plus_times(own, -gone, own), gone, other))
            store(stored, z, k, plus_times(plus_times(other, back, own), -back, other))
