"""The network file: a GeoPackage with nodes, reaches, outfalls, stations and structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError, nearest
from suyuan.io.files import require_file
from suyuan.io.tables import Column, Table, fitted
from suyuan.network import (
    Line,
    Network,
    Node,
    NodeKind,
    Outfall,
    OutfallKind,
    Reach,
    ReachKind,
    Station,
    Structure,
    StructureKind,
)

LAYERS: Mapping[str, tuple[Column, ...]] = {
    "nodes": (
        Column("id"),
        Column("kind"),
        *(Column(c, is_required=False) for c in ("volume_m3", "area_m2")),
    ),
    "reaches": (
        *(Column(c) for c in ("id", "from_node", "to_node", "length_m", "kind")),
        *(Column(c, is_required=False) for c in ("width_m", "depth_m", "roughness", "name")),
    ),
    "outfalls": (
        *(Column(c) for c in ("id", "reach", "chainage_m", "kind")),
        *(Column(c, is_required=False) for c in ("name", "status", "prior_weight")),
    ),
    "stations": (
        *(Column(c) for c in ("id", "reach", "chainage_m")),
        *(Column(c, is_required=False) for c in ("name", "target_class", "water_type")),
    ),
    "structures": tuple(Column(c) for c in ("id", "reach", "kind")),
}
"""Layers of the network file and their columns; `structures` may be left out."""

_OPTIONAL_LAYERS = {"structures"}
_UNTOLD_LENGTH = float("inf")


@dataclass(frozen=True)
class Layer:
    """One layer as read: cells, shapes (row,) as shapely geometries or None, and the faults found so far."""

    table: Table
    shapes: NDArray[np.object_]
    crs: str = ""
    faults: list[Fault] = field(default_factory=list)


def read_network(path: str | Path) -> Network:
    """Return the network in a GeoPackage, in the CRS it was drawn in.

    Raises InputError with every fault of every layer: missing or misspelt layers and columns, ids, kinds and
    numbers that cannot be, and whatever the network itself refuses.
    """
    path = require_file(path)
    layers, faults = _layers(path)
    if faults:
        raise InputError.of(faults)
    crs, faults = _common_crs(path.name, layers)
    parts = {
        "nodes": _nodes(layers["nodes"]),
        "reaches": _reaches(layers["reaches"]),
        "outfalls": _outfalls(layers["outfalls"]),
        "stations": _stations(layers["stations"]),
        "structures": _structures(layers["structures"]) if "structures" in layers else (),
    }
    faults += [fault for layer in layers.values() for fault in layer.faults]
    try:
        network = Network(**parts, crs=crs, source=path.name)  # type: ignore[arg-type]
    except InputError as error:
        faults += error.faults
    if faults:
        raise InputError.of(faults)
    return network


def is_blank_network(path: str | Path) -> bool:
    """Return whether every layer of a network file that is read holds nothing, as `suyuan new` makes it."""
    import pyogrio

    path = require_file(path)
    read = [name for name in _layer_names(path) if name in LAYERS]
    return bool(read) and not any(pyogrio.read_info(path, layer=name)["features"] for name in read)


def unused_parts(path: str | Path) -> tuple[str, ...]:
    """Return what a network file holds and suyuan does not read, as `layer` or `layer.column`."""
    layers, _ = _layers(require_file(path))
    strangers = [name for name in _layer_names(Path(path)) if name not in LAYERS]
    return (*strangers, *(f"{name}.{c}" for name, layer in layers.items() for c in layer.table.extra))


def _layer_names(path: Path) -> list[str]:
    import pyogrio
    from pyogrio.errors import DataSourceError

    try:
        return [str(name) for name, _ in pyogrio.list_layers(path)]
    except DataSourceError as error:
        what = "cannot be read as a GeoPackage, it may be half-written"
        raise InputError(
            path.name, what, "save it as GeoPackage (.gpkg) again, for example from QGIS"
        ) from error


def _layers(path: Path) -> tuple[dict[str, Layer], list[Fault]]:
    present = _layer_names(path)
    layers: dict[str, Layer] = {}
    faults: list[Fault] = []
    for name, columns in LAYERS.items():
        if name in present:
            try:
                layers[name] = _layer(path, name, columns=columns)
            except InputError as error:
                faults += error.faults
        elif name not in _OPTIONAL_LAYERS:
            strangers = [p for p in present if p not in LAYERS]
            remedy = (
                f"{nearest(name, strangers)}; add it, empty if need be"
                if strangers
                else "add it, empty if need be"
            )
            faults.append(Fault(path.name, 0, f"the layer '{name}' is missing", remedy))
    return layers, faults


def _layer(path: Path, name: str, *, columns: tuple[Column, ...]) -> Layer:
    import pandas as pd
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError, FieldError

    try:
        meta, _, shapes, cells = pyogrio.raw.read(path, layer=name)
    except (DataLayerError, DataSourceError, FieldError) as error:
        what = f"the layer '{name}' cannot be read ({str(error)[:80]})"
        raise InputError(path.name, what, "save the file again, for example from QGIS") from error
    source = f"{path.name}, layer {name}"
    series = {str(n): pd.Series(c) for n, c in zip(meta["fields"], cells, strict=True)}
    count = len(cells[0]) if cells else 0
    table = fitted(Table(source, series, np.arange(1, count + 1)), columns)
    drawn = np.full(count, None, dtype=object) if shapes is None else shapely.from_wkb(shapes)
    return Layer(table, drawn, crs=meta["crs"] or "")


def _common_crs(source: str, layers: Mapping[str, Layer]) -> tuple[str, list[Fault]]:
    named = {name: layer.crs for name, layer in layers.items() if layer.crs}
    crs = named.get("reaches", next(iter(named.values()), ""))
    others = [name for name, its in named.items() if its != crs]
    remedy = "save every layer in one CRS"
    return crs, [
        Fault(source, 0, f"layer {n} is in {named[n][:40]}, reaches in {crs[:40]}", remedy) for n in others
    ]


def _nodes(layer: Layer) -> tuple[Node, ...]:
    ids, kinds = _ids(layer), _words(layer, "kind", known=get_args(NodeKind))
    volume, area = _amounts(layer, "volume_m3", otherwise=0.0), _amounts(layer, "area_m2", otherwise=0.0)
    points = _points(layer.shapes)
    rows = zip(ids, kinds, volume, area, points, strict=True)
    return tuple(Node(i, kind, v, a, point) for i, kind, v, a, point in rows)  # type: ignore[arg-type]


def _reaches(layer: Layer) -> tuple[Reach, ...]:
    columns: dict[str, Sequence[Any]] = {
        "id": _ids(layer),
        "from_node": _required(layer, "from_node"),
        "to_node": _required(layer, "to_node"),
        "length_m": _known_amounts(layer, "length_m", otherwise=_UNTOLD_LENGTH),
        "kind": _words(layer, "kind", known=get_args(ReachKind)),
        "width_m": _amounts(layer, "width_m"),
        "depth_m": _amounts(layer, "depth_m"),
        "roughness": _amounts(layer, "roughness"),
        "name": list(layer.table.text("name")),
        "line": _lines(layer.shapes),
    }
    return tuple(Reach(**row) for row in _rows(columns))


def _outfalls(layer: Layer) -> tuple[Outfall, ...]:
    columns: dict[str, Sequence[Any]] = {
        "id": _ids(layer),
        "reach": _required(layer, "reach"),
        "chainage_m": _known_amounts(layer, "chainage_m", otherwise=0.0),
        "kind": _words(layer, "kind", known=get_args(OutfallKind)),
        "name": list(layer.table.text("name")),
        "status": list(layer.table.text("status")),
        "prior_weight": _amounts(layer, "prior_weight", otherwise=1.0),
    }
    return tuple(Outfall(**row) for row in _rows(columns))


def _stations(layer: Layer) -> tuple[Station, ...]:
    columns: dict[str, Sequence[Any]] = {
        "id": _ids(layer),
        "reach": _required(layer, "reach"),
        "chainage_m": _known_amounts(layer, "chainage_m", otherwise=0.0),
        "name": list(layer.table.text("name")),
        "target_class": list(layer.table.text("target_class")),
        "water_type": _waters(layer),
    }
    return tuple(Station(**row) for row in _rows(columns))


def _structures(layer: Layer) -> tuple[Structure, ...]:
    columns: dict[str, Sequence[Any]] = {
        "id": _ids(layer),
        "reach": _required(layer, "reach"),
        "kind": _words(layer, "kind", known=get_args(StructureKind)),
    }
    return tuple(Structure(**row) for row in _rows(columns))


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _required(layer: Layer, name: str) -> list[str]:
    """Return a column in which every cell must say something."""
    text = layer.table.text(name)
    wrong = (text == "").to_numpy(dtype=bool)
    layer.faults.extend(layer.table.faults(wrong, text, say=lambda _: (f"{name} is missing", "fill it in")))
    return list(text)


def _ids(layer: Layer) -> list[str]:
    """Return ids; a missing one is reported, and its row stands in so that it is not also a double."""
    return [text or f"(row {row})" for row, text in enumerate(_required(layer, "id"), start=1)]


def _words(layer: Layer, name: str, *, known: Sequence[str], otherwise: str = "") -> list[str]:
    """Return a column that holds one of a few words; `otherwise` where it is empty, if it may be."""
    text = layer.table.text(name)
    text = text.where(text != "", otherwise)
    wrong = ~text.isin(known).to_numpy(dtype=bool)

    def say(cell: str) -> tuple[str, str]:
        advice = nearest(cell, known)
        listed = f"write one of: {', '.join(known)}"
        what = f"{name} '{cell}' is not known" if cell else f"{name} is missing"
        return what, f"{advice} {listed}" if advice.startswith("did you mean") else listed

    layer.faults.extend(layer.table.faults(wrong, text, say=say))
    return list(text.where(~wrong, known[0]))


def _waters(layer: Layer) -> list[str]:
    """Return the type of water of each station, '' where none is stated."""
    stated = layer.table.text("water_type") != ""
    read = _words(layer, "water_type", known=("river", "lake"), otherwise="river")
    return [word if is_stated else "" for word, is_stated in zip(read, stated, strict=True)]


def _amounts(layer: Layer, name: str, *, otherwise: float = float("nan")) -> list[float]:
    """Return a column of numbers of 0 or more, `otherwise` where it is empty."""
    value, faults = layer.table.numbers(name)
    layer.faults.extend(faults)
    text = layer.table.text(name)
    remedy = "write 0 or more"
    layer.faults.extend(
        layer.table.faults(value < 0.0, text, say=lambda c: (f"{name} {c} is below 0", remedy))
    )
    return [otherwise if np.isnan(v) else float(v) for v in value]


def _known_amounts(layer: Layer, name: str, *, otherwise: float) -> list[float]:
    """Return a column in which every cell must hold a number; `otherwise` stands in for reported cells."""
    text = layer.table.text(name)
    value, faults = layer.table.numbers(name)
    missing = np.isnan(value) & ~np.isin(layer.table.row, [fault.row for fault in faults])
    layer.faults.extend(faults)
    layer.faults.extend(
        layer.table.faults(missing, text, say=lambda _: (f"{name} is missing", "write metres"))
    )
    return [otherwise if np.isnan(v) else float(v) for v in value]


def _points(shapes: NDArray[np.object_]) -> list[tuple[float, float] | None]:
    """Return the drawn place of each row; the middle where it is drawn as an area."""
    import shapely

    middle = shapely.centroid(shapes)
    return [None if x is None or x.is_empty else (float(x.x), float(x.y)) for x in middle]


def _lines(shapes: NDArray[np.object_]) -> list[Line]:
    """Return the drawn line of each row, () where there is none; parts of a multi-line are put end to end."""
    import shapely

    is_line = np.isin(
        shapely.get_type_id(shapes), [shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING]
    )
    merged = [shapely.line_merge(x) if x.geom_type.startswith("Multi") else x for x in shapes[is_line]]
    drawn = iter(tuple((float(x), float(y)) for x, y in shapely.get_coordinates(line)) for line in merged)
    return [next(drawn) if is_drawn else () for is_drawn in is_line]
