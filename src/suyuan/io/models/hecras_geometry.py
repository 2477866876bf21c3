"""The geometry in HEC-RAS HDF5 files: river reaches, cross-sections, junctions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.models.hdf5 import text_of
from suyuan.io.models.hecras_sections import Section
from suyuan.io.models.notes import Note, listed
from suyuan.network import Line, Network, Node, Reach, Structure

Array = NDArray[np.float64]
Point = tuple[float, float]

FOOT = 0.3048
_SECTIONS, _LINES = "Geometry/Cross Sections", "Geometry/River Centerlines"
_OPEN_WATER = ("SA", "SA/2D", "2D", "Storage Area", "2D Flow Area")


@dataclass(frozen=True)
class River:
    """A river reach with the positions of its cross-sections, from upstream."""

    reach: Reach
    sections: tuple[int, ...]


@dataclass(frozen=True)
class Geometry:
    """What is drawn, in m; `section_names` (section,) are (River, Reach, RS), `storage` names nodes that are storage areas."""

    source: str
    crs: str
    foot: float
    rivers: tuple[River, ...]
    sections: tuple[Section, ...]
    section_names: tuple[tuple[str, ...], ...]
    points: dict[str, Point | None]
    storage: tuple[str, ...]
    structures: tuple[Structure, ...]
    notes: tuple[Note, ...]

    def chainages(self, river: River) -> Array:
        """Return how far the sections of a river lie from its first, (section,) [m]."""
        lengths = [self.sections[i].lengths[1] for i in river.sections[:-1]]
        return np.concatenate([[0.0], np.cumsum(lengths)])

    def waters(self) -> tuple[Node, ...]:
        """Return the nodes that are storage or 2-D areas: open water."""
        return tuple(Node(name, "outlet", point=self.points.get(name)) for name in self.storage)

    def network(self) -> Network:
        """Return the network as drawn, its open ends outlets."""
        reaches = tuple(river.reach for river in self.rivers)
        ends = [name for r in reaches for name in (r.from_node, r.to_node)]
        nodes = tuple(
            Node(
                name,
                "outlet" if ends.count(name) == 1 or name in self.storage else "junction",
                point=self.points.get(name),
            )
            for name in dict.fromkeys(ends)
        )
        return Network(nodes, reaches, structures=self.structures, crs=self.crs, source=self.source)


def geometry_of(data: Any, source: str) -> Geometry:
    """Return the 1-D geometry of an open HEC-RAS file; raises InputError where there is none, or no unit."""
    for name in (f"{_SECTIONS}/Attributes", f"{_LINES}/Attributes"):
        if name not in data:
            what = f"there is no '{name}' in it"
            raise InputError(source, what, "give a .p01.hdf of HEC-RAS 6 with 1-D rivers")
    foot = _foot(data, source)
    rows = data[f"{_SECTIONS}/Attributes"][:]
    names = tuple(tuple(text_of(row[n]) for n in ("River", "Reach", "RS")) for row in rows)
    sections = _sections(data, rows, foot=foot)
    centre = data[f"{_LINES}/Attributes"][:]
    lines = _lines(data, _LINES, count=len(centre))
    rivers, storage, left_out = [], [], 0.0
    for row, line in zip(centre, lines, strict=True):
        river = _river(row, line, names=names, sections=sections, source=source)
        rivers.append(river)
        storage += [
            text_of(row[f"{e} Name"]) for e in ("US", "DS") if text_of(row[f"{e} Type"]) in _OPEN_WATER
        ]
        left_out += float(np.nansum([row["Junction to US XS"], row["DS XS to Junction"]])) * foot
    points = _points(data, rivers)
    structures, notes = _structures(data, rivers)
    if left_out > 0.0:
        notes.append(Note("short_of_junctions", {"length": f"{left_out:.0f}"}))
    if storage:
        notes.append(Note("storage_areas", {"named": listed(sorted(set(storage)))}))
    crs = text_of(data.attrs.get("Projection", ""))
    return Geometry(
        source,
        crs,
        foot,
        tuple(rivers),
        sections,
        names,
        points,
        tuple(dict.fromkeys(storage)),
        structures,
        tuple(notes),
    )


def _foot(data: Any, source: str) -> float:
    """Return the length of the file's unit in m."""
    system = text_of(data.attrs.get("Units System", ""))
    is_si = text_of(data["Geometry"].attrs.get("SI Units", ""))
    if system.startswith("US") or (not system and is_si == "False"):
        return FOOT
    if system.startswith("SI") or (not system and is_si == "True"):
        return 1.0
    what = f"the unit system '{system}' is not known" if system else "the unit system is missing"
    raise InputError(
        source, what, "HEC-RAS writes 'US Customary' or 'SI Units' as Units System; run the plan again"
    )


def _sections(data: Any, rows: Any, *, foot: float) -> tuple[Section, ...]:
    info = np.asarray(data[f"{_SECTIONS}/Station Elevation Info"][:], dtype=int)
    ground = np.asarray(data[f"{_SECTIONS}/Station Elevation Values"][:], dtype=float) * foot
    found = []
    for row, (first, count) in zip(rows, info, strict=True):
        numbers = {n: float(row[n]) * foot for n in row.dtype.names if row.dtype[n].kind == "f"}
        left, right = (
            (numbers.get(f"{side} Levee Sta", np.nan), numbers.get(f"{side} Levee Elev", np.nan))
            for side in ("Left", "Right")
        )
        found.append(
            Section(
                text_of(row["RS"]),
                ground[first : first + count, 0],
                ground[first : first + count, 1],
                (numbers["Left Bank"], numbers["Right Bank"]),
                (left, right),
                (numbers["Len Left"], numbers["Len Channel"], numbers["Len Right"]),
            )
        )
    return tuple(found)


def _river(
    row: Any, line: Line, *, names: tuple[tuple[str, ...], ...], sections: tuple[Section, ...], source: str
) -> River:
    """Return a river reach between the ends that the centre line names."""
    river, reach = text_of(row["River Name"]), text_of(row["Reach Name"])
    own = tuple(i for i, name in enumerate(names) if name[:2] == (river, reach))
    if len(own) < 2:
        what = f"river '{river}', reach '{reach}' has {len(own)} cross-sections"
        raise InputError(source, what, "draw at least two in the geometry")
    ident = f"{river} {reach}"
    ends = []
    for end, at in (("US", own[0]), ("DS", own[-1])):
        name = text_of(row[f"{end} Name"])
        ends.append(name or f"{ident} {sections[at].river_station}")
    length = sum(sections[i].lengths[1] for i in own[:-1])
    return River(Reach(ident, ends[0], ends[1], length, "river", name=reach, line=line), own)


def _lines(data: Any, group: str, *, count: int) -> tuple[Line, ...]:
    """Return how features are drawn; () where the file does not say."""
    if f"{group}/Polyline Info" not in data:
        return ((),) * count
    points = np.asarray(data[f"{group}/Polyline Points"][:], dtype=float)
    info = np.asarray(data[f"{group}/Polyline Info"][:], dtype=int)
    return tuple(tuple((float(x), float(y)) for x, y in points[a : a + n]) for a, n, *_ in info)


def _points(data: Any, rivers: list[River]) -> dict[str, Point | None]:
    found: dict[str, Point | None] = {}
    for river in rivers:
        line = river.reach.line
        found.setdefault(river.reach.from_node, line[0] if line else None)
        found.setdefault(river.reach.to_node, line[-1] if line else None)
    if "Geometry/Junctions/Attributes" in data:
        names = [text_of(row["Name"]) for row in data["Geometry/Junctions/Attributes"][:]]
        places = np.asarray(data["Geometry/Junctions/Points"][:], dtype=float)
        found |= {n: (float(x), float(y)) for n, (x, y) in zip(names, places, strict=True) if n in found}
    return found


def _structures(data: Any, rivers: list[River]) -> tuple[tuple[Structure, ...], list[Note]]:
    """Return inline structures as weirs, and notes on those that are not taken over."""
    if "Geometry/Structures/Attributes" not in data:
        return (), []
    known = {river.reach.id for river in rivers}
    found, lateral = [], []
    for row in data["Geometry/Structures/Attributes"][:]:
        reach = f"{text_of(row['River'])} {text_of(row['Reach'])}"
        name = f"{reach} {text_of(row['RS'])}"
        if text_of(row["Type"]) == "Inline" and reach in known:
            found.append(Structure(name, reach, "weir"))
        if text_of(row["Type"]) == "Lateral":
            lateral.append(name)
    notes = [Note("lateral_structures", {"named": listed(lateral)})] if lateral else []
    return tuple(found), notes
