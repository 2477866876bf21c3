"""Reads case folders without suyuan's own readers, so that neither can hide a fault of the other."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from suyuan.flow import FlowField
from suyuan.network import Network, Node, Outfall, Reach, Station


def case_names(folder: Path) -> list[str]:
    """Return the names of the complete cases of a folder that holds inputs/ and truth/."""
    return sorted(p.stem for p in (folder / "truth").glob("case-*.json"))


def read_truth(folder: Path, name: str) -> dict[str, Any]:
    """Return the true answer of a case."""
    truth: dict[str, Any] = json.loads((folder / "truth" / f"{name}.json").read_text())
    return truth


def read_network(folder: Path, name: str) -> Network:
    """Return the network of a case; a GeoPackage is an SQLite file."""
    path = folder / "inputs" / name / "network.gpkg"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        nodes = [Node(*row) for row in db.execute("select id, kind from nodes")]
        columns = "id, from_node, to_node, length_m, kind, width_m"
        reaches = [Reach(*row) for row in db.execute(f"select {columns} from reaches")]
        outfalls = [Outfall(*row) for row in db.execute("select id, reach, chainage_m, kind from outfalls")]
        stations = [Station(*row) for row in db.execute("select id, reach, chainage_m, name from stations")]
    return Network(tuple(nodes), tuple(reaches), tuple(outfalls), tuple(stations), source=name)


def read_flow(path: Path) -> FlowField:
    """Return a flow.nc as it is given; times are not needed and start at the epoch."""
    with xr.open_dataset(path, decode_times=False) as data:
        parts = [
            data[v].values.astype(float) for v in ("discharge_start", "discharge_end", "volume", "inflow")
        ]
        reaches, boundaries = tuple(map(str, data.reach.values)), tuple(map(str, data.boundary.values))
    edges = 3600.0 * np.arange(len(parts[0]) + 1)
    start = np.datetime64(0, "s")
    return FlowField(start, edges, reaches, *parts[:3], boundaries, parts[3], str(path))


def read_readings(folder: Path, name: str) -> dict[tuple[str, str], Any]:
    """Return the values of a case by (station, determinand), in order of time."""
    readings: dict[tuple[str, str], list[float]] = {}
    rows = (folder / "inputs" / name / "observations.csv").read_text().splitlines()[1:]
    for row in rows:
        _, station, determinand, value = row.split(",")[:4]
        readings.setdefault((station, determinand), []).append(float(value))
    return {key: np.array(values) for key, values in readings.items()}
