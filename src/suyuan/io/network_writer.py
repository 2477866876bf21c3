"""Writing a network to a GeoPackage that QGIS can edit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suyuan.io.atomic import write_atomically
from suyuan.io.network import LAYERS
from suyuan.network import Network, Node, Outfall, Reach, Station, Structure

if TYPE_CHECKING:
    import shapely

_NUMBERS = {
    "length_m",
    "width_m",
    "depth_m",
    "roughness",
    "chainage_m",
    "prior_weight",
    "volume_m3",
    "area_m2",
}
_NOUNS = {"nodes": Node, "reaches": Reach, "outfalls": Outfall, "stations": Station, "structures": Structure}


def write_network(network: Network, path: str | Path) -> None:
    """Write a network as GeoPackage; outfalls and stations are drawn where their chainage puts them."""
    write_layers({name: getattr(network, name) for name in LAYERS}, path, crs=network.crs)


def write_layers(layers: dict[str, Sequence[Any]], path: str | Path, *, crs: str) -> None:
    """Write layers of nouns, empty ones included, whether or not they make a network."""
    import pyogrio
    import shapely

    reaches: dict[str, Reach] = {r.id: r for r in layers["reaches"]}
    nodes: dict[str, Node] = {n.id: n for n in layers["nodes"]}
    with write_atomically(path) as partial, _one_sync(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")  # drawn without one, and so kept
        for name, items in layers.items():
            columns = [f.name for f in fields(_NOUNS[name]) if f.name in {c.name for c in LAYERS[name]}]
            shapes = np.array([_shape(item, reaches, nodes=nodes) for item in items], dtype=object)
            pyogrio.raw.write(
                partial,
                geometry=shapely.to_wkb(shapes),
                field_data=[_cells(items, column) for column in columns],
                fields=columns,
                layer=name,
                driver="GPKG",
                geometry_type="LineString" if name == "reaches" else "Point",
                crs=crs or None,
            )


@contextmanager
def _one_sync() -> Iterator[None]:
    """Keep SQLite from waiting for the disk after every statement: the finished file is synced as a whole."""
    import pyogrio

    pyogrio.set_gdal_config_options({"OGR_SQLITE_SYNCHRONOUS": "OFF"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_SQLITE_SYNCHRONOUS": None})


def _cells(items: Sequence[Any], column: str) -> np.ndarray[Any, Any]:
    kind = np.float64 if column in _NUMBERS else object
    return np.array([getattr(item, column) for item in items], dtype=kind)


def _shape(item: Any, reaches: dict[str, Reach], *, nodes: dict[str, Node]) -> shapely.Geometry | None:
    """Return the drawn shape of a node, a reach, or something on a reach; None where nothing is drawn."""
    import shapely

    if isinstance(item, Node):
        return shapely.Point(item.point) if item.point else None
    if isinstance(item, Reach):
        return shapely.LineString(item.line) if len(item.line) > 1 else None
    reach = reaches[item.reach]
    ends = [nodes[n].point for n in (reach.from_node, reach.to_node)]
    line = reach.line if len(reach.line) > 1 else ends
    if None in line:
        return None
    share = 0.5 if isinstance(item, Structure) else item.chainage_m / reach.length_m
    return shapely.LineString(line).interpolate(share, normalized=True)
