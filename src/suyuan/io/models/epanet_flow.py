"""EPANET networks: run here, and their pipes, tanks and demands as network and flow (needs the extra `epanet`)."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import FlowField
from suyuan.io.epanet_engine import opened_epanet
from suyuan.io.models.model import STRUCTURE_LENGTH, Model, in_m3_s
from suyuan.io.models.notes import NO_CALENDAR, Note
from suyuan.io.models.steps import even_edges, means_over
from suyuan.io.times import timezone_of, utc_of_datetime
from suyuan.network import Network, Node, NodeKind, Reach, Structure, StructureKind

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

NO_DATE = datetime(2000, 1, 1)
"""The day on which the run of a file begins where nobody says it: EPANET knows hours, not days."""

DAY_S = 86400

_UNITS = ("CFS", "GPM", "MGD", "IMGD", "AFD", "LPS", "LPM", "MLD", "CMH", "CMD")
_US = 5
"""The first so many of EPANET's units of flow go with feet and inches."""

_NODES, _LINKS = 0, 2
_ELEVATION, _INITIAL_LEVEL, _DEMAND, _INITIAL_VOLUME, _TANK_DIAMETER = 0, 8, 9, 14, 17
_DIAMETER, _LENGTH, _FLOW = 0, 1, 8
_DURATION, _HYDRAULIC_STEP, _START_CLOCK = 0, 1, 10
_JUNCTION, _RESERVOIR, _TANK = 0, 1, 2
_CHECK_VALVE, _PIPE, _PUMP = 0, 1, 2
_NO_VALUE = 1e-12
"""Numbers of EPANET's toolkit (Rossman et al., 2020, EPANET 2.2 user manual, programmer's toolkit)."""


@dataclass(frozen=True)
class _Run:
    """What EPANET found: `steps` (step + 1,) [s]; `flow` (step, link) and `demand` (step, node) in the file's unit."""

    steps: Array
    flow: Array
    demand: Array
    warned: tuple[str, ...]


def read_epanet(
    path: str | Path,
    *,
    start: np.datetime64 | None = None,
    timezone: str | tzinfo = UTC,
    hours: float | None = None,
    progress: Progress | None = None,
) -> Model:
    """Return the network of an EPANET file (.inp) and its flow, which EPANET computes here.

    Pipes are reaches that stay full, tanks lakes with their volume at the start, reservoirs boundaries (outlets where they
    gain), pumps and valves reaches of STRUCTURE_LENGTH. Demands leave at their nodes, which are outlets with that inflow,
    negative; a negative demand enters at a boundary. Bins are as long as the file's hydraulic time step; shorter steps of EPANET
    are averaged over them. EPANET has no calendar: the run begins at `start`, datetime64[s] UTC, else on NO_DATE
    as the file's clock shows (Start ClockTime, midnight if left out), which is that of `timezone`. It lasts `hours`, else as long
    as the file says, a day where that is one moment only. The assumption that hurts most: demands are as in the file.
    """
    name = Path(path).name
    with opened_epanet(path) as engine:
        unit = in_m3_s(_UNITS[engine.ENgetflowunits()], source=name)
        metric = engine.ENgetflowunits() >= _US
        written = engine.ENgettimeparam(_DURATION)
        duration = round(3600.0 * hours) if hours else written or DAY_S
        engine.ENsettimeparam(_DURATION, duration)
        bin_s = float(engine.ENgettimeparam(_HYDRAULIC_STEP))
        shown = NO_DATE + timedelta(seconds=engine.ENgettimeparam(_START_CLOCK))
        drawn = _Drawing.of(engine, metric=metric)
        run = _run(engine, duration=duration, progress=progress)
    edges = even_edges(float(run.steps[-1]), bin_s)
    discharge = means_over(edges, run.flow, steps=run.steps) * unit
    demand = means_over(edges, run.demand, steps=run.steps) * unit
    network = drawn.network(demand, source=name)
    flow = _flow(drawn, edges=edges, discharge=discharge, demand=demand, source=name)
    begins = utc_of_datetime(shown, timezone_of(timezone)) if start is None else start
    flow = replace(flow, start=begins.astype("datetime64[s]"))
    moment = [] if written or hours else [Note("one_moment")]
    notes = _notes(drawn, run, shown=shown if start is None else None)
    return Model("EPANET 2.2", network, flow, (*moment, *notes))


def _flow(drawn: _Drawing, *, edges: Array, discharge: Array, demand: Array, source: str) -> FlowField:
    """Return the flow of pipes that stay full; what leaves at the nodes is known."""
    users = drawn.users(demand)
    volume = np.tile(drawn.volume, (len(edges), 1))
    return FlowField(
        np.datetime64(NO_DATE, "s"),
        edges,
        drawn.links,
        discharge,
        discharge.copy(),
        volume,
        tuple(drawn.nodes[i] for i in users),
        -demand[:, users],
        source,
    )


def _notes(drawn: _Drawing, run: _Run, *, shown: datetime | None) -> Iterator[Note]:
    if shown is not None:
        yield Note(NO_CALENDAR, {"begin": f"{shown:%Y-%m-%d %H:%M}"})
    if run.warned:
        yield Note("warned", {"warnings": len(run.warned), "first": run.warned[0]})
    if drawn.devices:
        yield Note("devices", {"devices": len(drawn.devices)})


def _run(engine: Any, *, duration: int, progress: Progress | None) -> _Run:
    """Let EPANET compute its hydraulics, step by step."""
    nodes, links = engine.ENgetcount(_NODES), engine.ENgetcount(_LINKS)
    steps, flow, demand = [0.0], [], []
    engine.ENopenH()
    engine.ENinitH(0)
    left = 1
    while left > 0:
        now = engine.ENrunH()
        flow.append(_values(engine, "EN_getlinkvalue", code=_FLOW, count=links))
        demand.append(_values(engine, "EN_getnodevalue", code=_DEMAND, count=nodes))
        left = engine.ENnextH()
        if left > 0:
            steps.append(float(now + left))
        if progress is not None:
            progress(min(int(now + left), duration), duration)
    engine.ENcloseH()
    kept = slice(0, len(steps) - 1)  # the last moment begins no step
    warned = tuple(str(w) for w in engine.errcodelist)
    return _Run(np.array(steps), np.array(flow)[kept], np.array(demand)[kept], warned)


def _values(engine: Any, function: str, *, code: int, count: int) -> Array:
    """Return one value of every node or link."""
    ask, value = getattr(engine.ENlib, function), ctypes.c_double()
    found = np.empty(count)
    for i in range(count):
        ask(engine._project, i + 1, code, ctypes.byref(value))
        found[i] = value.value
    return found


@dataclass(frozen=True)
class _Drawing:
    """The network as the file has it, in m and m3. `ends` (link, 2) are node positions, `volume` (link,) [m3].

    `diameter` (link,) [m] is NaN for what is no pipe.
    """

    nodes: tuple[str, ...]
    node_type: tuple[int, ...]
    points: tuple[tuple[float, float] | None, ...]
    tank: dict[int, tuple[float, float]]
    links: tuple[str, ...]
    link_type: tuple[int, ...]
    ends: NDArray[np.int64]
    length: Array
    diameter: Array
    volume: Array
    devices: dict[int, StructureKind]

    @classmethod
    def of(cls, engine: Any, *, metric: bool) -> _Drawing:
        """Return what an open EPANET project holds; tanks by position with volume [m3] and area [m2]."""
        foot, inch = (1.0, 1e-3) if metric else (0.3048, 0.0254)
        nodes, links = engine.ENgetcount(_NODES), engine.ENgetcount(_LINKS)
        node_type = tuple(engine.ENgetnodetype(i + 1) for i in range(nodes))
        link_type = tuple(engine.ENgetlinktype(i + 1) for i in range(links))
        is_pipe = np.array(link_type) <= _PIPE
        length = np.where(
            is_pipe, _values(engine, "EN_getlinkvalue", code=_LENGTH, count=links) * foot, STRUCTURE_LENGTH
        )
        diameter = _values(engine, "EN_getlinkvalue", code=_DIAMETER, count=links) * inch
        volume = np.where(is_pipe, 0.25 * np.pi * diameter**2 * length, 0.0)
        kinds: dict[int, StructureKind] = {
            int(i): "pump" if link_type[i] == _PUMP else "gate" for i in np.flatnonzero(~is_pipe)
        }
        return cls(
            tuple(engine.ENgetnodeid(i + 1) for i in range(nodes)),
            node_type,
            tuple(_point(engine, i + 1) for i in range(nodes)),
            {i: _tank(engine, i + 1, foot=foot) for i, t in enumerate(node_type) if t == _TANK},
            tuple(_link_id(engine, i + 1) for i in range(links)),
            link_type,
            np.array([_ends(engine, i + 1) for i in range(links)]),
            length,
            np.where(is_pipe, diameter, np.nan),
            volume,
            kinds,
        )

    def users(self, demand: Array) -> list[int]:
        """Return the junctions that take water from the pipes or give it, ever."""
        used = np.abs(demand).max(axis=0) > _NO_VALUE
        return [int(i) for i in np.flatnonzero(used) if self.node_type[i] == _JUNCTION]

    def network(self, demand: Array, *, source: str) -> Network:
        """Return the network; `demand` (bin, node) [m3/s] says where water leaves."""
        users = set(self.users(demand))
        mean = demand.mean(axis=0)
        nodes = tuple(
            Node(
                name,
                _kind(self.node_type[i], is_user=i in users, demand=float(mean[i])),
                *self.tank.get(i, (0.0, 0.0)),
                self.points[i],
            )
            for i, name in enumerate(self.nodes)
        )
        reaches = tuple(
            Reach(name, self.nodes[a], self.nodes[b], length, "concealed_pipe", 0.25 * math.pi * d, d)
            for name, (a, b), length, d in zip(
                self.links, self.ends, self.length.tolist(), self.diameter.tolist(), strict=True
            )
        )
        structures = tuple(Structure(self.links[i], self.links[i], kind) for i, kind in self.devices.items())
        return Network(nodes, reaches, structures=structures, source=source)


def _kind(node_type: int, *, is_user: bool, demand: float) -> NodeKind:
    """Return what a node is; EPANET's demand of a reservoir is what flows into it."""
    if node_type == _TANK:
        return "lake"
    if node_type == _RESERVOIR or is_user:
        return "outlet" if demand > 0.0 else "boundary"
    return "junction"


def _tank(engine: Any, node: int, *, foot: float) -> tuple[float, float]:
    """Return volume [m3] at the start and area [m2] of a tank."""
    diameter = engine.ENgetnodevalue(node, _TANK_DIAMETER) * foot
    return engine.ENgetnodevalue(node, _INITIAL_VOLUME) * foot**3, 0.25 * float(np.pi) * diameter**2


def _point(engine: Any, node: int) -> tuple[float, float] | None:
    x, y = ctypes.c_double(), ctypes.c_double()
    code = engine.ENlib.EN_getcoord(engine._project, node, ctypes.byref(x), ctypes.byref(y))
    return None if code else (x.value, y.value)


def _link_id(engine: Any, link: int) -> str:
    text = ctypes.create_string_buffer(64)
    engine.ENlib.EN_getlinkid(engine._project, link, ctypes.byref(text))
    return text.value.decode("utf-8")


def _ends(engine: Any, link: int) -> tuple[int, int]:
    a, b = ctypes.c_int(), ctypes.c_int()
    engine.ENlib.EN_getlinknodes(engine._project, link, ctypes.byref(a), ctypes.byref(b))
    return a.value - 1, b.value - 1
