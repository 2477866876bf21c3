"""Ribasim models: basins as lakes, links as reaches without water, and the results of a run."""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.files import read_text, require_file
from suyuan.io.models.chains import Chain, Known, joined
from suyuan.io.models.model import STRUCTURE_LENGTH, Model
from suyuan.io.models.notes import Note
from suyuan.io.models.ribasim_results import Results, read_results
from suyuan.io.models.steps import even_edges, means_over
from suyuan.io.times import timezone_of
from suyuan.network import Node, NodeKind, Reach, Structure, StructureKind

Array = NDArray[np.float64]
Point = tuple[float, float]
Progress = Callable[[int, int], None]

UNEVEN = 1.5
"""Steps of which one is so many times longer than usual are averaged over even ones."""

DRIFT = 0.01
"""Share of a basin's storage by which what flows in and out of it may miss the storage of the file before a note says so."""

_KINDS: Mapping[str, NodeKind] = {
    "FlowBoundary": "boundary",
    "LevelBoundary": "outlet",
    "Terminal": "outlet",
    "UserDemand": "outlet",
}
_STRUCTURES: Mapping[str, StructureKind] = {"Pump": "pump", "Outlet": "gate", "TabulatedRatingCurve": "weir"}
_ENTERING = ("precipitation", "drainage", "surface_runoff")
_LEAVING = ("evaporation", "infiltration")
_ENVELOPE = (0, 32, 48, 48, 64)
"""Bytes of the envelope in a GeoPackage geometry, by its code (OGC 12-128r18, clause 2.1.3.1)."""


@dataclass(frozen=True)
class _Drawing:
    """Nodes by id with type and place; links by id with their two nodes and name."""

    source: str
    crs: str
    kinds: Mapping[str, str]
    points: Mapping[str, Point | None]
    links: Mapping[str, tuple[str, str, str]]


def read_ribasim(
    path: str | Path, *, timezone: str | tzinfo = UTC, progress: Progress | None = None
) -> Model:
    """Return network and flow of a Ribasim model (.toml) that has been run.

    Every node keeps its number: a Basin is a lake with its storage at the start, FlowBoundary a boundary, LevelBoundary, Terminal
    and UserDemand outlets, everything between a junction. Every flow link is a reach of STRUCTURE_LENGTH that holds no water,
    since links hold none in Ribasim, with a Structure: pump where it leaves a Pump, weir a TabulatedRatingCurve, else gate. What
    rains on a basin or drains into it enters by a boundary 'N~runoff' of its own, what evaporates or seeps away leaves by an
    outlet 'N~loss'. `flow_rate` is a mean over the interval that begins at its time. Times are in `timezone`. The assumption that
    hurts most: each basin is mixed at once, so that a plume crosses it sooner, and thinner, than in a canal.
    """
    path = require_file(path)
    settings = _settings(path)
    drawing = _drawing(path.parent / str(settings.get("input_dir", ".")) / "database.gpkg", settings)
    folder = path.parent / str(settings.get("results_dir", "results"))
    zone = timezone_of(timezone)
    flow = read_results(folder, "flow", key="link_id", wanted="flow_rate", zone=zone)
    basins = read_results(folder, "basin", key="node_id", wanted="storage", zone=zone)
    if progress is not None:
        progress(1, 2)
    _require_match(flow, basins, drawing=drawing)
    steps = np.append(flow.seconds, _end(settings, flow, zone=zone))
    edges = _even(steps)
    chains = [*_links(drawing, flow, steps=steps, edges=edges), *_own(basins, steps=steps, edges=edges)]
    structures = tuple(
        Structure(c.reach.id, c.reach.id, _STRUCTURES.get(drawing.kinds.get(c.reach.from_node, ""), "gate"))
        for c in chains
    )
    known = Known(drawing.source, drawing.crs, tuple(_nodes(drawing, basins)), structures)
    points = dict(drawing.points)
    found = joined(chains, points, start=flow.start, edges=edges, known=known)
    if progress is not None:
        progress(2, 2)
    notes = (*_notes(basins, chains, edges=edges), *found.notes)
    return Model("Ribasim", found.network, found.flow, notes)


def _settings(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(path.name, f"is no TOML ({error})", "give the .toml of a Ribasim model") from error


def _drawing(path: Path, settings: Mapping[str, Any]) -> _Drawing:
    path = require_file(path)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
            base.row_factory = sqlite3.Row
            names = {
                row["name"] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            of_links = next((n for n in ("Link", "Edge") if n in names), "")
            if "Node" not in names or not of_links:
                what = "there is no table Node or Link in it"
                raise InputError(path.name, what, "give the database.gpkg of a Ribasim model")
            nodes = [dict(row) for row in base.execute('SELECT rowid AS "rowid", * FROM Node')]
            links = [dict(row) for row in base.execute(f'SELECT rowid AS "rowid", * FROM {of_links}')]
    except sqlite3.DatabaseError as error:
        what = f"cannot be read as GeoPackage, it may be half-written ({error})"
        raise InputError(path.name, what, "save the model again") from error
    ids = [str(row.get("node_id", row["rowid"])) for row in nodes]
    flowing = [r for r in links if str(r.get("link_type", r.get("edge_type", "flow"))) == "flow"]
    found = {
        str(r["rowid"]): (str(r["from_node_id"]), str(r["to_node_id"]), str(r.get("name") or ""))
        for r in flowing
    }
    strange = [(link, n) for link, (a, b, _) in found.items() for n in (a, b) if n not in set(ids)]
    if strange:
        what = f"link {strange[0][0]} joins node {strange[0][1]}, which is not in the table Node"
        raise InputError(path.name, what, "mend the model and run it again")
    kinds = {i: str(row["node_type"]) for i, row in zip(ids, nodes, strict=True)}
    points = {i: _point(row.get("geom")) for i, row in zip(ids, nodes, strict=True)}
    return _Drawing(path.name, str(settings.get("crs", "")), kinds, points, found)


def _point(blob: bytes | None) -> Point | None:
    """Return the point in a GeoPackage geometry."""
    import shapely

    if not blob or blob[:2] != b"GP":
        return None
    shape = shapely.from_wkb(blob[8 + _ENVELOPE[(blob[3] >> 1) & 7] :])
    return None if shape.is_empty else (float(shape.x), float(shape.y))


def _require_match(flow: Results, basins: Results, *, drawing: _Drawing) -> None:
    """Raise InputError where results and model are not of one another."""
    lost = [link for link in drawing.links if link not in set(flow.ids)]
    if lost:
        what = f"link {lost[0]} of the model has no flow ({len(lost)} in all)"
        raise InputError(flow.source, what, "run the model again: it was changed since")
    dry = [n for n, kind in drawing.kinds.items() if kind == "Basin" and n not in set(basins.ids)]
    if dry:
        what = f"basin {dry[0]} of the model has no storage"
        raise InputError(basins.source, what, "run the model again: it was changed since")
    if not np.array_equal(flow.seconds, basins.seconds) or flow.start != basins.start:
        what = f"its times are not those of {basins.source}"
        raise InputError(flow.source, what, "they are of two runs; run the model again")
    if np.nanmin(basins.of("storage")) < 0.0:
        at = basins.ids[int(np.argmin(np.nanmin(basins.of("storage"), axis=0)))]
        what = f"storage of basin {at} is {np.nanmin(basins.of('storage')):.4g} m3"
        raise InputError(basins.source, what, "volumes cannot be negative; run the model again")


def _end(settings: Mapping[str, Any], flow: Results, *, zone: tzinfo) -> float:
    """Return when the last interval ends [s]: at the model's endtime, else as long as the one before."""
    usual = float(flow.seconds[-1] + (flow.seconds[-1] - flow.seconds[-2]))
    ends = settings.get("endtime")
    if ends is None:
        return usual
    local = ends if ends.tzinfo else ends.replace(tzinfo=zone)
    at = (np.datetime64(local.astimezone(UTC).replace(tzinfo=None), "s") - flow.start) / np.timedelta64(
        1, "s"
    )
    return float(at) if flow.seconds[-1] < at <= usual + 1.0 else usual


def _even(steps: Array) -> Array:
    """Return the edges of the bins: the steps, or even ones of the usual length where they are uneven."""
    length = np.diff(steps)
    usual = float(np.median(length))
    return steps if length.max() <= UNEVEN * usual else even_edges(float(steps[-1]), usual)


def _links(drawing: _Drawing, flow: Results, *, steps: Array, edges: Array) -> Iterator[Chain]:
    means = means_over(edges, flow.of("flow_rate"), steps=steps)
    column = {link: i for i, link in enumerate(flow.ids)}
    for link, (a, b, name) in drawing.links.items():
        yield _link(Reach(link, a, b, STRUCTURE_LENGTH, "canal", name=name), means[:, column[link]])


def _own(basins: Results, *, steps: Array, edges: Array) -> Iterator[Chain]:
    """Yield what rains on basins, drains into them and evaporates from them."""
    for names, ending, sign in ((_ENTERING, "runoff", 1.0), (_LEAVING, "loss", -1.0)):
        total = np.sum([np.nan_to_num(basins.of(n)) for n in names], axis=0)
        means = sign * means_over(edges, total, steps=steps)
        for i, basin in enumerate(basins.ids):
            if means[:, i].any():
                outside = f"{basin}~{ending}"
                yield _link(Reach(outside, outside, basin, STRUCTURE_LENGTH, "canal"), means[:, i])


def _link(reach: Reach, q: Array) -> Chain:
    return Chain(reach, q[:, None], np.zeros((len(q) + 1, 2)), np.empty(0), ())


def _nodes(drawing: _Drawing, basins: Results) -> Iterator[Node]:
    storage = dict(zip(basins.ids, basins.of("storage")[0], strict=True))
    for name, kind in drawing.kinds.items():
        if kind == "Basin":
            yield Node(name, "lake", float(storage[name]), 0.0, drawing.points[name])
        elif kind in _KINDS:
            yield Node(name, _KINDS[kind], point=drawing.points[name])


def _notes(basins: Results, chains: list[Chain], *, edges: Array) -> Iterator[Note]:
    yield Note("links_of_a_metre")
    storage = basins.of("storage")
    gained = dict.fromkeys(basins.ids, np.zeros(len(edges)))
    for chain in chains:
        carried = np.append(0.0, np.cumsum(chain.discharge[:, 0] * np.diff(edges)))
        for node, sign in ((chain.reach.to_node, 1.0), (chain.reach.from_node, -1.0)):
            if node in gained:
                gained[node] = gained[node] + sign * carried
    worst, basin = 0.0, ""
    for i, name in enumerate(basins.ids):
        known = np.interp(edges, basins.seconds, storage[:, i])
        within = edges <= basins.seconds[-1]
        missed = float(
            np.abs(storage[0, i] + gained[name] - known)[within].max() / max(storage[:, i].max(), 1e-9)
        )
        if missed > worst:
            worst, basin = missed, name
    if worst > DRIFT:
        yield Note("drift", {"basin": basin, "share": f"{worst:.1%}"})
    if any(chain.reach.id.endswith("~loss") for chain in chains):
        yield Note("evaporation")
