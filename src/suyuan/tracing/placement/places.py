"""Where a station may stand: given places, or the middle of about every kilometre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suyuan.errors import Fault, InputError, nearest
from suyuan.network import Network, Station

SPACING_M = 1000.0
"""Distance between the places that are tried where the user names none."""


@dataclass(frozen=True)
class Places:
    """Everywhere that is looked at: `stations` (place,); those at `kept` stand already and stay."""

    stations: tuple[Station, ...]
    kept: tuple[int, ...] = ()

    @property
    def free(self) -> int:
        """How many places there are for new stations."""
        return len(self.stations) - len(self.kept)


def default_places(network: Network, *, spacing_m: float = SPACING_M) -> tuple[Station, ...]:
    """Return the middles of equal parts of every reach, about `spacing_m` long; 'R1' or 'R1+1500' by chainage.

    >>> from suyuan.network import Node, Reach
    >>> river = Network((Node("A", "boundary"), Node("B", "outlet")), (Reach("R1", "A", "B", 2000.0),))
    >>> [place.id for place in default_places(river)]
    ['R1+500', 'R1+1500']
    """
    places = []
    for reach in network.reaches:
        count = max(1, round(reach.length_m / spacing_m))
        middles = [(i + 0.5) / count * reach.length_m for i in range(count)]
        places += [Station(f"{reach.id}+{x:.0f}", reach.id, x, name=reach.name) for x in middles]
    return tuple(places)


def places_of(network: Network, given: Sequence[Station], *, from_scratch: bool) -> Places:
    """Return the places to choose among: those `given`, by default about every kilometre, beside the stations that stay.

    `from_scratch` no station stays; where no places are given the stations' own are then among those tried.
    """
    tried = tuple(given) or default_places(network)
    if not from_scratch:
        taken = {(s.reach, s.chainage_m) for s in network.stations}
        fresh = tuple(p for p in tried if (p.reach, p.chainage_m) not in taken)
        return Places((*network.stations, *fresh), tuple(range(len(network.stations))))
    return Places(tried if given else (*network.stations, *tried))


def check_places(
    network: Network, places: Sequence[Station], *, where: str, rows: Sequence[int] = ()
) -> None:
    """Raise InputError with every place that is on no reach of the network, beyond its end, or has the id of another.

    `rows` (place,) are the rows of the file `where` they stand in.
    """
    faults = []
    first: dict[str, int] = {}
    stands = {station.id: (station.reach, station.chainage_m) for station in network.stations}
    known = [reach.id for reach in network.reaches]
    for i, place in enumerate(places):
        row = rows[i] if len(rows) else 0
        if place.reach not in known:
            what = f"reach '{place.reach}' of place '{place.id}' is not in the network"
            faults.append(Fault(where, row, what, nearest(place.reach, known)))
        elif not 0.0 <= place.chainage_m <= network.reach(place.reach).length_m:
            length = network.reach(place.reach).length_m
            what = f"chainage_m {place.chainage_m:g} of place '{place.id}' lies outside reach '{place.reach}' (0 to {length:g} m)"
            faults.append(Fault(where, row, what, "chainage counts from from_node along length_m"))
        if stands.get(place.id, (place.reach, place.chainage_m)) != (place.reach, place.chainage_m):
            what = f"place '{place.id}' has the id of a station that stands elsewhere"
            faults.append(Fault(where, row, what, "give it another id"))
        if place.id in first:
            what = f"place '{place.id}' is there twice"
            faults.append(Fault(where, row, what, "give every place its own id"))
        first.setdefault(place.id, row)
    if faults:
        raise InputError.of(faults)
