"""Where a crew can take a sample: open water between outfalls, manholes of pipes, and the mouths of outfalls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from suyuan.errors import InputError, nearest
from suyuan.network import Network, Reach

Array = NDArray[np.float64]
PlaceKind = Literal["river", "manhole", "mouth"]

PIPES = ("storm_sewer", "foul_sewer", "concealed_pipe")

LEAST_APART_M = 20.0
"""Outfalls nearer to each other than this have no sampling place between them."""

EARTH_M_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class Place:
    """A place to sample at. `id` is what to write as station in the table of readings: `R7+1200` for 1200 m along reach R7,
    or the outfall's id for its own mouth."""

    id: str
    kind: PlaceKind
    reach: str
    chainage_m: float


def sampling_places(network: Network) -> tuple[Place, ...]:
    """Return where a crew can sample: every stretch of open water between outfalls at its middle, the lower and upper manhole
    of every pipe, and every outfall at its mouth.

    A sample between two outfalls of a canal tells them apart; pipes are reached at manholes only.
    """
    places: list[Place] = []
    for reach in network.reaches:
        kind: PlaceKind = "manhole" if reach.kind in PIPES else "river"
        places += [
            Place(f"{reach.id}+{x:.0f}", kind, reach.id, float(f"{x:.0f}")) for x in _along(reach, network)
        ]
    places += [Place(o.id, "mouth", o.reach, o.chainage_m) for o in network.outfalls]
    return tuple(places)


def _along(reach: Reach, network: Network) -> list[float]:
    if reach.kind in PIPES:
        return [0.0, float(np.floor(reach.length_m))]
    own = sorted(o.chainage_m for o in network.outfalls if o.reach == reach.id)
    ends = np.array([0.0, *own, reach.length_m])
    gaps = np.diff(ends)
    middle = 0.5 * (ends[1:] + ends[:-1])
    keep = gaps >= min(LEAST_APART_M, reach.length_m)
    return [float(np.floor(x)) for x in middle[keep]]


def place_named(network: Network, name: str) -> Place:
    """Return the place of this name: a station, an outfall's mouth, or metres along a reach such as `R7+1200`."""
    for outfall in network.outfalls:
        if name == outfall.id:
            return Place(outfall.id, "mouth", outfall.reach, outfall.chainage_m)
    station = network.station(name)
    return Place(station.id, "river", station.reach, station.chainage_m)


def road_distances(network: Network, places: tuple[Place, ...], *, road_factor: float) -> Array:
    """Return the distance by road between places, (place, place) [m].

    The straight line times `road_factor`; where the network is not drawn, the way along the water instead.
    """
    points = _points(network, places)
    if points is None:
        return _along_the_water(network, places)
    step = points[:, None, :] - points[None, :, :]
    return np.asarray(road_factor * np.hypot(step[..., 0], step[..., 1]))


def _points(network: Network, places: tuple[Place, ...]) -> Array | None:
    """Return the drawn point of every place [m], (place, 2); None where some reach is not drawn."""
    node = {n.id: n.point for n in network.nodes}
    found = np.empty((len(places), 2))
    for i, place in enumerate(places):
        reach = network.reach(place.reach)
        ends = node[reach.from_node], node[reach.to_node]
        if not reach.line and None in ends:
            return None
        line = np.array(reach.line or ends, float)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        at = place.chainage_m / reach.length_m * along[-1]
        found[i] = np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])
    if network.is_geographic:
        found *= EARTH_M_PER_DEGREE * np.array([np.cos(np.radians(found[:, 1].mean())), 1.0])
    return found


def _along_the_water(network: Network, places: tuple[Place, ...]) -> Array:
    """Return the shortest way along reaches between places, (place, place) [m]."""
    n = len(network.nodes)
    first = [network.node_index(network.reach(p.reach).from_node) for p in places]
    last = [network.node_index(network.reach(p.reach).to_node) for p in places]
    x = np.array([p.chainage_m for p in places])
    rest = np.array([network.reach(p.reach).length_m for p in places]) - x
    at = n + np.arange(len(places))
    reach_ends = [(network.node_index(r.from_node), network.node_index(r.to_node)) for r in network.reaches]
    rows = np.concatenate([[a for a, _ in reach_ends], first, last]).astype(np.int64)
    columns = np.concatenate([[b for _, b in reach_ends], at, at]).astype(np.int64)
    length = np.concatenate([[r.length_m for r in network.reaches], x, rest])
    shortest: dict[tuple[int, int], float] = {}
    for a, b, metres in zip(rows.tolist(), columns.tolist(), np.maximum(length, 1e-3).tolist(), strict=True):
        shortest[a, b] = min(metres, shortest.get((a, b), np.inf))
    ends = np.array(list(shortest), np.int64)
    graph = sparse.csr_array((list(shortest.values()), (ends[:, 0], ends[:, 1])), shape=(n + len(at),) * 2)
    ways = np.asarray(dijkstra(graph, directed=False, indices=at)[:, n:])
    same = np.array([p.reach for p in places])
    along = np.abs(x[:, None] - x[None, :])
    return np.where(same[:, None] == same[None, :], np.minimum(ways, along), ways)


def outfall_named(network: Network, name: str) -> str:
    """Return the id of the outfall of this id or name."""
    for outfall in network.outfalls:
        if name and name in (outfall.id, outfall.name):
            return outfall.id
    remedy = nearest(name, [o.id for o in network.outfalls])
    raise InputError("confirm", f"outfall '{name}' is not in the network", remedy)
