"""What gauges say, in bins: discharge, stage, inflow and gate opening at places of a network, each with its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError, counted, nearest
from suyuan.network import Network, Node, Reach

Array = NDArray[np.float64]

GaugeKind = Literal["discharge", "stage", "inflow", "lateral", "opening"]


@dataclass(frozen=True)
class Gauge:
    """The record of one gauge: means over bins (bin,), of stage values at their edges (bin + 1,); NaN where it says nothing.

    `discharge` [m3/s] at `chainage_m` of `reach`, positive from from_node to to_node (a pump's log is one, at its reach); `stage`
    [m]; `inflow` [m3/s] that enters at `node` from outside, `lateral` [m3/s] evenly along `reach` (negative: taken out);
    `opening` of a gate, 0 closed to 1 open. `sd`, of the same shape, is the standard deviation of one value's error, independent
    of the others; `share` that of a factor which is wrong all the time (a rating); `offset` [m] that of a stage gauge's datum
    against the others'.
    """

    id: str
    kind: GaugeKind
    value: Array
    sd: Array
    reach: str = ""
    chainage_m: float = 0.0
    node: str = ""
    share: float = 0.0
    offset: float = 0.0

    @property
    def label(self) -> str:
        """What a message calls it."""
        return f"{self.kind} at '{self.id}'"


@dataclass(frozen=True)
class StorageTable:
    """What a canal or lake `place` holds, `volume` (row,) [m3], at the `stage` (row,) [m] its one gauge of stage reads."""

    place: str
    stage: Array
    volume: Array
    source: str = "storage"


@dataclass(frozen=True)
class Gauges:
    """All gauges of a network over the same bins of equal length.

    `start` is datetime64[s] in UTC, `edges` (bin + 1,) seconds from it; `tables` of storage go with gauges of stage. Raises
    InputError for numbers that cannot be.
    """

    start: np.datetime64
    edges: Array
    gauges: tuple[Gauge, ...]
    source: str = "gauges"
    tables: tuple[StorageTable, ...] = ()

    def __post_init__(self) -> None:
        bins = len(self.edges) - 1
        steps = np.diff(self.edges)
        if bins < 2 or np.any(steps <= 0.0) or np.ptp(steps) > 1e-6 * steps[0]:
            raise InputError(
                self.source, f"{bins} bins of unequal length", "give two or more bins of equal length"
            )
        faults = [f for gauge in self.gauges for f in _faults(gauge, bins, source=self.source)]
        faults += [
            Fault(t.source, 0, what, remedy) for t in self.tables for _, what, remedy in table_faults(t)
        ]
        places = [table.place for table in self.tables]
        if len(set(places)) < len(places):
            twice = next(p for p in places if places.count(p) > 1)
            faults.append(Fault(self.source, 0, f"'{twice}' has two storage tables", "give one a place"))
        if faults:
            raise InputError.of(faults)

    @property
    def step(self) -> float:
        """The length of a bin [s]."""
        return float(self.edges[1] - self.edges[0])

    @property
    def readings(self) -> tuple[Gauge, ...]:
        """The gauges of water: all but gate logs."""
        return tuple(g for g in self.gauges if g.kind != "opening")


def _faults(gauge: Gauge, bins: int, *, source: str) -> list[Fault]:
    """Return what is wrong with a gauge's own numbers."""
    known = np.isfinite(gauge.value)
    found: list[tuple[str, str]] = []
    wanted = bins + (gauge.kind == "stage")
    if gauge.value.shape != (wanted,) or gauge.sd.shape != (wanted,):
        remedy = "give one value a bin, of stage one an edge"
        found.append((f"{gauge.label} has {len(gauge.value)} values where {wanted} are due", remedy))
    elif not known.any():
        found.append((f"{gauge.label} has no value in the window", "leave it out or move the window"))
    elif gauge.kind != "opening" and not np.all(gauge.sd[known] > 0.0):
        worst = float(np.nanmin(np.where(known, gauge.sd, np.nan)))
        found.append((f"the error of {gauge.label} is {worst:g}", "write a standard deviation above 0"))
    elif gauge.kind == "opening" and not np.all((gauge.value[known] >= 0.0) & (gauge.value[known] <= 1.0)):
        worst = float(gauge.value[known][np.argmax(np.abs(gauge.value[known] - 0.5))])
        found.append((f"{gauge.label} is {worst:g}", "write an opening from 0 (closed) to 1 (open)"))
    return [Fault(source, 0, what, remedy) for what, remedy in found]


def table_faults(table: StorageTable) -> list[tuple[int, str, str]]:
    """Return what is wrong with the numbers of a table: at which of its rows, what, and what to do.

    >>> table_faults(StorageTable("P", np.array([1.0, 2.0]), np.array([-5.0, 10.0])))
    [(0, "storage of 'P' is -5 m3 at 1 m", 'write 0 m3 or more')]
    """
    name, stage, volume = f"'{table.place}'", table.stage, table.volume
    if len(stage) < 2 or len(volume) != len(stage):
        numbers = f"{counted(len(stage), 'stage')} and {counted(len(volume), 'volume')} for {name}"
        return [(0, numbers, "give two or more stages, each with its volume")]
    unknown = np.flatnonzero(~np.isfinite(stage) | ~np.isfinite(volume))
    if len(unknown):
        remedy = "write a number, or leave the row out"
        return [(int(i), f"{name} holds {volume[i]:g} m3 at {stage[i]:g} m", remedy) for i in unknown]
    found = [
        (int(i), f"storage of {name} is {volume[i]:g} m3 at {stage[i]:g} m", "write 0 m3 or more")
        for i in np.flatnonzero(volume < 0.0)
    ]
    stages = np.flatnonzero(np.diff(stage) <= 0.0) + 1
    for i in stages:
        what, remedy = f"stage {stage[i]:g} m of {name} is given twice", "write each stage once"
        if stage[i] < stage[i - 1]:
            what = f"stage of {name} falls from {stage[i - 1]:g} to {stage[i]:g} m"
            remedy = "sort the rows by stage"
        found.append((int(i), what, remedy))
    if len(stages):  # what is held at a stage is not known then
        return sorted(found)
    for i in np.flatnonzero(np.diff(volume) <= 0.0) + 1:
        pair = f"{volume[i - 1]:g} m3 at {stage[i - 1]:g} m, {volume[i]:g} m3 at {stage[i]:g} m"
        what = f"storage of {name} does not rise with stage: {pair}"
        found.append((int(i), what, "write more m3 at every higher stage"))
    return sorted(found)


def node_or_reach(place: str, network: Network, *, source: str) -> Node | Reach | None:
    """Return the node or the reach of this id, None where there is neither; raises InputError where both bear it."""
    node = next((n for n in network.nodes if n.id == place), None)
    reach = next((r for r in network.reaches if r.id == place), None)
    if node is not None and reach is not None:
        run = f"reach '{place}' (from '{reach.from_node}' to '{reach.to_node}')"
        what = f"'{place}' is both node '{place}' ({node.kind}) and {run} of the network"
        raise InputError(
            source, what, "give one of them another id in the network, so that it is told which is meant"
        )
    return node if reach is None else reach


def require_placed(gauges: Gauges, network: Network) -> None:
    """Raise InputError for gauges on reaches, chainages or nodes that the network lacks, and where there is none at all."""
    if not gauges.readings:
        what = "no gauge of discharge, stage or inflow has a value in the window"
        raise InputError(
            gauges.source, what, "give at least one discharge or inflow; without any nothing is known"
        )
    if all(gauge.kind in ("stage", "lateral") for gauge in gauges.readings):
        kinds = sorted({gauge.kind for gauge in gauges.readings}, reverse=True)
        what = f"all {len(gauges.readings)} gauges read {' or '.join(kinds)}, none discharge or inflow"
        raise InputError(
            gauges.source, what, "give at least one discharge or inflow; levels alone do not tell"
        )
    faults = []
    reaches, nodes = {r.id: r for r in network.reaches}, {n.id: n for n in network.nodes}
    for gauge in gauges.gauges:
        if gauge.kind == "inflow":
            if gauge.node not in nodes:
                what = f"node '{gauge.node}' of {gauge.label} is not in the network"
                faults.append(Fault(gauges.source, 0, what, nearest(gauge.node, list(nodes))))
            elif nodes[gauge.node].kind in ("junction", "manhole"):
                what = f"{gauge.label} enters at a node of kind {nodes[gauge.node].kind}"
                faults.append(Fault(gauges.source, 0, what, "make its kind boundary in the layer nodes"))
        elif gauge.reach not in reaches:
            what = f"reach '{gauge.reach}' of {gauge.label} is not in the network"
            faults.append(Fault(gauges.source, 0, what, nearest(gauge.reach, list(reaches))))
        elif gauge.kind == "lateral" and any(s.reach == gauge.reach for s in network.structures):
            what = f"{gauge.label} enters along '{gauge.reach}', which is a structure"
            faults.append(Fault(gauges.source, 0, what, "name the canal beside it, or a node"))
        elif not 0.0 <= gauge.chainage_m <= reaches[gauge.reach].length_m:
            length = reaches[gauge.reach].length_m
            what = f"chainage_m {gauge.chainage_m:g} of {gauge.label} lies outside '{gauge.reach}' (0 to {length:g} m)"
            faults.append(Fault(gauges.source, 0, what, "chainage counts from from_node along length_m"))
    if faults:
        raise InputError.of(faults)
