"""Transient storage: still water beside the channel that takes up what passes and gives it back (Bencala & Walters 1983).

    dC/dt = a (Cs - C),        dCs/dt = a (A / As) (C - Cs).

With the channel's volume V held for half a step, the two concentrations near their mean as exp(-a (V + Vs) / Vs t), exactly;
what passes from one to the other is x (C - Cs), x = V Vs / (V + Vs) (1 - that). A zone's volume Vs does not change with the
flow, so that even water stays even. What settles does so in the zone too, which is as deep as the channel is on average: then the
masses follow the exponential of a two by two with both losses (`kept`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel, uncounted_kernel
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
    """Storage zones, one a cell: `cell` (zone,), `held` (zone,) [m3], `exchange` (zone,) [1/s], `ratio` (zone,) of areas."""

    cell: Index
    held: Array
    exchange: Array
    ratio: Array


class Exchange(NamedTuple):
    """What zones exchange in half of each step: `moved` [m3] and the cell's volume `held` [m3] as the step begins and ends.

    All (step, zone), but `zone`, `cell` and `rate` (zone,): the zone's volume [m3], its cell and a [1/s].
    """

    cell: Index
    zone: Array
    early: Array
    held_early: Array
    late: Array
    held_late: Array
    rate: Array


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
        return Zones(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))
    cell = np.flatnonzero(has_storage(network, storage.reaches)[geometry.cell_reach])
    mean = flow.volume.mean(axis=0)[geometry.cell_reach] * geometry.cell_share
    ratio = np.full(len(cell), storage.area_ratio)
    return Zones(cell, ratio * mean[cell], np.full(len(cell), storage.exchange_per_s), ratio)


def exchange_in(zones: Zones, geometry: Geometry, *, water: Water, steps: slice) -> Exchange:
    """Return what the zones exchange in these steps."""
    if not len(zones.cell):
        none = np.zeros((0, 0))
        return Exchange(zones.cell, zones.held, none, none, none, none, zones.exchange)
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

    return Exchange(zones.cell, zones.held, moved(first), first, moved(last), last, zones.exchange)


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


@kernel
def kept(
    give: float, take: float, sinks: tuple[float, float], seconds: float
) -> tuple[float, float, float, float]:
    """Return exp(B t) for B = ((-give - sinks[0], take), (give, -take - sinks[1])) [1/s], row by row.

    Masses of a cell and its zone follow it: `give` = a, `take` = a V / Vs, `sinks` are what settling takes from each.

    >>> kept(1e-4, 1e-4, (2e-5, 2e-5), 5000.0)  # a share exp(-0.1) is left, of which (1 + exp(-1)) / 2 did not change places
    (0.6188559106941009, 0.2859815073418585, 0.2859815073418585, 0.6188559106941009)
    """
    mean = -0.5 * (give + take + sinks[0] + sinks[1])
    skew = 0.5 * (take + sinks[1] - give - sinks[0])
    root = np.sqrt(skew * skew + give * take)
    slow = np.exp(seconds * (mean + root))
    gone = -np.expm1(-2.0 * seconds * root)
    both, apart = slow * (1.0 - 0.5 * gone), slow * (0.5 * gone / root if root > 0.0 else seconds)
    return both + apart * skew, apart * take, apart * give, both - apart * skew


@kernel
def exchanged_sinking(
    exchange: Exchange,
    held: Array,
    seconds: float,
    sinks: tuple[Array, Array],
    is_back: bool,
    pair: tuple[Array, Array],
) -> None:
    """Let cells and zones exchange, and what settles sink in both, for some seconds, or do the transpose of it.

    `held` (zone,) [m3] is the volume of the cells, `sinks` say one over the depth of rows and zones [1/m] and how fast each
    column sinks [m/s], `pair` holds the masses of rows and zones.
    """
    value, stored = pair
    rows = len(sinks[0]) - len(stored)
    for z in range(len(stored)):
        give, r = exchange.rate[z], exchange.cell[z]
        take = give * held[z] / exchange.zone[z]
        for k in range(value.shape[1]):
            lost = (sinks[0][r] * sinks[1][k], sinks[0][rows + z] * sinks[1][k])
            stays, gained, given, rests = kept(give, take, lost, seconds)
            if is_back:
                gained, given = given, gained
            own, other = value[r, k], stored[z, k]
            value[r, k], stored[z, k] = stays * own + gained * other, given * own + rests * other
