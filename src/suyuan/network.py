"""The network noun: reaches and nodes, the outfalls that enter them, the stations that watch them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from suyuan.errors import Fault, InputError, nearest

NodeKind = Literal["junction", "boundary", "outlet", "lake", "manhole"]
ReachKind = Literal["canal", "river", "storm_sewer", "foul_sewer", "concealed_pipe"]
OutfallKind = Literal["industrial", "domestic", "storm", "agricultural", "aquaculture", "other"]
StructureKind = Literal["gate", "pump", "weir"]
Line = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Node:
    """A point where reaches meet, water enters (boundary), leaves or returns (outlet), or is held (lake).

    `volume_m3` and `area_m2` belong to lakes (0 elsewhere). `point` is the drawn place in the network's CRS.
    """

    id: str
    kind: NodeKind = "junction"
    volume_m3: float = 0.0
    area_m2: float = 0.0
    point: tuple[float, float] | None = None


@dataclass(frozen=True)
class Reach:
    """A stretch of canal, river or sewer; flow from `from_node` to `to_node` is positive.

    Lengths and chainages follow `length_m`, never the drawn `line`. NaN means not known.
    """

    id: str
    from_node: str
    to_node: str
    length_m: float
    kind: ReachKind = "canal"
    width_m: float = float("nan")
    depth_m: float = float("nan")
    roughness: float = float("nan")
    name: str = ""
    line: Line = ()


@dataclass(frozen=True)
class Outfall:
    """A listed place where water may be let in (排口), `chainage_m` from the reach's from_node.

    `prior_weight` scales its prior probability against other outfalls.
    """

    id: str
    reach: str
    chainage_m: float
    kind: OutfallKind = "other"
    name: str = ""
    status: str = ""
    prior_weight: float = 1.0


@dataclass(frozen=True)
class Station:
    """A place with readings; with a `target_class` it is an assessment section (断面). `water_type` is '' where not stated."""

    id: str
    reach: str
    chainage_m: float
    name: str = ""
    target_class: str = ""
    water_type: Literal["river", "lake", ""] = ""


@dataclass(frozen=True)
class Structure:
    """A gate, pump or weir on a reach."""

    id: str
    reach: str
    kind: StructureKind


@dataclass(frozen=True)
class Network:
    """A river-and-drain network, complete and consistent when born.

    Raises InputError with every fault found: duplicate ids, a reach with an unknown node, an outfall or station on an
    unknown reach or beyond its end, a station named like another's id, parts that are not connected.

    >>> nodes = (Node("A", "boundary"), Node("B", "outlet"))
    >>> Network(nodes, (Reach("R1", "A", "B", 1000.0),)).reach("R1").length_m
    1000.0
    """

    nodes: tuple[Node, ...]
    reaches: tuple[Reach, ...]
    outfalls: tuple[Outfall, ...] = ()
    stations: tuple[Station, ...] = ()
    structures: tuple[Structure, ...] = ()
    crs: str = ""
    source: str = "network"
    _reach_index: dict[str, int] = field(init=False, repr=False, compare=False)
    _node_index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reach_index", {r.id: i for i, r in enumerate(self.reaches)})
        object.__setattr__(self, "_node_index", {n.id: i for i, n in enumerate(self.nodes)})
        faults = [*_duplicates(self), *_misnamed(self), *_loose_ends(self), *_misplaced(self)]
        if not faults:
            faults = _disconnected(self)
        if faults:
            raise InputError.of(faults)

    @property
    def is_geographic(self) -> bool:
        """Whether coordinates are longitude and latitude in degrees; not where no CRS is given."""
        from pyproj import CRS

        return bool(self.crs) and CRS.from_user_input(self.crs).is_geographic

    def reach_index(self, reach_id: str) -> int:
        """Return the position of a reach in `reaches`."""
        if reach_id not in self._reach_index:
            raise InputError(
                self.source,
                f"reach '{reach_id}' is not in the network",
                nearest(reach_id, list(self._reach_index)),
            )
        return self._reach_index[reach_id]

    def reach(self, reach_id: str) -> Reach:
        """Return the reach of this id."""
        return self.reaches[self.reach_index(reach_id)]

    def node_index(self, node_id: str) -> int:
        """Return the position of a node in `nodes`."""
        return self._node_index[node_id]

    def station(self, station_id: str) -> Station:
        """Return the station of this id, or else of this name if only one bears it.

        A place such as 'R7+1200', metres along a reach, is a station too.

        >>> nodes = (Node("A", "boundary"), Node("B", "outlet"))
        >>> Network(nodes, (Reach("R1", "A", "B", 1000.0),)).station("R1+250").chainage_m
        250.0
        """
        named = [s for s in self.stations if s.id == station_id]
        named = named or [s for s in self.stations if s.name and s.name == station_id]
        if len(named) > 1:
            what = f"station '{station_id}' is the name of {len(named)} stations"
            raise InputError(self.source, what, f"write an id: {', '.join(s.id for s in named[:5])}")
        if named:
            return named[0]
        reach, plus, metres = station_id.rpartition("+")
        if plus and reach in self._reach_index and metres.replace(".", "", 1).isdecimal():
            if float(metres) > self.reach(reach).length_m:
                what = f"'{station_id}' lies beyond the end of reach '{reach}', {self.reach(reach).length_m:g} m long"
                raise InputError(self.source, what, "chainage counts from from_node along length_m")
            return Station(station_id, reach, float(metres))
        known = [s.id for s in self.stations]
        raise InputError(
            self.source, f"station '{station_id}' is not in the network", nearest(station_id, known)
        )


def _duplicates(network: Network) -> list[Fault]:
    faults = []
    layers: dict[str, Sequence[Node | Reach | Outfall | Station | Structure]] = {
        "nodes": network.nodes,
        "reaches": network.reaches,
        "outfalls": network.outfalls,
        "stations": network.stations,
        "structures": network.structures,
    }
    for layer, items in layers.items():
        first: dict[str, int] = {}
        for row, item in enumerate(items, start=1):
            if item.id in first:
                what = f"id '{item.id}' is already used in row {first[item.id]}"
                faults.append(
                    Fault(f"{network.source}, layer {layer}", row, what, "give every row its own id")
                )
            first.setdefault(item.id, row)
    return faults


def _misnamed(network: Network) -> list[Fault]:
    """Return a fault for every station whose name is another station's id: its readings could be either's."""
    ids = {s.id for s in network.stations}
    return [
        Fault(
            f"{network.source}, layer stations",
            row,
            f"name '{station.name}' of station '{station.id}' is the id of another station",
            "give it another name",
        )
        for row, station in enumerate(network.stations, start=1)
        if station.name in ids and station.name != station.id
    ]


def _loose_ends(network: Network) -> list[Fault]:
    faults = []
    where = f"{network.source}, layer reaches"
    for row, reach in enumerate(network.reaches, start=1):
        for column in ("from_node", "to_node"):
            node = getattr(reach, column)
            if node not in network._node_index:
                remedy = nearest(node, list(network._node_index))
                faults.append(
                    Fault(
                        where,
                        row,
                        f"{column} '{node}' of reach '{reach.id}' is not in the layer nodes",
                        remedy,
                    )
                )
        if not reach.length_m > 0.0:
            what = f"length_m {reach.length_m} of reach '{reach.id}' is not a length"
            faults.append(Fault(where, row, what, "write metres above 0"))
        if reach.from_node == reach.to_node:
            what = f"reach '{reach.id}' begins and ends at node '{reach.to_node}'"
            faults.append(Fault(where, row, what, "split it in two with a node between"))
    return faults


def _misplaced(network: Network) -> list[Fault]:
    faults = []
    placed: dict[str, Sequence[Outfall | Station]] = {
        "outfalls": network.outfalls,
        "stations": network.stations,
    }
    for layer, items in placed.items():
        where = f"{network.source}, layer {layer}"
        for row, item in enumerate(items, start=1):
            if item.reach not in network._reach_index:
                remedy = nearest(item.reach, list(network._reach_index))
                faults.append(
                    Fault(
                        where, row, f"reach '{item.reach}' of '{item.id}' is not in the layer reaches", remedy
                    )
                )
            elif not 0.0 <= item.chainage_m <= network.reach(item.reach).length_m:
                length = network.reach(item.reach).length_m
                what = f"chainage_m {item.chainage_m} of '{item.id}' lies outside reach '{item.reach}' (0 to {length} m)"
                faults.append(Fault(where, row, what, "chainage counts from from_node along length_m"))
    for row, structure in enumerate(network.structures, start=1):
        if structure.reach not in network._reach_index:
            what = f"reach '{structure.reach}' of '{structure.id}' is not in the layer reaches"
            remedy = nearest(structure.reach, list(network._reach_index))
            faults.append(Fault(f"{network.source}, layer structures", row, what, remedy))
    return faults


def _disconnected(network: Network) -> list[Fault]:
    if not network.reaches:
        return [Fault(f"{network.source}, layer reaches", 0, "there is no reach", "draw at least one")]
    neighbours: dict[str, list[str]] = {n.id: [] for n in network.nodes}
    for reach in network.reaches:
        neighbours[reach.from_node].append(reach.to_node)
        neighbours[reach.to_node].append(reach.from_node)
    start = network.reaches[0].from_node
    seen, stack = {start}, [start]
    while stack:
        fresh = [n for n in neighbours[stack.pop()] if n not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    apart = [n.id for n in network.nodes if n.id not in seen]
    if not apart:
        return []
    named = ", ".join(apart[:5]) + (" ..." if len(apart) > 5 else "")
    what = f"{len(apart)} of {len(network.nodes)} nodes are not connected to '{start}': {named}"
    return [
        Fault(
            f"{network.source}, layer reaches",
            0,
            what,
            "join them with a reach or put them in a project of their own",
        )
    ]
