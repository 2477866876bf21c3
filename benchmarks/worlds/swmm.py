"""Runs EPA SWMM 5.2 (dynamic wave, its own quality routing) on a network cut into pieces of about 100 m."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.worlds.draw import cut_at, pieces
from benchmarks.worlds.style import BEGIN, DETERMINANDS, LAST_HOUR
from benchmarks.worlds.weather import Array, Weather
from suyuan.network import Network, Reach

ROUTING_STEP_S = 20
REPORTS_PER_HOUR = 6
"""With quality, when reports are of the instant; water alone is reported as hourly means."""

SIDE_SLOPE = 1.5
SEWER_SLOPE = 6e-4
SEWER_MOUTH_M = 0.45
"""Height of a sewer's mouth above the lake's mean stage."""

MASS_FACTOR = 1000.0 * 28.316847
"""From g/s to what SWMM takes for a MASS inflow where flows are in m3/s: mg/s times litres per cubic foot
(checked by its own mass balance: what went in is what was asked for)."""


@dataclass(frozen=True)
class Release:
    """Mass let in without water: the node, and hours with rates [g/s] between which nothing is interpolated.

    `shape` holds (begin, end) in hours from the start of SWMM; the rate is 1 g/s inside.
    """

    node: str
    shape: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Run:
    """What SWMM says: `flow`, `volume` (hour, piece) and `concentration` (hour, node, substance) at its end.

    Substances: backgrounds of each determinand, then each release's share of each determinand.
    """

    nodes: dict[str, int]
    links: dict[str, int]
    flow: NDArray[np.float32]
    volume: NDArray[np.float32]
    concentration: NDArray[np.float32]
    flow_error_pct: float
    quality_error_pct: tuple[float, ...]


def node_at(reach: Reach, chainage_m: float) -> str:
    """Return SWMM's name of the cut at a chainage."""
    return cut_name(reach, cut_at(reach, chainage_m))


def cut_name(reach: Reach, cut: int) -> str:
    """Return SWMM's name of a cut; the first and last are the reach's own nodes."""
    if cut == 0:
        return reach.from_node
    return reach.to_node if cut == pieces(reach) else f"{reach.id}_{cut}"


def simulate(
    network: Network,
    weather: Weather,
    *,
    limiter: str,
    releases: Sequence[Release] = (),
    decay: Array | None = None,
) -> Run:
    """Return SWMM's answer; without `decay` (determinand,) [1/day] only the water is routed.

    `limiter` is SWMM's NORMAL_FLOW_LIMITED: its default BOTH makes flat canals slosh (an artefact, seen in
    the shared cases too), FROUDE leaves them calm.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        options = _options(limiter, decay is None)
        sections = [("OPTIONS", options), *_sections(network, weather, releases=releases, decay=decay)]
        (here / "w.inp").write_text(
            "\n".join(f"[{name}]\n" + "\n".join(rows) for name, rows in sections) + "\n"
        )
        _route(here)
        errors = _continuity(here / "w.rpt")
        nodes, links, flow, volume, concentration = _read_out(here / "w.out")
    reports = len(flow) // LAST_HOUR
    flow, volume = (x.reshape(LAST_HOUR, reports, -1).mean(axis=1) for x in (flow, volume))
    return Run(nodes, links, flow, volume, concentration[reports - 1 :: reports], errors[0], errors[1:])


def _route(here: Path) -> None:
    from swmm.toolkit import solver

    solver.swmm_open(*(str(here / f"w.{end}") for end in ("inp", "rpt", "out")))
    solver.swmm_start(1)
    try:
        while solver.swmm_stride(86400) > 0.0:
            pass
    finally:
        solver.swmm_end()
        solver.swmm_close()


def _continuity(report: Path) -> tuple[float, ...]:
    """Return SWMM's continuity errors [%]: flow, then each substance."""
    errors: list[float] = []
    for line in report.read_text(errors="replace").splitlines():
        if "Continuity Error (%)" in line:
            errors += [
                float(x)
                for x in line.replace(".....", " ").split()
                if x.lstrip("-").replace(".", "", 1).isdigit()
            ]
    return tuple(errors)


def _sections(
    network: Network, weather: Weather, *, releases: Sequence[Release], decay: Array | None
) -> Iterator[tuple[str, list[str]]]:
    beds = _beds(network, weather)
    outlet = next(n.id for n in network.nodes if n.kind == "outlet")
    depth = float(weather.stage[0])
    rows = [f"{n} {z:.5f} 12 {max(depth - z, 0.0):.5f} 0 0" for n, z in beds.items() if n != outlet]
    yield "JUNCTIONS", rows
    yield "OUTFALLS", [f"{outlet} 0 TIMESERIES STAGE NO"]
    yield "CONDUITS", _conduits(network, weather, beds=beds)
    yield "XSECTIONS", _cross_sections(network)
    series = {"STAGE": weather.stage, **{f"Q_{n}": q for n, q in weather.inflow.items()}}
    inflows = [f"{n} FLOW Q_{n} FLOW 1 1" for n in weather.inflow]
    if decay is not None:
        yield "POLLUTANTS", _pollutants(weather, releases, decay=decay)
        series |= {f"C{d}_{n}": c[d] for n, c in weather.background.items() for d in range(len(DETERMINANDS))}
        inflows += [
            f"{n} P{d} C{d}_{n} CONCEN 1 1" for n in weather.background for d in range(len(DETERMINANDS))
        ]
        for k, release in enumerate(releases):
            inflows += [
                f"{release.node} R{k}_{d} SHAPE{k} MASS 1 {MASS_FACTOR}" for d in range(len(DETERMINANDS))
            ]
    yield "INFLOWS", inflows
    yield "TIMESERIES", [*_hourly(series), *_shapes(releases if decay is not None else ())]
    averages = "YES" if decay is None else "NO"
    yield (
        "REPORT",
        ["INPUT NO", f"AVERAGES {averages}", "CONTINUITY YES", "FLOWSTATS NO", "NODES ALL", "LINKS ALL"],
    )


def _options(limiter: str, is_water_only: bool) -> list[str]:
    step = "01:00:00" if is_water_only else f"00:{60 // REPORTS_PER_HOUR:02d}:00"
    end = BEGIN + timedelta(hours=LAST_HOUR)
    rows = {
        "FLOW_UNITS": "CMS", "FLOW_ROUTING": "DYNWAVE", "LINK_OFFSETS": "ELEVATION", "MIN_SLOPE": "0",
        "START_DATE": BEGIN.strftime("%m/%d/%Y"), "START_TIME": "00:00:00",
        "REPORT_START_DATE": BEGIN.strftime("%m/%d/%Y"), "REPORT_START_TIME": "00:00:00",
        "END_DATE": end.strftime("%m/%d/%Y"), "END_TIME": "00:00:00",
        "REPORT_STEP": step, "ROUTING_STEP": str(ROUTING_STEP_S),
        "ALLOW_PONDING": "NO", "INERTIAL_DAMPING": "PARTIAL", "NORMAL_FLOW_LIMITED": limiter,
        "VARIABLE_STEP": "0",
        "LENGTHENING_STEP": "0", "MAX_TRIALS": "8", "HEAD_TOLERANCE": "0.0015", "THREADS": "1",
        "IGNORE_RAINFALL": "YES", "IGNORE_QUALITY": "YES" if is_water_only else "NO",
    }  # fmt: skip
    return [f"{key} {value}" for key, value in rows.items()]


def _beds(network: Network, weather: Weather) -> dict[str, float]:
    """Return the bed of every cut [m]: canals lie flat, sewers rise from above the lake's stage."""
    mouth = float(weather.stage.mean()) + SEWER_MOUTH_M
    beds = {n.id: 0.0 for n in network.nodes if not n.id.startswith("S")}
    for reach in network.reaches:  # a sewer is listed from its mouth upwards
        n = pieces(reach)
        if reach.kind == "storm_sewer":
            low = beds[reach.to_node] if reach.to_node.startswith("S") else round(mouth, 2)
            beds[reach.from_node] = low + SEWER_SLOPE * reach.length_m
            beds |= {
                cut_name(reach, c): low + SEWER_SLOPE * reach.length_m * (1 - c / n) for c in range(1, n)
            }
        else:
            beds |= {cut_name(reach, c): 0.0 for c in range(1, n)}
    return beds


def _conduits(network: Network, weather: Weather, *, beds: dict[str, float]) -> list[str]:
    rows = []
    for r, reach in enumerate(network.reaches):
        n = pieces(reach)
        for c in range(n):
            begin, end = cut_name(reach, c), cut_name(reach, c + 1)
            low = beds[end]
            if reach.kind == "storm_sewer" and not end.startswith(("S", "R")):
                low = beds[begin] - SEWER_SLOPE * reach.length_m / n
            rows.append(
                f"{reach.id}.{c} {begin} {end} {reach.length_m / n:.4f} {weather.roughness[r]:.5f} "
                f"{beds[begin]:.5f} {low:.5f} 0 0"
            )
    return rows


def _cross_sections(network: Network) -> list[str]:
    rows = []
    for reach in network.reaches:
        canal = f"TRAPEZOIDAL 6 {reach.width_m} {SIDE_SLOPE} {SIDE_SLOPE}"
        shape = "CIRCULAR 1.0 0 0 0" if reach.kind == "storm_sewer" else canal
        rows += [f"{reach.id}.{c} {shape} 1" for c in range(pieces(reach))]
    return rows


def _pollutants(weather: Weather, releases: Sequence[Release], *, decay: Array) -> list[str]:
    canal = [c for n, c in weather.background.items() if not n.startswith("S")]
    first = np.mean([c[:, :24].mean(axis=1) for c in canal], axis=0)
    rows = [f"P{d} MG/L 0 0 0 {decay[d]:.6f} NO * 0 0 {first[d]:.5f}" for d in range(len(DETERMINANDS))]
    for k in range(len(releases)):
        rows += [f"R{k}_{d} MG/L 0 0 0 {decay[d]:.6f} NO * 0 0 0" for d in range(len(DETERMINANDS))]
    return rows


def _hourly(series: dict[str, Array]) -> Iterator[str]:
    for name, values in series.items():
        yield from (f"{name} {hour} {value:.6g}" for hour, value in enumerate(values))


def _shapes(releases: Sequence[Release]) -> Iterator[str]:
    for k, release in enumerate(releases):
        yield f"SHAPE{k} 0 0"
        for begin, end in release.shape:
            for hour, rate in ((begin - 0.004, 0), (begin + 0.004, 1), (end - 0.004, 1), (end + 0.004, 0)):
                yield f"SHAPE{k} {hour:.4f} {rate}"


def _read_out(path: Path) -> tuple[dict[str, int], dict[str, int], Array, Array, Array]:
    """Return names and results from SWMM's binary output (EPA SWMM 5.2 interface guide)."""
    raw = path.read_bytes()
    names_at, _, results_at, reports = struct.unpack("<4i", raw[-24:-8])
    _, _, _, subcatchments, n_nodes, n_links, n_substances = struct.unpack("<7i", raw[:28])
    names, at = [], names_at
    for _ in range(subcatchments + n_nodes + n_links):
        (size,) = struct.unpack_from("<i", raw, at)
        names.append(raw[at + 4 : at + 4 + size].decode())
        at += 4 + size
    width = n_nodes * (6 + n_substances) + n_links * (5 + n_substances) + 15
    record = np.dtype([("date", "<f8"), ("value", "<f4", (width,))])
    table = np.frombuffer(raw, record, reports, results_at)["value"]
    split = n_nodes * (6 + n_substances)
    node = table[:, :split].reshape(reports, n_nodes, 6 + n_substances)
    link = table[:, split : split + n_links * (5 + n_substances)].reshape(reports, n_links, 5 + n_substances)
    places = {name: i for i, name in enumerate(names[:n_nodes])}
    lines = {name: i for i, name in enumerate(names[n_nodes:])}
    return places, lines, link[:, :, 0].copy(), link[:, :, 3].copy(), node[:, :, 6:].copy()
