"""Nodes and links of a SWMM 5 `.inp`, in metres, and the part of them that hangs together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from suyuan.errors import Fault, InputError, nearest
from suyuan.io.models.model import STRUCTURE_LENGTH, in_m3_s
from suyuan.io.models.swmm_inp import Inp, Row, by_id, likely, number
from suyuan.io.models.swmm_out import FLOW_UNITS, FOOT
from suyuan.io.models.swmm_shapes import CrossSection, cross_sections
from suyuan.network import Line, Reach, ReachKind, StructureKind

NODES = ("JUNC", "OUTFALL", "STORAGE", "DIVIDER")
STRUCTURES: dict[str, StructureKind] = {"PUMP": "pump", "ORIFICE": "gate", "WEIR": "weir", "OUTLET": "weir"}
"""Links that hold no water. An OUTLET is a stage-discharge relation: a weir."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Sewers:
    """A model as drawn: `nodes` by id with the section that lists them, `reaches` in the order of SWMM's results.

    `structures` gives the kind of those reaches that are one, `points` the place of a node where the model has it, `ponded` the
    nodes that keep what floods them.
    """

    source: str
    unit: str
    nodes: dict[str, str]
    points: dict[str, Point]
    reaches: tuple[Reach, ...]
    structures: dict[str, StructureKind]
    ponded: frozenset[str]


def sewers_of(inp: Inp) -> Sewers:
    """Return nodes and links of a model; raises InputError with every link that hangs in the air."""
    unit = inp.option("FLOW_UNITS", "CFS")
    in_m3_s(unit if unit in FLOW_UNITS else f"{unit} (in OPTIONS)", source=inp.source)
    metres = FOOT if FLOW_UNITS.index(unit) < 3 else 1.0
    listed = [(kind, row) for kind in NODES for row in inp.rows(kind)]
    kinds = {row.cell(0): kind for kind, row in listed}
    by_id([row for _, row in listed], what="node", source=inp.source)
    points = dict(_points(inp))
    links = [(kind, row) for kind in ("CONDUIT", *STRUCTURES) for row in inp.rows(kind)]
    by_id([row for _, row in links], what="link", source=inp.source)
    _require_whole(inp, kinds, links=[row for _, row in links])
    sections, lines = cross_sections(inp, metres), _lines(inp)
    reaches = []
    for kind, row in links:
        line = _drawn(row, points, between=lines.get(row.cell(0), ()))
        if kind == "CONDUIT":
            reaches.append(_conduit(inp, row, metres=metres, section=sections.get(row.cell(0)), line=line))
        else:
            reaches.append(_structure(row, section=sections.get(row.cell(0)), line=line))
    structures = {row.cell(0): STRUCTURES[kind] for kind, row in links if kind in STRUCTURES}
    return Sewers(inp.source, unit, kinds, points, tuple(reaches), structures, _ponded(inp))


def parts_of(sewers: Sewers) -> tuple[int, NDArray[np.int32]]:
    """Return how many parts do not hang together, and the part of every node (node,)."""
    index = {name: i for i, name in enumerate(sewers.nodes)}
    begin = [index[r.from_node] for r in sewers.reaches]
    end = [index[r.to_node] for r in sewers.reaches]
    joined = sparse.coo_matrix(
        (np.ones(len(begin)), (np.array(begin), np.array(end))), (len(index), len(index))
    )
    count, part = connected_components(joined, directed=False)
    return int(count), part


def _require_whole(inp: Inp, kinds: dict[str, str], *, links: list[Row]) -> None:
    """Raise InputError where there is nothing to import, or a link names a node that is not there."""
    if not kinds or not links:
        missing = "no node" if not kinds else "no link"
        meant = [f"[{header}] may mean [{likely(header)}]" for header in inp.unknown if likely(header)]
        unread = f"; not read were [{'], ['.join(inp.unknown)}]" if inp.unknown else ""
        remedy = "; ".join(meant) or f"sections JUNCTIONS, OUTFALLS and CONDUITS list them{unread}"
        raise InputError(inp.source, f"has {missing}, so there is no network in it", remedy)
    faults = []
    for row in links:
        faults += [
            Fault(
                inp.source,
                row.line,
                f"node '{row.cell(k)}' of link '{row.cell(0)}' is not in the model",
                _advice(inp, row.cell(k), kinds=kinds),
            )
            for k in (1, 2)
            if row.cell(k) not in kinds
        ]
    if faults:
        raise InputError.of(faults)


def _advice(inp: Inp, node: str, *, kinds: dict[str, str]) -> str:
    unread = ", ".join(f"[{name}]" for name in inp.unknown)
    return f"{nearest(node, list(kinds))}" + (
        f"; sections that SWMM does not know: {unread}" if unread else ""
    )


def _conduit(inp: Inp, row: Row, *, metres: float, section: CrossSection | None, line: Line) -> Reach:
    shape = section or CrossSection("DUMMY")
    roughness = number(row, 4, what="roughness", source=inp.source)
    return Reach(
        row.cell(0),
        row.cell(1),
        row.cell(2),
        metres * number(row, 3, what="length", source=inp.source),
        kind=_kind(shape),
        width_m=shape.width_m,
        depth_m=shape.depth_m,
        roughness=shape.roughness if math.isfinite(shape.roughness) else roughness,
        line=line,
    )


def _structure(row: Row, *, section: CrossSection | None, line: Line) -> Reach:
    shape = section or CrossSection("DUMMY")
    return Reach(
        row.cell(0),
        row.cell(1),
        row.cell(2),
        STRUCTURE_LENGTH,
        kind="storm_sewer",
        width_m=shape.width_m,
        depth_m=shape.depth_m,
        line=line,
    )


def _kind(section: CrossSection) -> ReachKind:
    if not section.is_open:
        return "storm_sewer"
    return "river" if section.shape == "IRREGULAR" else "canal"


def _ponded(inp: Inp) -> frozenset[str]:
    """Return the junctions over which flood water stands until it runs back: column 6 of JUNCTIONS, if ponding is allowed."""
    if inp.option("ALLOW_PONDING", "NO") != "YES":
        return frozenset()
    return frozenset(
        row.cell(0)
        for row in inp.rows("JUNC")
        if number(row, 5, what="ponded area", source=inp.source, default="0") > 0.0
    )


def _points(inp: Inp) -> Iterator[tuple[str, Point]]:
    for row in inp.rows("COORDINATE"):
        yield (
            row.cell(0),
            (_drawn_number(row, 1, source=inp.source), _drawn_number(row, 2, source=inp.source)),
        )


def _lines(inp: Inp) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for row in inp.rows("VERTICES"):
        found.setdefault(row.cell(0), []).append(
            (_drawn_number(row, 1, source=inp.source), _drawn_number(row, 2, source=inp.source))
        )
    return found


def _drawn_number(row: Row, position: int, *, source: str) -> float:
    return number(row, position, what="coordinate", source=source)


def _drawn(row: Row, points: dict[str, Point], *, between: list[Point] | tuple[Point, ...]) -> Line:
    """Return the line of a link between its nodes; empty where one of them is not drawn."""
    if row.cell(1) not in points or row.cell(2) not in points:
        return ()
    return (points[row.cell(1)], *between, points[row.cell(2)])
