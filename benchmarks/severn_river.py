"""The River Severn below Llanidloes as its record describes it: stations, channel, steady flow, and where a release may be.

What is chosen here, and why, stands in `benchmarks.severn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import FlowField
from suyuan.network import Network, Node, Reach, Station
from suyuan.tracing.prior import Prior
from suyuan.tracing.result import Candidate
from suyuan.transport.matrix import Source

Array = NDArray[np.float64]

TAIL_KM = 14.2
POINT_M = 200.0
HOUR_S = 3600.0
UPPER_REACHES = 3
TIME_ZERO = np.datetime64("2000-01-01T12:00:00")
"""The clock of the record: hour 0 is the release, which the tracer is not told."""


@dataclass(frozen=True)
class Passage:
    """What one station's record holds: the dye's times [h on the record's clock] and peak [g/m3].

    `discharge` [m3/s] is that at the station; `width_m` and `depth_m` hold for the reach that ends there. `arrival_h` is NaN
    where it is not to be trusted.
    """

    km: float
    discharge: float
    arrival_h: float
    peak_h: float
    trailing_h: float
    width_m: float
    depth_m: float
    peak: float

    @property
    def id(self) -> str:
        return f"S{self.km:g}"

    @property
    def first_h(self) -> float:
        """The first of its times that can be trusted [h]."""
        return self.peak_h if np.isnan(self.arrival_h) else self.arrival_h

    @property
    def speed(self) -> float:
        """Mean velocity in the reach that ends at it [m/s]."""
        return self.discharge / (self.width_m * self.depth_m)


def head_km(first: Passage) -> float:
    """Return where the drawn river begins: as far above the release as the first station is below, to the next half km."""
    return -0.5 * float(np.ceil(2.0 * first.km))


def lead_h(first: Passage) -> float:
    """Return how long before its first arrival a release is looked for [h]."""
    return float(np.floor(1000.0 * (first.km - head_km(first)) / (0.5 * first.speed) / HOUR_S))


def river(passages: Sequence[Passage]) -> tuple[Network, FlowField]:
    """Return the river from its head to TAIL_KM as one reach a stretch between stations, and its steady flow."""
    head = head_km(passages[0])
    upper = np.linspace(head, passages[0].km, UPPER_REACHES + 1)[:-1]
    ends = np.array([*upper[1:], *(p.km for p in passages), TAIL_KM])
    begins = np.array([head, *ends[:-1]])
    of_reach = [*[passages[0]] * UPPER_REACHES, *passages[1:], passages[-1]]
    names = [f"R{i}" for i in range(len(ends))]
    kinds = ["boundary"] * len(begins) + ["outlet"]
    nodes = tuple(Node(f"N{i}", kind) for i, kind in enumerate(kinds))
    reaches = tuple(
        Reach(
            name,
            f"N{i}",
            f"N{i + 1}",
            1000.0 * float(ends[i] - begins[i]),
            kind="river",
            width_m=p.width_m,
            depth_m=p.depth_m,
        )
        for i, (name, p) in enumerate(zip(names, of_reach, strict=True))
    )
    last_upper = UPPER_REACHES - 1
    stations = tuple(
        Station(p.id, names[last_upper + i], reaches[last_upper + i].length_m) for i, p in enumerate(passages)
    )
    discharge = np.array([p.discharge for p in of_reach])
    volume = np.array([r.width_m * r.depth_m * r.length_m for r in reaches])
    return Network(nodes, reaches, stations=stations, source="Severn"), _steady(
        passages, names, discharge, volume=volume
    )


def _steady(
    passages: Sequence[Passage], names: Sequence[str], discharge: Array, *, volume: Array
) -> FlowField:
    first, last = window_h(passages)
    hours = int(np.ceil(last - first + 2.0))
    rows = np.tile(discharge, (hours, 1))
    return FlowField(
        start=at_hour(first - 1.0),
        edges=HOUR_S * np.arange(hours + 1.0),
        reaches=tuple(names),
        discharge_start=rows,
        discharge_end=rows,
        volume=np.tile(volume, (hours + 1, 1)),
        boundaries=tuple(f"N{i}" for i in range(len(names))),
        inflow=np.tile(np.diff(discharge, prepend=0.0), (hours, 1)),
        source="Severn",
    )


def window_h(passages: Sequence[Passage]) -> tuple[float, float]:
    return passages[0].first_h - lead_h(passages[0]), max(p.trailing_h for p in passages)


def at_hour(hour: float) -> np.datetime64:
    return TIME_ZERO + np.timedelta64(round(hour * HOUR_S), "s")


def points(network: Network) -> tuple[tuple[Source, ...], Array, Array]:
    """Return places about POINT_M apart along the whole river, their km (point,) and the km of their edges (point + 1,)."""
    km = TAIL_KM - sum(reach.length_m for reach in network.reaches) / 1000.0
    sources, edges = [], [km]
    for reach in network.reaches:
        count = round(reach.length_m / POINT_M)
        middle = (np.arange(count) + 0.5) / count * reach.length_m
        sources += [Source(f"reach:{reach.id}", "reach", reach.id, float(x)) for x in middle]
        edges += list(km + (np.arange(count) + 1.0) / count * reach.length_m / 1000.0)
        km += reach.length_m / 1000.0
    bounds = np.array(edges)
    return tuple(sources), 0.5 * (bounds[1:] + bounds[:-1]), bounds


def prior_of(network: Network) -> Prior:
    """Return a prior in proportion to length."""
    length = np.array([reach.length_m for reach in network.reaches])
    candidates = tuple(Candidate(f"reach:{r.id}", "reach", r.id, float("nan")) for r in network.reaches)
    return Prior(candidates, length / length.sum(), ("",) * len(candidates), (("other", 1.0),))
