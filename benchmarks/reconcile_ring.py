"""The SWMM ring of flow_ring as truth for reconciling gauges: hourly mean discharge, stage at full hours, pump and gate logs.

The network that is reconciled has rectangular canals as wide as the true surface at the mean stage, with widths and conveyances
off by the log standard deviations of SURVEY; gauges are wrong as they say. Nothing else of the model is known to the estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import flow_ring
from suyuan.hydraulics.doubts import Errors
from suyuan.hydraulics.gauges import Gauge, Gauges
from suyuan.network import Network, Node, Reach, Structure

Array = NDArray[np.float64]

HOURS, SPIN_UP_H, PER_HOUR = 96, 24, 12
SURVEY = Errors(conveyance=0.10, width=0.05, side_slope=2.0)
"""What a survey of canals leaves: 10 % of conveyance, 5 % of width; banks of 1 : 2 as built."""

DISCHARGE = ("C5", "C10")
"""Where discharge is gauged: of all pairs the posterior of ring 21, which is not among those measured, was least unsure with
these or their neighbours (C4, C10)."""

STAGE = (("OUT", 0.0), ("C1", 0.0))
"""Where stage is gauged: where the canal to the sea leaves the ring, and on the far side."""

RATING, READING, STAGE_SD, PUMP = 0.03, 0.02, 0.01, 0.05
"""Errors: of a rating, of one hour's discharge (share of the record's root mean square), of a stage [m], of a pump's capacity."""


@dataclass(frozen=True)
class Truth:
    """What SWMM says: mean discharge and setting of links (hour, link), head of nodes at full hours (hour + 1, node) [m]."""

    discharge: Mapping[str, Array]
    setting: Mapping[str, Array]
    head: Mapping[str, Array]
    lines: Mapping[str, list[list[str]]]


def truth_of(folder: Path, *, seed: int) -> Truth:
    """Run the ring of a seed and return its water without the spin-up."""
    from swmm.toolkit import output, shared_enum

    path = flow_ring.run_ring(folder, seed=seed, hours=HOURS)
    handle = output.init()
    output.open(handle, str(path.with_suffix(".out")))
    last = output.get_times(handle, shared_enum.Time.NUM_PERIODS) - 1
    nodes, links = output.get_proj_size(handle)[1:3]
    link, node = shared_enum.LinkAttribute, shared_enum.NodeAttribute
    kind = shared_enum.ElementType
    series = {
        what: {
            output.get_elem_name(handle, of, i): np.array(read(handle, i, attribute, 0, last), float)
            for i in range(count)
        }
        for what, of, read, attribute, count in (
            ("flow", kind.LINK, output.get_link_series, link.FLOW_RATE, links),
            ("setting", kind.LINK, output.get_link_series, link.CAPACITY, links),
            ("head", kind.NODE, output.get_node_series, node.HYDRAULIC_HEAD, nodes),
        )
    }
    output.close(handle)
    return Truth(
        {name: _means(values) for name, values in series["flow"].items()},
        {name: _means(values) for name, values in series["setting"].items()},
        {name: values[_first() :: PER_HOUR] for name, values in series["head"].items()},
        _sections(path.read_text("utf-8")),
    )


def _first() -> int:
    """Return the report, counted from 0 at the end of the first step, with which the truth begins."""
    return SPIN_UP_H * PER_HOUR - 1


def _means(values: Array) -> Array:
    """Return hourly means of the line through the reports."""
    middle = 0.5 * (values[1:] + values[:-1])[_first() :]
    return np.asarray(middle[: len(middle) // PER_HOUR * PER_HOUR].reshape(-1, PER_HOUR).mean(axis=1))


def _sections(text: str) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            rows = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith(";"):
            rows.append(line.split())
    return found


def surveyed(truth: Truth, rng: np.random.Generator) -> Network:
    """Return the network as surveyed: widths and conveyances off by the errors of SURVEY."""
    kinds = {"I1": "boundary", "I2": "boundary", "I3": "boundary", "P": "lake", "O": "outlet"}
    nodes = tuple(
        Node(name, kinds.get(name, "junction"), area_m2=flow_ring.POND_AREA_M2 if name == "P" else 0.0)  # type: ignore[arg-type]
        for name in truth.head
    )
    bottom = {row[0]: float(row[3]) for row in truth.lines["XSECTIONS"] if row[1] == "TRAPEZOIDAL"}
    reaches = [_canal(row, truth, bottom=bottom[row[0]], rng=rng) for row in truth.lines["CONDUITS"]]
    gate, pump = truth.lines["ORIFICES"][0], truth.lines["PUMPS"][0]
    reaches.append(Reach("G", gate[1], gate[2], 1.0, width_m=2.5, depth_m=1.0))
    reaches.append(Reach("PU", pump[1], pump[2], 1.0))
    structures = (Structure("gate", "G", "gate"), Structure("pump", "PU", "pump"))
    return Network(nodes, tuple(reaches), structures=structures, source="ring")


def _canal(row: list[str], truth: Truth, *, bottom: float, rng: np.random.Generator) -> Reach:
    """Return a trapezoid of 1 : 2 as a rectangle of the same area, surface and conveyance at mean depth, each a little off."""
    name, begin, end = row[:3]
    deep = 0.5 * float(np.mean(truth.head[begin]) + np.mean(truth.head[end]))
    area, wetted, surface = bottom * deep + 2.0 * deep**2, bottom + 2.0 * deep * 5.0**0.5, bottom + 4.0 * deep
    carried = area * (area / wetted) ** (2.0 / 3.0) / float(row[4])
    width = surface * float(np.exp(SURVEY.width * rng.standard_normal()))
    carried *= float(np.exp(SURVEY.conveyance * rng.standard_normal()))
    depth = area / surface
    rectangle = width * depth * (width * depth / (width + 2.0 * depth)) ** (2.0 / 3.0)
    return Reach(name, begin, end, float(row[3]), width_m=width, depth_m=depth, roughness=rectangle / carried)


def gauged(truth: Truth, network: Network, *, rng: np.random.Generator) -> Gauges:
    """Return two gauges of discharge, two of stage whose datums are not known, the pump's log and the gate's."""
    hours, found = len(truth.setting["G"]), []
    for name in DISCHARGE:
        real, reach = truth.discharge[name], network.reach(name)
        sd = READING * float(np.sqrt(np.mean(real**2)))
        read = real * (1.0 + RATING * rng.standard_normal()) + sd * rng.standard_normal(hours)
        found.append(
            Gauge(name, "discharge", read, np.full(hours, sd), name, 0.5 * reach.length_m, share=RATING)
        )
    for name, chainage in STAGE:
        real = truth.head[network.reach(name).from_node]
        read = real - real.mean() + STAGE_SD * rng.standard_normal(hours + 1)
        found.append(Gauge(name, "stage", read, np.full(hours + 1, STAGE_SD), name, chainage, offset=3.0))
    pumped = truth.discharge["PU"] * (1.0 + PUMP * rng.standard_normal())
    found.append(Gauge("PU", "discharge", pumped, np.full(hours, 0.01), "PU", 0.5, share=PUMP))
    found.append(Gauge("G", "opening", np.clip(truth.setting["G"], 0.0, 1.0), np.ones(hours), "G"))
    start = flow_ring.BEGIN + np.timedelta64(SPIN_UP_H, "h")
    return Gauges(start, np.arange(hours + 1) * 3600.0, tuple(found), source="ring")
