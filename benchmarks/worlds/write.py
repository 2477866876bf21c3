"""Writes a case as a project folder and its truth beside it, in the layout of the shared cases."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
import xarray as xr

from benchmarks.worlds.case import Case
from benchmarks.worlds.draw import chainage, pieces, point_of
from benchmarks.worlds.flows import ReachFlow
from benchmarks.worlds.release import Culprit
from benchmarks.worlds.style import (
    BEGIN,
    DECAY_GUESS,
    DETERMINANDS,
    FLOW_HOUR,
    LAST_HOUR,
    LIBRARY,
    LIBRARY_LOG_SD,
    NOISE,
    UNITS,
    WINDOW_HOUR,
)
from benchmarks.worlds.swmm import cut_name
from suyuan.network import Network

PROJECT = """[project]
name = "{name}"
timezone = "Asia/Shanghai"
invented = true

[files]
network = "network.gpkg"
flow = "flow.nc"
observations = "observations.csv"
fingerprints = "fingerprints.csv"

[trace]
determinand = "NH3-N"
since = {since}+08:00
until = {until}+08:00

[decay_per_day]      # best guesses; the truth differs from case to case
"""


def local(hour: float) -> datetime:
    """Return the local time (UTC+8) of an hour from the start of SWMM."""
    return BEGIN + timedelta(hours=hour)


def write_case(case: Case, out: Path, *, name: str, with_concentration: bool = False) -> None:
    """Write inputs/NAME and truth/NAME.json, truth/NAME.flow.nc and, if asked for, truth/NAME.nc."""
    folder, truth = out / "inputs" / name, out / "truth"
    folder.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    _write_project(folder / "suyuan.toml", name)
    _write_network(folder / "network.gpkg", case.network)
    _flow_dataset(case.network, case.given).to_netcdf(folder / "flow.nc")
    _write_observations(folder / "observations.csv", case)
    _write_fingerprints(folder / "fingerprints.csv")
    _flow_dataset(case.network, case.true).to_netcdf(truth / f"{name}.flow.nc")
    if with_concentration:
        _concentration_dataset(case).to_netcdf(
            truth / f"{name}.nc", encoding={"concentration": {"zlib": True}}
        )
    (truth / f"{name}.json").write_text(json.dumps(_truth(case), indent=1))


def _write_project(path: Path, name: str) -> None:
    text = PROJECT.format(name=name, since=local(WINDOW_HOUR).isoformat(), until=local(LAST_HOUR).isoformat())
    path.write_text(text + "".join(f'"{d}" = {rate}\n' for d, rate in DECAY_GUESS.items()))


def _write_network(path: Path, network: Network) -> None:
    path.unlink(missing_ok=True)
    points = [n.point or (0.0, 0.0) for n in network.nodes]
    _layer(
        path,
        "nodes",
        geometry=shapely.points(points),
        id=[n.id for n in network.nodes],
        kind=[n.kind for n in network.nodes],
    )
    columns = {
        c: [getattr(r, c) for r in network.reaches]
        for c in ("id", "from_node", "to_node", "length_m", "width_m", "kind")
    }
    _layer(
        path, "reaches", geometry=np.array([shapely.LineString(r.line) for r in network.reaches]), **columns
    )
    columns = {c: [getattr(o, c) for o in network.outfalls] for c in ("id", "reach", "chainage_m", "kind")}
    _layer(
        path, "outfalls", geometry=shapely.points([point_of(network, o) for o in network.outfalls]), **columns
    )
    columns = {c: [getattr(s, c) for s in network.stations] for c in ("id", "name", "reach", "chainage_m")}
    _layer(
        path, "stations", geometry=shapely.points([point_of(network, s) for s in network.stations]), **columns
    )


def _layer(path: Path, layer: str, *, geometry: Any, **columns: Sequence[Any]) -> None:
    data = [np.array(v, dtype=object if isinstance(v[0], str) else float) for v in columns.values()]
    kind = "LineString" if layer == "reaches" else "Point"
    pyogrio.raw.write(
        path, shapely.to_wkb(geometry), data, list(columns), layer=layer, driver="GPKG", geometry_type=kind,
        crs="EPSG:4549", append=path.exists(),
    )  # fmt: skip


def _flow_dataset(network: Network, flow: ReachFlow) -> xr.Dataset:
    def held(
        values: Any, dims: tuple[str, str], *, units: str
    ) -> tuple[tuple[str, str], Any, dict[str, str]]:
        return dims, values.astype("float32"), {"units": units}

    by_reach = ("time", "reach")
    hours = np.arange(len(flow.volume))
    since = {"units": f"hours since {local(FLOW_HOUR):%Y-%m-%d %H:%M:%S}", "calendar": "proleptic_gregorian"}
    return xr.Dataset(
        {
            "discharge_start": held(flow.discharge_start, by_reach, units="m3 s-1"),
            "discharge_end": held(flow.discharge_end, by_reach, units="m3 s-1"),
            "volume": held(flow.volume, by_reach, units="m3"),
            "inflow": held(flow.inflow, ("time", "boundary"), units="m3 s-1"),
        },
        {
            "time": ("time", hours, since),
            "reach": [r.id for r in network.reaches],
            "boundary": list(flow.boundaries),
        },
        {"time_bins": "each value is the mean over the hour that begins at time", "timezone": "UTC+08:00"},
    )


def _concentration_dataset(case: Case) -> xr.Dataset:
    places = [(r, c) for r in case.network.reaches for c in range(pieces(r) + 1)]
    values = np.stack([case.concentration(cut_name(r, c)) for r, c in places], axis=1)
    since = {
        "units": f"hours since {local(WINDOW_HOUR):%Y-%m-%d %H:%M:%S}",
        "calendar": "proleptic_gregorian",
    }
    return xr.Dataset(
        {
            "concentration": (("determinand", "place", "time"), values.astype("float32")),
            "reach": ("place", [r.id for r, _ in places]),
            "chainage_m": ("place", [chainage(r, c) for r, c in places]),
        },
        {"determinand": list(DETERMINANDS), "time": ("time", np.arange(values.shape[2]), since)},
    )


def _write_observations(path: Path, case: Case) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("time", "station", "determinand", "value", "unit", "qualifier"))
        ordered = sorted(
            case.readings, key=lambda r: (r[1] != "section", r[1], DETERMINANDS.index(r[2]), r[0])
        )
        for hour, station, determinand, value, qualifier in ordered:
            when = local(WINDOW_HOUR + hour).isoformat() + "+08:00"
            table.writerow((when, station, determinand, f"{value:.4g}", UNITS[determinand], qualifier))


def _write_fingerprints(path: Path) -> None:
    rows = ["kind,determinand,unit,median,log_sd"]
    for kind, medians in LIBRARY.items():
        for name, median, log_sd in zip(DETERMINANDS, medians, LIBRARY_LOG_SD, strict=True):
            rows.append(f"{kind},{name},{UNITS[name]},{median},{log_sd}")
    path.write_text("\n".join(rows) + "\n")


def _truth(case: Case) -> dict[str, Any]:
    pairs = zip(case.culprits, case.rates, case.rises, strict=True)
    return {
        "seed": list(case.seed),
        "family": case.family,
        "decay_per_day": dict(zip(DETERMINANDS, map(float, case.decay), strict=True)),
        "sources": [_source(culprit, rate, rise=rise) for culprit, rate, rise in pairs],
        "stations": [s.id for s in case.network.stations],
        "n_outfalls": len(case.network.outfalls),
        "n_reaches": len(case.network.reaches),
        "flow_error_pct": case.run.flow_error_pct,
        "quality_error_pct": list(case.run.quality_error_pct),
        "noise": {d: {"relative": NOISE[d][0], "absolute": NOISE[d][1]} for d in DETERMINANDS},
    }


def _source(culprit: Culprit, rate: float, *, rise: dict[str, float]) -> dict[str, Any]:
    is_boundary = culprit.kind == "boundary"
    return {
        "kind": culprit.kind,
        "candidate": culprit.candidate,
        "reach": None if is_boundary else culprit.reach,
        "chainage_m": None if is_boundary else culprit.chainage_m,
        "shape": culprit.shape,
        "mass_kg": rate * culprit.span_h * 3.6,
        "start": str(local(culprit.hours[0][0])),
        "end": str(local(culprit.hours[-1][1])),
        "water_kind": culprit.water_kind,
        "ratio_to_nh3n": dict(zip(DETERMINANDS, culprit.ratio, strict=True)),
        "peak_rise_mg_l": rise,
    }
