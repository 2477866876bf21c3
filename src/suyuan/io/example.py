"""A tiny whole project, invented, to be checked by hand: the folder `example` of a new project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.fingerprints import Fingerprints
from suyuan.flow import FlowField
from suyuan.io.fingerprints import write_fingerprints
from suyuan.io.flow import write_flow
from suyuan.io.network_writer import write_network
from suyuan.io.observations import write_observations
from suyuan.network import Line, Network, Node, Outfall, Reach, Station
from suyuan.observations import GOOD, Observations

Array = NDArray[np.float64]

INVENTED = "# Invented example: no real place, no real polluter. 虚构示例：并非真实地点，也无真实排污者。\n"

_START = np.datetime64("2024-07-17T16:00:00")  # 00:00 of 18 July in China
_SINCE = np.datetime64("2024-07-19T16:00:00")
_HOURS = 120
_ZONE = "Asia/Shanghai"
_DISCHARGE = {"R1": 2.4, "R2": 0.8, "R3": 3.2, "R4": 3.2}  # m3/s
_SECTION_AREA = {"R1": 12.0, "R2": 5.0, "R3": 14.0, "R4": 16.0}  # m2
_DISPERSION = 10.0  # m2/s
_DECAY = {"NH3-N": 0.08, "TP": 0.03, "EC": 0.0}  # per day
_LEVEL = {"NH3-N": 0.35, "TP": 0.09, "EC": 420.0}  # background
_DECIMALS = {"NH3-N": 2, "TP": 3, "EC": 0}
_DOMESTIC = {"NH3-N": 25.0, "TP": 3.5, "EC": 500.0}
_INDUSTRIAL = {"NH3-N": 12.0, "TP": 1.0, "EC": 2800.0}
_STORM = {"NH3-N": 2.0, "TP": 0.4, "EC": 60.0}
_AGRICULTURAL = {"NH3-N": 6.0, "TP": 1.8, "EC": 90.0}

_SETTINGS = """[project]
name = "example"
timezone = "Asia/Shanghai"
invented = true

[files]
network = "network.gpkg"
flow = "flow.csv"
observations = "observations.csv"
fingerprints = "fingerprints.csv"

[trace]
determinand = "NH3-N"
since = 2024-07-20T00:00:00+08:00
until = 2024-07-23T00:00:00+08:00

[decay_per_day]
"NH3-N" = 0.08
TP = 0.03
EC = 0.0
"""

_README = """
O2, the outfall of a village on the canal R1, lets in 6 g/s of NH3-N from 01:00 to 05:00 on 21 July (86.4 kg).
At section S1 it passes 3.54 hours later and lifts NH3-N by at most 6 / 3.2 = 1.88 mg/L less 1 % decay.
Does suyuan find it?   suyuan trace .

R1 河边村庄的排口 O2 于 7 月 21 日 1:00 至 5:00 排入氨氮 6 g/s（共 86.4 kg），3.54 小时后经过断面 S1，
氨氮最多升高约 1.88 mg/L。看看 suyuan 能否找到：suyuan trace .
"""


@dataclass(frozen=True)
class _Release:
    """A steady release of NH3-N [g/s], `travel_s` upstream of a station where `discharge` passes."""

    rate: float
    begin: np.datetime64
    end: np.datetime64
    travel_s: float
    spread_s: float
    discharge: float


def write_example(folder: Path) -> None:
    """Write the example into a folder that is there."""
    (folder / "suyuan.toml").write_text(INVENTED + _SETTINGS, "utf-8")
    (folder / "README.txt").write_text(INVENTED + _README, "utf-8")
    network = _network()
    write_network(network, folder / "network.gpkg")
    write_flow(_flow(network), folder / "flow.csv", timezone=_ZONE)
    write_observations(_observations(), folder / "observations.csv", timezone=_ZONE)
    write_fingerprints(_fingerprints(), folder / "fingerprints.csv")
    for name in ("flow.csv", "observations.csv", "fingerprints.csv"):
        text = (folder / name).read_text("utf-8")
        (folder / name).write_text(INVENTED + text, "utf-8")


def _network() -> Network:
    x, y = 500_000.0, 3_500_000.0

    def line(*offsets: tuple[float, float]) -> Line:
        return tuple((x + dx, y + dy) for dx, dy in offsets)

    nodes = (
        Node("B1", "boundary", point=(x, y)),
        Node("B2", "boundary", point=(x + 2900.0, y + 1800.0)),
        Node("J1", point=(x + 3000.0, y)),
        Node("J2", point=(x + 5500.0, y)),
        Node("L1", "outlet", point=(x + 7500.0, y)),
    )
    reaches = (
        Reach(
            "R1", "B1", "J1", 3000.0, width_m=9.0, name="示例河 Example Canal", line=line((0, 0), (3000, 0))
        ),
        Reach(
            "R2", "B2", "J1", 1800.0, width_m=5.0, name="支河 Side Canal", line=line((2900, 1800), (3000, 0))
        ),
        Reach("R3", "J1", "J2", 2500.0, width_m=10.0, line=line((3000, 0), (5500, 0))),
        Reach("R4", "J2", "L1", 2000.0, width_m=11.0, line=line((5500, 0), (7500, 0))),
    )
    outfalls = (
        Outfall("O1", "R1", 800.0, "industrial", "虚构染厂 Dye works"),
        Outfall("O2", "R1", 2200.0, "domestic", "虚构村庄 Village"),
        Outfall("O3", "R2", 900.0, "storm", "雨水口 Storm outfall"),
        Outfall("O4", "R3", 1200.0, "agricultural", "稻田 Paddies"),
    )
    stations = (
        Station("S1", "R3", 2000.0, "断面 Section", target_class="III"),
        Station("S2", "R2", 1500.0, "支河口 Side canal mouth"),
    )
    return Network(nodes, reaches, outfalls, stations, crs="EPSG:4549")


def _flow(network: Network) -> FlowField:
    ids = tuple(r.id for r in network.reaches)
    discharge = np.tile(np.array([_DISCHARGE[i] for i in ids]), (_HOURS, 1))
    volume = np.tile(np.array([_SECTION_AREA[r.id] * r.length_m for r in network.reaches]), (_HOURS, 1))
    inflow = np.tile(np.array([_DISCHARGE["R1"], _DISCHARGE["R2"]]), (_HOURS, 1))
    edges = 3600.0 * np.arange(_HOURS + 1, dtype=np.float64)
    return FlowField(_START, edges, ids, discharge, discharge, volume, ("B1", "B2"), inflow)


def _observations() -> Observations:
    """Return hourly readings at S1, which the release passes, and four-hourly ones at S2."""
    velocity = {reach: q / _SECTION_AREA[reach] for reach, q in _DISCHARGE.items()}
    travel = 800.0 / velocity["R1"] + 2000.0 / velocity["R3"]
    variance = 2.0 * _DISPERSION * (800.0 / velocity["R1"] ** 3 + 2000.0 / velocity["R3"] ** 3)
    begin, end = np.datetime64("2024-07-20T17:00:00"), np.datetime64("2024-07-20T21:00:00")
    release = _Release(6.0, begin, end, travel, float(np.sqrt(variance)), _DISCHARGE["R3"])
    hourly = _SINCE + np.arange(73) * np.timedelta64(3600, "s")
    parts = []
    for station, times in (("S1", hourly), ("S2", hourly[::4])):
        for phase, name in enumerate(_LEVEL):
            value = _background(times, name, phase=phase)
            if station == "S1":
                value = value + _passing(release, times, name=name)
            parts.append((times, station, name, np.round(value, _DECIMALS[name])))
    size = [len(times) for times, *_ in parts]
    empty = np.full(sum(size), "", dtype="<U1")
    return Observations(
        time=np.concatenate([times for times, *_ in parts]),
        station=np.repeat([station for _, station, *_ in parts], size),
        determinand=np.repeat([name for *_, name, _ in parts], size),
        value=np.concatenate([value for *_, value in parts]),
        qualifier=empty,
        flag=np.full(sum(size), GOOD, dtype=np.int8),
        duration_s=np.zeros(sum(size)),
        sample_id=empty,
    )


def _background(times: NDArray[np.datetime64], name: str, *, phase: int) -> Array:
    """Return a background that swings by 4 % over the day, with 2 % of ripple in place of noise."""
    hour = (times - _SINCE) / np.timedelta64(3600, "s")
    swing = 0.04 * np.sin(2.0 * np.pi * (hour + 5.0 * phase) / 24.0)
    ripple = 0.02 * np.sin(2.399963 * hour * (hour + phase))  # golden angle: no visible period
    return np.asarray(_LEVEL[name] * (1.0 + swing + ripple), dtype=float)


def _passing(release: _Release, times: NDArray[np.datetime64], *, name: str) -> Array:
    """Return the rise that a steady release makes downstream [own unit].

    A step spread by dispersion is an error function (Ogata and Banks, 1961, first term); a pulse is two.
    """
    from scipy.special import erf

    rate = release.rate * _DOMESTIC[name] / _DOMESTIC["NH3-N"]
    left = np.exp(-_DECAY[name] / 86_400.0 * release.travel_s)
    since, until = (
        ((times - edge) / np.timedelta64(1, "s") - release.travel_s) / (np.sqrt(2.0) * release.spread_s)
        for edge in (release.begin, release.end)
    )
    return np.asarray(0.5 * left * rate / release.discharge * (erf(since) - erf(until)), dtype=float)


def _fingerprints() -> Fingerprints:
    kinds = {"domestic": _DOMESTIC, "industrial": _INDUSTRIAL, "storm": _STORM, "agricultural": _AGRICULTURAL}
    median = np.array([[row[name] for name in _LEVEL] for row in kinds.values()])
    return Fingerprints(tuple(kinds), tuple(_LEVEL), median, np.full(median.shape, 0.4))
