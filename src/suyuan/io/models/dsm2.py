"""DSM2-HYDRO tidefiles (HDF5) and input tables: the channels, reservoirs, gates and exports of a delta."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.models.chains import Chain, Known, joined, kind_of_end
from suyuan.io.models.dsm2_tables import FOOT, Tables, tables_of_tidefile
from suyuan.io.models.hdf5 import opened_hdf5, text_of
from suyuan.io.models.instants import hec_time, instants
from suyuan.io.models.model import STRUCTURE_LENGTH, Model
from suyuan.io.models.notes import Note
from suyuan.io.times import timezone_of
from suyuan.network import Node, Reach, Structure

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

PACIFIC = timezone(timedelta(hours=-8))
"""DSM2's studies of the Delta are in Pacific Standard Time all year (DWR, DSM2 user guide)."""

CFS = FOOT**3
_INTERVAL = re.compile(r"(\d+)\s*(min|hour|day)", re.IGNORECASE)
_SECONDS = {"min": 60.0, "hour": 3600.0, "day": 86400.0}


def read_dsm2(
    path: str | Path, *, timezone: str | tzinfo = PACIFIC, progress: Progress | None = None
) -> Model:
    """Return network and flow of a DSM2-HYDRO tidefile (.h5), in m and s; DSM2 counts in feet and cfs.

    Channels become reaches under their numbers: 'channel flow' at both ends is the mean over an interval, the volume 'channel
    avg area' times length, at its end. Reservoirs are lakes, joined to their nodes by reaches of STRUCTURE_LENGTH; external flows
    (`qext`) enter or leave at their nodes, those of a reservoir at a node of its own beside it; transfers are pumps. Whether a
    row of flow is the interval before or after its volume, and which sign leaves a reservoir, is taken from continuity. Times
    are in `timezone`. The assumption that hurts most: reservoirs keep the area of the input.
    """
    name = Path(path).name
    with opened_hdf5(path, made_by="DSM2") as data:
        if "hydro/data/channel flow" not in data:
            has = "is a tidefile of QUAL or GTM" if "output" in data else "is no tidefile of DSM2-HYDRO"
            what = "holds geometry only, no channel flow" if "hydro/geometry" in data else has
            raise InputError(name, what, "give the .h5 that HYDRO writes under IO_FILE hdf5")
        tables = tables_of_tidefile(data, name)
        record = _Record.of(data, tables, zone=timezone_of(timezone))
    if progress is not None:
        progress(1, 2)
    model = _model(tables, record)
    if progress is not None:
        progress(2, 2)
    return model


@dataclass(frozen=True)
class _Record:
    """What a tidefile says over time, in m and s: volumes (bin + 1, ...) at the edges of bins, flows (bin, ...) means.

    `flow` (bin, channel, 2); `storage` (bin + 1, reservoir); `exchange` (bin, connection) is positive out of the reservoir.
    """

    start: np.datetime64
    edges: Array
    flow: Array
    volume: Array
    storage: Array
    exchange: Array
    outside: Array
    transfer: Array
    is_late: bool

    @classmethod
    def of(cls, data: Any, tables: Tables, *, zone: tzinfo) -> _Record:
        """Return the record of an open tidefile, cut to the intervals whose two volumes are known."""
        source, channels = tables.source, len(tables.channels)
        flow = _series(data, "channel flow", shape=(channels, 2), source=source) * CFS
        steps = len(flow)
        length = np.array([c.length_m for c in tables.channels])
        area = _series(data, "channel avg area", shape=(channels,), source=source, steps=steps)
        volume = area * FOOT**2 * length
        start, edges = _edges(data["hydro/data/channel flow"], steps, zone=zone, source=source)
        seconds = float(edges[1])
        height = (
            _others(data, "reservoir height", count=len(tables.reservoirs), steps=steps, source=source) * FOOT
        )
        storage = (height - tables.bottoms()) * tables.areas()
        exchange, outside, transfer = (
            _others(data, what, count=count, steps=steps, source=source) * CFS
            for what, count in (
                ("reservoir flow", len(tables.connections)),
                ("qext flow", len(tables.outside)),
                ("transfer flow", len(tables.transfers)),
            )
        )
        storing = np.diff(volume, axis=0) / seconds
        missed = [np.abs(flow[rows, :, 0] - flow[rows, :, 1] - storing).sum() for rows in _ROWS]
        is_late = bool(missed[1] <= missed[0])
        rows = _ROWS[is_late]
        out = _leaving(tables, storage, exchange=exchange[rows], outside=outside[rows], seconds=seconds)
        return cls(start, edges, flow[rows], volume, storage, out, outside[rows], transfer[rows], is_late)


_ROWS = (slice(None, -1), slice(1, None))
"""Which rows of flow belong to the intervals between volumes: those of the volume before, or of the one behind."""


def _leaving(tables: Tables, storage: Array, *, exchange: Array, outside: Array, seconds: float) -> Array:
    """Return the exchange of reservoirs, positive outwards: the sign that misses their continuity less."""
    if not exchange.size:
        return exchange
    gained = np.zeros((len(exchange), len(tables.reservoirs)))
    for column, (reservoir, _) in enumerate(tables.connections):
        gained[:, tables.reservoir_index(reservoir)] += exchange[:, column]
    entering = np.zeros_like(gained)
    for column, (_, at) in enumerate(tables.outside):
        if tables.is_reservoir(at):
            entering[:, tables.reservoir_index(at)] += outside[:, column]
    rising = np.diff(storage, axis=0) / seconds - entering
    return exchange if np.abs(rising + gained).sum() <= np.abs(rising - gained).sum() else -exchange


def _series(data: Any, name: str, *, shape: tuple[int, ...], source: str, steps: int | None = None) -> Array:
    """Return a record (interval, ...); raises InputError where it is missing or does not fit the tables."""
    if f"hydro/data/{name}" not in data:
        raise InputError(source, f"there is no '{name}' in it", "run HYDRO again with a whole tidefile")
    values = np.asarray(data[f"hydro/data/{name}"][:], dtype=float)
    if values.shape[1:] != shape or (steps is not None and len(values) != steps):
        what = f"'{name}' has the shape {values.shape}, expected (time, {', '.join(map(str, shape))})"
        raise InputError(source, what, "the file may be half-written; run HYDRO again")
    return values


def _others(data: Any, name: str, *, count: int, steps: int, source: str) -> Array:
    """Return a record (interval, count) of things a model may have none of: DSM2 then writes one empty column."""
    if not count:
        return np.zeros((steps, 0))
    return _series(data, name, shape=(count,), source=source, steps=steps)


def _edges(flow: Any, steps: int, *, zone: tzinfo, source: str) -> tuple[np.datetime64, Array]:
    """Return the time of the first row, UTC, and the edges of the bins between rows [s]."""
    if "start_time" not in flow.attrs or "interval" not in flow.attrs:
        raise InputError(source, "'channel flow' says no start_time and interval", "run HYDRO again")
    text, found = text_of(flow.attrs["start_time"]), _INTERVAL.search(text_of(flow.attrs["interval"]))
    if found is None:
        what = f"interval '{text_of(flow.attrs['interval'])}' is not understood"
        raise InputError(source, what, "DSM2 writes it as 15min or 1hour")
    step = float(found[1]) * _SECONDS[found[2].lower()]
    try:
        first = datetime.fromisoformat(text)
    except ValueError:
        first = hec_time(text, source=source)
    return instants([first + timedelta(seconds=step * i) for i in range(steps)], zone, source=source)


def _model(tables: Tables, record: _Record) -> Model:
    chains = [*_channels(tables, record), *_links(tables, record)]
    lakes = tuple(
        Node(r.name, "lake", float(record.storage[0, i]), r.area_m2) for i, r in enumerate(tables.reservoirs)
    )
    dry = [lake for lake in lakes if not lake.volume_m3 > 0.0]
    if dry:
        what = f"reservoir '{dry[0].id}' holds {dry[0].volume_m3:.4g} m3 at the start"
        raise InputError(tables.source, what, "its stage must lie above bot_elev; check the input")
    given = _given(tables, record)
    users = tuple(Node(name, kind_of_end(q)) for name, q in given.items())
    stages = tuple(Node(name, "outlet") for name in tables.stages if name not in given)
    known = Known(tables.source, nodes=(*lakes, *users, *stages), structures=_gates(tables, record))
    points = {name: None for c in chains for name in (c.reach.from_node, c.reach.to_node)}
    found = joined(chains, points, start=record.start, edges=record.edges, known=known)
    inside = {n.id for n in found.network.nodes}
    kept = [name for name in given if name in inside]
    inflow = np.column_stack([given[n] for n in kept]) if kept else np.empty((0, 0))
    flow = replace(found.flow, boundaries=tuple(kept), inflow=inflow)
    return Model("DSM2-HYDRO", found.network, flow, (*found.notes, *_notes(tables, record)))


def _channels(tables: Tables, record: _Record) -> Iterator[Chain]:
    """Yield the channels: a face at each end, the water between."""
    nothing = np.zeros(len(record.edges))
    for i, channel in enumerate(tables.channels):
        held = np.column_stack([nothing, record.volume[:, i], nothing])
        middle = np.array([0.5 * channel.length_m])
        yield Chain(channel, record.flow[:, i], held, middle, (f"{channel.id}~",))


def _links(tables: Tables, record: _Record) -> Iterator[Chain]:
    """Yield reaches without water: between reservoirs and nodes, from reservoirs outside, and transfers."""
    for column, (reservoir, node) in enumerate(tables.connections):
        yield _link(f"{reservoir}-{node}", (reservoir, node), q=record.exchange[:, column])
    for reservoir, q in _outside_of_reservoirs(tables, record).items():
        yield _link(f"{reservoir}-outside", (f"{reservoir}~outside", reservoir), q=q)
    for column, (name, a, b) in enumerate(tables.transfers):
        yield _link(name, (a, b), q=record.transfer[:, column])


def _link(name: str, ends: tuple[str, str], *, q: Array) -> Chain:
    reach = Reach(name, *ends, STRUCTURE_LENGTH, "canal")
    return Chain(reach, q[:, None], np.zeros((len(q) + 1, 2)), np.empty(0), ())


def _outside_of_reservoirs(tables: Tables, record: _Record) -> dict[str, Array]:
    """Return what enters reservoirs from outside (bin,) [m3/s]."""
    found: dict[str, Array] = {}
    for column, (_, at) in enumerate(tables.outside):
        if tables.is_reservoir(at) and record.outside[:, column].any():
            found[at] = found.get(at, 0.0) + record.outside[:, column]
    return found


def _given(tables: Tables, record: _Record) -> dict[str, Array]:
    """Return the known inflow (bin,) [m3/s] of every node that external flows are attached to."""
    found = {f"{name}~outside": q for name, q in _outside_of_reservoirs(tables, record).items()}
    for column, (_, at) in enumerate(tables.outside):
        q = record.outside[:, column]
        if not tables.is_reservoir(at) and at not in tables.stages and q.any():
            found[at] = found.get(at, np.zeros(len(q))) + q
    return {name: q for name, q in found.items() if q.any()}


def _gates(tables: Tables, record: _Record) -> tuple[Structure, ...]:
    """Return a structure for every link that holds no water, and the gates on channels."""
    names = [f"{r}-{n}" for r, n in tables.connections]
    names += [f"{r}-outside" for r in _outside_of_reservoirs(tables, record)]
    links = tuple(Structure(name, name, "gate") for name in names)
    pumps = tuple(Structure(name, name, "pump") for name, _, _ in tables.transfers)
    return (*(Structure(name, reach, "gate") for name, reach in tables.gates), *links, *pumps)


def _notes(tables: Tables, record: _Record) -> Iterator[Note]:
    if tables.gates:
        yield Note("gates", {"gates": len(tables.gates)})
    yield Note("rows_before" if record.is_late else "rows_after")
