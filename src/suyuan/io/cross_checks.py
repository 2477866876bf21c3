"""What can only be seen when files are laid side by side: window, stations, units, doubles, water balance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import clocked
from suyuan.errors import Fault, InputError, counted, nearest
from suyuan.fingerprints import Fingerprints
from suyuan.flow import FlowField, balanced, has_structure
from suyuan.io.project import SETTINGS, Project
from suyuan.network import Network
from suyuan.observations import FAIL, Observations
from suyuan.qc import gross_range, repetition
from suyuan.substances import determinands

T = TypeVar("T")

_STANDING = 1e-6
"""Water that never moves faster than this [m3/s] stands."""

_SHOWN = 20
"""So many rows with the same fault are listed."""

_WRONG_UNIT_RATIO = 300.0
"""Medians this many times apart, with units a factor of 1,000 apart, point to a wrong unit."""

_COMPARED_UNITS = ("mg/L", "uS/cm")


@dataclass(frozen=True)
class Readings:
    """Readings with the file and the row each stands in, (reading,)."""

    observations: Observations
    file: NDArray[np.str_]
    row: NDArray[np.int64]

    def fault(self, i: int, what: str, *, remedy: str) -> Fault:
        """Return a fault of reading `i`."""
        return Fault(str(self.file[i]), int(self.row[i]), what, remedy)


@dataclass(frozen=True)
class Found:
    """Faults, notes (worth knowing, nothing wrong) and lines of a summary."""

    faults: Sequence[Fault] = ()
    notes: Sequence[Fault] = ()
    summary: Mapping[str, str] = field(default_factory=dict)


def tried(faults: list[Fault], read: Callable[[], T]) -> T | None:
    """Return what is read, or None with its faults added to the others."""
    try:
        return read()
    except InputError as error:
        faults += error.faults
        return None


def window(project: Project, flow: FlowField, *, readings: Readings | None) -> Found:
    """Return faults where the flow does not cover the window, or the readings in it with their durations."""
    covers = f"flow covers {clocked(flow.start, project.zone)} to {clocked(flow.until, project.zone)}"
    summary = {"flow": f"{covers.removeprefix('flow covers ')}, {len(flow.edges) - 1} bins"}
    faults = []
    since, until = project.trace.since, project.trace.until
    if since is not None and flow.start > since:
        what = f"{covers} but the window begins at {clocked(since, project.zone)}"
        faults.append(Fault(flow.source, 0, what, f"extend the flow, or move since in {SETTINGS}"))
    if until is not None and flow.until < until:
        what = f"{covers} but the window ends at {clocked(until, project.zone)}"
        faults.append(Fault(flow.source, 0, what, f"extend the flow, or move until in {SETTINGS}"))
    if readings and not faults:
        faults += _beyond(flow, readings, project=project, covers=covers)
    notes = []
    if since is not None and not faults and flow.start == since:
        what = "the flow begins with the window: water that was on its way before is not seen"
        notes.append(Fault(flow.source, 0, what, "let it begin some travel times earlier"))
    return Found(faults, notes, summary)


def _beyond(flow: FlowField, readings: Readings, *, project: Project, covers: str) -> list[Fault]:
    """Return faults where readings that would be traced lie before the flow or after it, or composite samples began before."""
    seen, zone = readings.observations, project.zone
    since, until = project.trace.since, project.trace.until
    used = seen.is_usable & np.array(
        [determinands()[name].is_traceable for name in seen.determinand.tolist()], dtype=bool
    )
    used &= True if since is None else seen.time >= since
    used &= True if until is None else seen.time <= until
    faults = []
    for word, is_out, extreme in (
        ("begin", seen.time < flow.start, np.min),
        ("end", seen.time > flow.until, np.max),
    ):
        if (used & is_out).any():
            what = f"{covers} but readings {word} at {clocked(extreme(seen.time[used]), zone)}"
            remedy = f"extend the flow, or write since and until in {SETTINGS} so that it covers them"
            faults.append(Fault(flow.source, 0, what, remedy))
    begin = seen.time - np.round(seen.duration_s).astype("timedelta64[s]")
    early = np.flatnonzero(used & (begin < flow.start) & (seen.time >= flow.start))
    for i in early[:_SHOWN]:
        what = (
            f"the composite sample of {seen.duration_s[i] / 3600.0:g} h until {clocked(seen.time[i], zone)} "
            f"began at {clocked(begin[i], zone)} but {covers}"
        )
        remedy = (
            f"let the flow begin earlier, correct composite_h, or move since in {SETTINGS} past the sample"
        )
        faults.append(readings.fault(int(i), what, remedy=remedy))
    if len(early) > _SHOWN:
        what = f"{len(early) - _SHOWN:,} more composite samples began before the flow"
        faults.append(Fault(seen.source, 0, what, "let the flow begin earlier"))
    return faults


def coverage(project: Project, readings: Readings, *, network: Network | None) -> Found:
    """Return whether the window holds readings, of what, from which stations, and any above detection."""
    seen, zone = readings.observations, project.zone
    since, until = project.trace.since, project.trace.until
    inside = seen.select(since=since, until=until)
    source = seen.source
    first, last = clocked(seen.time.min(), zone), clocked(seen.time.max(), zone)
    summary = {
        "observations": f"{len(seen):,} readings {first} to {last}, {len(inside):,} of them in the window"
    }
    if not len(inside):
        what = f"no reading lies in the window; they run from {first} to {last}"
        return Found(
            [Fault(source, 0, what, f"correct since and until in {SETTINGS}, or the times")], (), summary
        )
    notes = []
    if len(inside) < len(seen):
        what = (
            f"{len(seen) - len(inside):,} of {len(seen):,} readings lie outside the window and are not used"
        )
        notes.append(Fault(source, 0, what, f"widen since and until in {SETTINGS} to use them"))
    silent = [s.id for s in (network.stations if network else ()) if s.id not in set(inside.station)]
    if silent:
        what = f"no reading in the window from station {', '.join(silent[:8])}"
        notes.append(Fault(source, 0, what, "nothing to do if none was taken"))
    target = _of_target(project, inside)
    return Found(target.faults, [*notes, *target.notes], summary)


def _of_target(project: Project, inside: Observations) -> Found:
    """Return whether the determinand to be traced was read, and above detection."""
    target = project.trace.determinand
    if not target:
        return Found()
    readings = inside.select(determinands=(target,))
    readings = readings.where(np.isfinite(readings.value))
    if not len(readings):
        known = ", ".join(sorted(set(map(str, inside.determinand))))
        what = f"the window holds no reading of {target}, the determinand to be traced"
        return Found([Fault(inside.source, 0, what, f"set determinand in {SETTINGS} to one of: {known}")])
    if (readings.qualifier == "<").all():
        what = f"all {len(readings):,} readings of {target} in the window are below detection"
        remedy = "they can only say who did not do it; use a finer method or another determinand"
        return Found(notes=[Fault(inside.source, 0, what, remedy)])
    return Found()


def doubles(readings: Readings) -> Found:
    """Return a fault for readings that contradict each other, a note for those that are there twice."""
    flags, seen = repetition(readings.observations), readings.observations
    repeated, against = np.flatnonzero(flags == FAIL), np.flatnonzero((flags > 1) & (flags < FAIL))
    faults = []
    names = (seen.station, seen.determinand, seen.time, seen.sample_id)
    pairs: dict[tuple[str, ...], list[int]] = {}
    for i in against:
        pairs.setdefault(tuple(str(name[i]) for name in names), []).append(int(i))
    for (station, name, time, _), rows in list(pairs.items())[:20]:
        values = ", ".join(f"{seen.qualifier[i]}{seen.value[i]:g}" for i in rows[:4])
        what = f"{name} at '{station}' has {len(rows)} different readings ({values}) at {time} UTC"
        remedy = "keep one, or tell replicate samples apart by sample_id"
        faults.append(readings.fault(rows[1], what, remedy=remedy))
    if len(pairs) > 20:
        what = f"{len(pairs) - 20:,} more times have readings that contradict each other"
        faults.append(Fault(seen.source, 0, what, "keep one reading for every station, determinand and time"))
    notes = []
    if len(repeated):
        what = (
            f"{len(repeated):,} readings repeat an earlier one exactly; the repeats are flagged and not used"
        )
        notes.append(readings.fault(int(repeated[0]), what, remedy="nothing to do"))
    return Found(faults, notes)


def units(readings: Readings) -> Found:
    """Return a fault where a station's readings are probably in another unit than is written beside them."""
    seen = readings.observations
    faults, notes = [], []
    impossible = gross_range(seen) == FAIL
    for name in sorted(set(map(str, seen.determinand))):
        medians: dict[str, float] = {}
        first: dict[str, int] = {}
        of_name = (seen.determinand == name) & np.isfinite(seen.value)
        for station in sorted(set(map(str, seen.station[of_name]))):
            rows = np.flatnonzero(of_name & (seen.station == station))
            certain = rows[seen.qualifier[rows] == ""]
            medians[station] = float(np.median(seen.value[certain if len(certain) else rows]))
            first[station] = int(rows[0])
            note = _impossible(readings, rows[impossible[rows]], name=name)
            if note and _is_usual(medians[station], name):
                notes.append(note)
        for station, says in _doubtful(medians, name):
            median = f"{medians[station]:.4g} {determinands()[name].unit}"
            what = f"the median of {name} at '{station}', {median}, {says}"
            remedy = "the unit is probably wrong (ug/L as mg/L, mS/cm as uS/cm); correct the column unit"
            faults.append(readings.fault(first[station], what, remedy=remedy))
    return Found(faults, notes)


def _impossible(readings: Readings, rows: NDArray[np.int64], *, name: str) -> Fault | None:
    if not len(rows):
        return None
    known, i = determinands()[name], int(rows[0])
    value, station = readings.observations.value[i], readings.observations.station[i]
    what = (
        f"{len(rows):,} readings of {name} at '{station}' lie outside {known.lowest:g} to {known.highest:g} "
        f"{known.unit}, first {value:.4g}; they are flagged and not used"
    )
    return readings.fault(i, what, remedy="correct or delete them if they are known to be wrong")


def _is_usual(median: float, name: str) -> bool:
    known = determinands()[name]
    return median == 0.0 or known.usual_lowest <= median <= known.usual_highest


def _doubtful(medians: Mapping[str, float], name: str) -> Iterator[tuple[str, str]]:
    """Yield the stations whose median is out of the usual or far from that of the others, and say it."""
    known = determinands()[name]
    for station, median in medians.items():
        others = [m for s, m in medians.items() if s != station and m > 0.0]
        ratio = median / float(np.median(others)) if others and median > 0.0 else 1.0
        is_far = max(ratio, 1.0 / ratio) > _WRONG_UNIT_RATIO and known.unit in _COMPARED_UNITS
        if not _is_usual(median, name):
            yield station, f"is out of the usual {known.usual_lowest:g} to {known.usual_highest:g}"
        elif is_far and (len(others) > 1 or ratio > 1.0) and all(_is_usual(m, name) for m in others):
            yield station, f"is {ratio:.3g} times that of the other stations"


def movement(flow: FlowField, network: Network, *, readings: Readings | None) -> Found:
    """Return a fault for stations read where water never moves, a note for standing and dry reaches; links are never dry."""
    index = {reach: r for r, reach in enumerate(flow.reaches)}
    fastest = np.max(np.maximum(np.abs(flow.discharge_start), np.abs(flow.discharge_end)), axis=0)
    standing = {reach for reach, r in index.items() if fastest[r] < _STANDING}
    read = set(map(str, readings.observations.station)) if readings else set()
    faults = []
    for station in network.stations:
        if station.reach in standing and station.id in read:
            what = f"station '{station.id}' has readings but its reach '{station.reach}' never flows"
            remedy = (
                "correct the discharge of the reach, put the station on another, or leave its readings out"
            )
            faults.append(Fault(flow.source, 0, what, remedy))
    notes = []
    if standing:
        what = f"{counted(len(standing), 'reach')} without any flow: {_listed(sorted(standing))}"
        notes.append(
            Fault(flow.source, 0, what, "nothing is traced into or out of them; correct the flow if they do")
        )
    links = {
        reach.id for reach, is_built in zip(network.reaches, has_structure(network), strict=True) if is_built
    }
    least, most = flow.volume.min(axis=0), flow.volume.max(axis=0)
    dry = [reach for reach, r in index.items() if least[r] <= 0.0 and (most[r] > 0.0 or reach not in links)]
    if dry:
        what = f"{counted(len(dry), 'reach')} dry for a time: {_listed(dry)}"
        notes.append(
            Fault(flow.source, 0, what, "a film of water is assumed in them; correct the volume if wrong")
        )
    return Found(faults, notes)


def water_balance(flow: FlowField, network: Network) -> Found:
    """Return how far the flow misses continuity; a fault where it is too far to be closed."""
    try:
        balance = balanced(flow, network).balance
    except InputError as error:
        return Found(error.faults)
    worst = int(np.argmax(balance.node_residual))
    text = (
        f"misses continuity by {balance.residual_share:.1%} of the through-flow before closure, most at "
        f"node '{balance.nodes[worst]}' ({balance.node_residual[worst]:.3g} of "
        f"{balance.node_through[worst]:.3g} m3/s), and by {balance.reach_share:.1%} inside the reaches"
    )
    return Found(notes=_gaps(flow), summary={"water balance": text})


def _gaps(flow: FlowField) -> list[Fault]:
    """Return a note for every boundary whose inflow is known in some bins only."""
    notes = []
    for b, name in enumerate(flow.boundaries):
        missing = int(np.isnan(flow.inflow[:, b]).sum())
        if 0 < missing < len(flow.inflow):
            what = f"inflow of '{name}' is missing in {missing:,} of {len(flow.inflow):,} bins"
            remedy = "there it is taken to be what continuity asks for; fill the gap if it was measured"
            notes.append(Fault(flow.source, 0, what, remedy))
    return notes


def library(fingerprints: Fingerprints, network: Network, *, readings: Readings | None) -> Found:
    """Return kinds that no outfall has, outfalls without a fingerprint, determinands that were not read."""
    kinds = {o.kind for o in network.outfalls}
    known = sorted({*("industrial", "domestic", "storm", "agricultural", "aquaculture", "other")})
    ids = [o.id for o in network.outfalls]
    faults = [
        Fault(
            fingerprints.source,
            0,
            f"kind '{k}' is neither a kind of outfall nor an outfall's id",
            nearest(k, known),
        )
        for k in fingerprints.kinds
        if k not in known and k not in ids
    ]
    bare = sorted(str(k) for k in kinds if k not in fingerprints.kinds and k != "other")
    notes = []
    if bare:
        what = f"no fingerprint for outfalls of kind {', '.join(bare)}"
        notes.append(
            Fault(fingerprints.source, 0, what, "they are told apart by time and place only; add rows")
        )
    read = set(map(str, readings.observations.determinand)) if readings else set()
    unread = [d for d in fingerprints.determinands if read and d not in read]
    if unread:
        what = f"fingerprints hold {', '.join(unread)}, of which there is no reading"
        notes.append(Fault(fingerprints.source, 0, what, "nothing to do"))
    untraced = [d for d in fingerprints.determinands if not determinands()[d].is_traceable]
    if untraced:
        what = f"{', '.join(untraced)} do not keep their mass and are not used as fingerprints"
        notes.append(Fault(fingerprints.source, 0, what, "nothing to do"))
    summary = {"fingerprints": f"{len(fingerprints.kinds)} kinds, {', '.join(fingerprints.determinands)}"}
    return Found(faults, notes, summary)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
