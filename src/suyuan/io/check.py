"""`suyuan check`: every fault of every file of a project at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import Fault, InputError, counted
from suyuan.fingerprints import Fingerprints
from suyuan.flow import FlowField
from suyuan.io import cross_checks, way_checks
from suyuan.io.cross_checks import Found, Readings, tried
from suyuan.io.discharge import read_discharge
from suyuan.io.fingerprints import COLUMNS as FINGERPRINT_COLUMNS
from suyuan.io.fingerprints import read_fingerprints
from suyuan.io.flow import read_flow, unmatched
from suyuan.io.flow_members import closed_members, read_flow_members
from suyuan.io.network import read_network, unused_parts
from suyuan.io.observations import COLUMNS, joined, readings_in
from suyuan.io.project import SETTINGS, Project, project_and_faults
from suyuan.io.tables import read_table
from suyuan.loads.record import Daily
from suyuan.network import Network


@dataclass(frozen=True)
class Check:
    """What was found: `faults` must be mended, `notes` are worth knowing, `summary` says what is there.

    `is_invented` says that the project declares its data invented.
    """

    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...] = ()
    summary: Mapping[str, str] = field(default_factory=dict)
    is_invented: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and texts, for JSON."""
        found = {"faults": self.faults, "notes": self.notes}
        listed = {k: [asdict(f) for f in v] for k, v in found.items()}
        return {"invented": self.is_invented, **listed, "summary": dict(self.summary)}

    def __str__(self) -> str:
        """Return the summary, the notes and the faults, a line each."""
        lines = [f"{name}: {text}" for name, text in self.summary.items()]
        return "\n".join([*lines, *(f"note: {n}" for n in self.notes), *(f"fault: {f}" for f in self.faults)])


def check(folder: str | Path) -> Check:
    """Return every fault of every file of a project, what is odd, and what there is."""
    try:
        project, faults = project_and_faults(folder)
        lenient, others = project_and_faults(folder, needs_network=False)
    except InputError as error:
        return Check(tuple(sorted(error.faults)))
    unread: list[Fault] = []
    if len(others) < len(faults) and lenient.files.flow is None and lenient.files.fingerprints is None:
        faults = others
        remedy = "its sections can be assessed; name a network to trace"
        unread.append(Fault(SETTINGS, 0, "no network is named", remedy))
    network = (
        tried(faults, partial(read_network, project.files.network))
        if project.files.network.is_file()
        else None
    )
    readings = _readings(project, network, faults=faults, unread=unread)
    flow = _flow(project, faults)
    members = _members(project, network, flow=flow, faults=faults)
    prints = _fingerprints(project, faults)
    _check_discharge(project, faults)
    found = [
        Found(notes=unread),
        _alone(project),
        members,
        *_side_by_side(project, network, flow=flow, readings=readings, prints=prints),
    ]
    for each in found:
        faults += each.faults
    notes = [note for each in found for note in each.notes]
    summary = {"project": f"{project.name}, times in {project.timezone}"}
    for each in ([_described(network)] if network else []) + found:
        summary |= dict(each.summary)
    return Check(tuple(sorted(set(faults))), tuple(sorted(set(notes))), summary, project.is_invented)


def _readings(
    project: Project, network: Network | None, *, faults: list[Fault], unread: list[Fault]
) -> Readings | None:
    parts, files, rows = [], [], []
    for path in project.files.observations:
        table = tried(faults, partial(read_table, path, COLUMNS))
        if table is None:
            continue
        unread += [_unused(table.source, f"column '{name}'") for name in table.extra]
        part = tried(faults, partial(readings_in, table, project.zone, network=network))
        if part is not None:
            parts.append(part)
            files.append(np.full(len(part), table.source))
            rows.append(table.row)
    if len(parts) < max(1, len(project.files.observations)):
        return None
    return Readings(joined(parts), np.concatenate(files), np.concatenate(rows))


def _flow(project: Project, faults: list[Fault]) -> FlowField | None:
    path = project.files.flow
    return tried(faults, partial(read_flow, path, timezone=project.zone)) if path else None


def _members(
    project: Project, network: Network | None, *, flow: FlowField | None, faults: list[Fault]
) -> Found:
    """Return what an ensemble of flows says of itself and of the window; its faults are added to the others."""
    paths = project.files.flow_members
    read = partial(read_flow_members, paths, timezone=project.zone, network=network)
    members = tried(faults, read) if paths else None
    if members is None or network is None:
        return Found()
    every = range(len(members))
    close = partial(closed_members, members, network, like=flow, which=every, progress=lambda _: None)
    closed = tried(faults, close)
    if closed is None:
        return Found()
    shares = [each.balance.residual_share for each in closed.values()]
    text = f"{len(closed)}, which miss continuity by {min(shares):.1%} to {max(shares):.1%} before closure"
    summary = {"flow members": text}
    if flow is None:
        window = cross_checks.window(project, members.member(0), readings=None)
        return Found(window.faults, window.notes, summary | dict(window.summary))
    return Found(summary=summary)


def _fingerprints(project: Project, faults: list[Fault]) -> Fingerprints | None:
    path = project.files.fingerprints
    return tried(faults, partial(read_fingerprints, path)) if path else None


def _check_discharge(project: Project, faults: list[Fault]) -> None:
    path = project.files.discharge
    stations = tried(faults, partial(read_discharge, path, project.zone)) if path else None
    for days in (stations or {}).values():
        tried(faults, partial(Daily.of, days.date, days.value, where=path.name if path else ""))


def _alone(project: Project) -> Found:
    """Return what suyuan.toml leaves out and what in the other files is not used."""
    notes = []
    flow = project.files.flow or project.files.flow_members
    for name, path in (("flow", flow), ("observations", project.files.observations)):
        if not path:
            what = f"[files] names no {name}"
            made = ", and 'suyuan flow reconcile' makes it from gauges" if name == "flow" else ""
            notes.append(Fault(SETTINGS, 0, what, f"add it: 'suyuan trace' needs {name}{made}"))
    if not project.trace.determinand:
        notes.append(
            Fault(SETTINGS, 0, "[trace] names no determinand", 'write determinand = "NH3-N" or another')
        )
    if project.trace.since is None or project.trace.until is None:
        notes.append(
            Fault(SETTINGS, 0, "[trace] gives no window", "write since and until, or use --since, --until")
        )
    if not os.access(project.folder, os.W_OK):
        what = "results cannot be written into this folder"
        notes.append(Fault(project.folder.name, 0, what, "name another with --out"))
    return Found(notes=[*notes, *_unread(project)])


def _unread(project: Project) -> Iterator[Fault]:
    """Yield a note for what network and fingerprints hold and suyuan does not read."""
    network, prints = project.files.network, project.files.fingerprints
    if network.is_file():
        names = tried([], partial(unused_parts, network)) or ()
        yield from (_unused(network.name, f"'{name}'") for name in names)
    table = tried([], partial(read_table, prints, FINGERPRINT_COLUMNS)) if prints else None
    if table:
        yield from (_unused(table.source, f"column '{name}'") for name in table.extra)


def _unused(where: str, what: str) -> Fault:
    return Fault(where, 0, f"{what} is not used", "nothing to do; suyuan does not read it")


def _side_by_side(
    project: Project,
    network: Network | None,
    *,
    flow: FlowField | None,
    readings: Readings | None,
    prints: Fingerprints | None,
) -> Iterator[Found]:
    """Yield what files say about each other, as far as they could be read."""
    if readings:
        yield cross_checks.coverage(project, readings, network=network)
        yield cross_checks.doubles(readings)
        yield cross_checks.units(readings)
    if flow:
        yield cross_checks.window(project, flow, readings=readings)
    strangers = unmatched(flow, network) if flow and network else []
    if flow and network:
        yield Found(strangers)
        yield cross_checks.movement(flow, network, readings=readings)
        if not strangers:
            yield cross_checks.water_balance(flow, network)
    if network:
        yield way_checks.gauges(project, network)
        yield way_checks.processes(project, network, flow=None if strangers else flow)
    if prints and network:
        yield cross_checks.library(prints, network, readings=readings)


def _described(network: Network) -> Found:
    length = sum(r.length_m for r in network.reaches) / 1000.0
    text = (
        f"{counted(len(network.reaches), 'reach')} ({length:.1f} km), {counted(len(network.nodes), 'node')}, "
        f"{counted(len(network.outfalls), 'outfall')}, {counted(len(network.stations), 'station')}, "
        f"{network.crs or 'no CRS'}"
    )
    return Found(summary={"network": text})
