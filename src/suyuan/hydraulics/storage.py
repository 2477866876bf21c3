"""Storage by tables of stage: what a reach or a lake of any shape holds when the gauge there reads so high."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError, nearest
from suyuan.hydraulics.gauges import Gauge, Gauges, StorageTable, node_or_reach
from suyuan.hydraulics.resistance import Shape
from suyuan.network import Network, Node

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tabled:
    """A table at its place: reach or node `index`, and the gauge's `mean` reading, which stands for the place's mean stage.

    `surface` [m2] is what storage gains for a metre on average over the gauge's range.

    >>> pond = StorageTable("P", np.array([0.0, 1.0, 2.0]), np.array([0.0, 100.0, 300.0]))
    >>> one = Tabled(pond, index=0, is_lake=True, mean=1.0, surface=150.0)
    >>> one.held, one.beyond(np.array([-1.0, 0.0, 1.0, 2.0])).tolist()  # 1 m up: 200 m3 instead of 150; 2 m up: 400 for 300
    (100.0, [50.0, 0.0, 50.0, 100.0])
    """

    table: StorageTable
    index: int
    is_lake: bool
    mean: float
    surface: float

    @property
    def held(self) -> float:
        """What the place holds at the gauge's mean [m3]."""
        return float(volume_at(self.table, np.array([self.mean]))[0])

    def beyond(self, rise: Array) -> Array:
        """Return the storage [m3] beyond that of upright walls at a `rise` [m] above the mean stage."""
        return volume_at(self.table, self.mean + rise) - self.held - self.surface * rise


def volume_at(table: StorageTable, stage: Array) -> Array:
    """Return the storage [m3] at a stage [m], straight between rows and beyond the last."""
    at = np.clip(np.searchsorted(table.stage, stage) - 1, 0, len(table.stage) - 2)
    slope = (np.diff(table.volume) / np.diff(table.stage))[at]
    return np.asarray(table.volume[at] + slope * (stage - table.stage[at]))


def tabled_of(network: Network, gauges: Gauges) -> tuple[Tabled, ...]:
    """Return the tables at their places.

    Raises InputError for a place that is no canal and no lake, one without its one gauge of stage, and readings outside a table.
    """
    found: list[Tabled] = []
    faults: list[Fault] = []
    for table in gauges.tables:
        try:
            found.append(_placed(table, network, gauges=gauges))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError.of(faults)
    return tuple(found)


def _placed(table: StorageTable, network: Network, *, gauges: Gauges) -> Tabled:
    place = node_or_reach(table.place, network, source=table.source)
    built = {s.reach for s in network.structures}
    reaches = [r.id for r in network.reaches if r.id not in built]
    lakes = [n.id for n in network.nodes if n.kind == "lake"]
    is_lake = isinstance(place, Node)
    if table.place not in (lakes if is_lake else reaches):
        what = f"'{table.place}' of a storage table is neither a canal nor a lake of the network"
        raise InputError(table.source, what, nearest(table.place, [*reaches, *lakes]))
    beside = {r.id for r in network.reaches if table.place in (r.from_node, r.to_node, r.id)}
    own = [g for g in gauges.readings if g.kind == "stage" and g.reach in beside]
    if len(own) != 1:
        what = f"'{table.place}' has a storage table and {len(own)} gauges of stage"
        raise InputError(table.source, what, "give it one gauge of stage, in whose datum the table is")
    gauge = own[0]
    _require_inside(table, gauge)
    known = gauge.value[np.isfinite(gauge.value)]
    mean, half = float(known.mean()), 0.5 * max(float(np.ptp(known)), 0.01)
    low, high = volume_at(table, np.array([mean - half, mean + half]))
    index = network.node_index(table.place) if is_lake else network.reach_index(table.place)
    found = Tabled(table, index, is_lake, mean, float(high - low) / (2.0 * half))
    if is_lake and not network.nodes[index].volume_m3 > 0.0:
        usual = f"volume_m3 {network.nodes[index].volume_m3:g}"
        what = f"lake '{table.place}' has a storage table but {usual}, so it counts as an outlet"
        remedy = f"write its usual volume_m3 in the layer nodes; the table says {found.held:.4g} at the gauge's mean"
        raise InputError(table.source, what, remedy)
    return found


def _require_inside(table: StorageTable, gauge: Gauge) -> None:
    low, high = float(np.nanmin(gauge.value)), float(np.nanmax(gauge.value))
    if low < table.stage[0] or high > table.stage[-1]:
        worst = low if low < table.stage[0] else high
        span = f"{table.stage[0]:g} to {table.stage[-1]:g} m"
        what = f"{gauge.label} reads {worst:g} m, outside the storage table of '{table.place}' ({span})"
        raise InputError(table.source, what, "extend the table, or check datum and unit of the gauge")


def shaped(shape: Shape, tables: tuple[Tabled, ...]) -> Shape:
    """Return the shape with surface and held volume of reaches that have a table."""
    surface, full = shape.surface.copy(), shape.full.copy()
    for each in tables:
        if not each.is_lake:
            surface[each.index], full[each.index] = each.surface, each.held
    return replace(shape, surface=surface, full=full)


def lake_area(network: Network, tables: tuple[Tabled, ...]) -> Array:
    """Return the water surface (node,) [m2] of lakes, that of their tables where they have one; 0 at other nodes."""
    area = np.array([n.area_m2 if n.kind == "lake" else 0.0 for n in network.nodes])
    for each in tables:
        if each.is_lake:
            area[each.index] = each.surface
    return area
