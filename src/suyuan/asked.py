"""What the user asks of a run, and what of the project's readings and substances answers to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

import numpy as np

from suyuan.clock import iso
from suyuan.errors import InputError, nearest
from suyuan.io.project import Project
from suyuan.io.times import instant_of
from suyuan.limits import left_outside, refuse_empty, window_before
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.report import Lang
from suyuan.substances import Substance, determinand
from suyuan.tracing.statements import Note
from suyuan.workers import Workers


@dataclass(frozen=True)
class Ask:
    """What the user asks of a run; what is empty is taken from suyuan.toml.

    `stations` are ids or names, `determinands` any known names. `since` and `until` are ISO 8601, without an
    offset in the project's zone. `keeps_rows` keeps rows of the matrices beside the results and uses
    those that earlier runs kept. `workers` are a number of processes or the address of a scheduler.
    """

    stations: tuple[str, ...] = ()
    determinands: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    seed: int = 1
    lang: Lang = "zh"
    keeps_rows: bool = False
    workers: str = ""

    def __post_init__(self) -> None:
        """Refuse workers that there cannot be."""
        Workers.of(self.workers)


def instant(text: str, zone: tzinfo, *, where: str) -> np.datetime64:
    """Return an ISO 8601 time in UTC, datetime64[s]; one without an offset is in `zone`.

    >>> from suyuan.io.times import timezone_of
    >>> instant("2024-07-20 08:00", timezone_of("Asia/Shanghai"), where="--since")
    np.datetime64('2024-07-20T00:00:00')
    """
    found = instant_of(text, zone, is_end=where == "--until")
    if found is None:
        remedy = "write 2024-07-20T08:00 or 2024-07-20T08:00+08:00, with a time of day"
        raise InputError(where, f"'{text}' is not a time", remedy)
    return found


class Chosen(NamedTuple):
    """The readings that a run uses, in which window, of which substances; `notes` say what was left out."""

    observations: Observations
    span: tuple[np.datetime64, np.datetime64]
    substances: tuple[Substance, ...]
    notes: tuple[Note, ...]


def chosen(
    project: Project, ask: Ask, *, network: Network, everything: Observations, now: np.datetime64 | None
) -> Chosen:
    """Return what is asked for, up to `now` if given; there must be some."""
    whole = window(project, ask, observations=everything)
    span = window_before(now, whole, zone=project.zone)
    substances = substances_to_trace(project, ask, observations=everything)
    stations = tuple(network.station(name).id for name in ask.stations) or None
    names = tuple(s.determinand.id for s in substances)
    known = everything.select(stations=stations, determinands=names, until=now)
    chosen = known.select(since=span[0], until=span[1])
    refuse_empty(everything, chosen, window=span, zone=project.zone)
    return Chosen(chosen, span, substances, left_outside(known, whole, zone=project.zone))


def substances_to_trace(project: Project, ask: Ask, *, observations: Observations) -> tuple[Substance, ...]:
    """Return what is traced, first the determinand whose mass is reported: as asked, else all there are."""
    measured = list(dict.fromkeys(observations.determinand.tolist()))
    asked = list(dict.fromkeys(determinand(name).id for name in ask.determinands))
    for name in asked:
        if name not in measured:
            raise InputError(observations.source, f"there is no reading of '{name}'", nearest(name, measured))
    kept = [name for name in asked or measured if determinand(name).is_traceable]
    if not kept:
        what = f"none of {', '.join(asked or measured)} keeps its mass in the water and can be traced"
        raise InputError(observations.source, what, "name another --determinand")
    first = project.trace.determinand if project.trace.determinand in kept else kept[0]
    if project.trace.determinand and not asked and first != project.trace.determinand:
        what = f"there is no reading of '{project.trace.determinand}', which [trace] wants traced"
        raise InputError(observations.source, what, nearest(project.trace.determinand, measured))
    ordered = [first, *(name for name in kept if name != first)]
    return tuple(project.processes.substance(name, project.decay_per_day.get(name, 0.0)) for name in ordered)


def window(project: Project, ask: Ask, *, observations: Observations) -> tuple[np.datetime64, np.datetime64]:
    """Return the window to search, both ends included [UTC]: as asked, else as the project says."""
    since = instant(ask.since, project.zone, where="--since") if ask.since else project.trace.since
    until = instant(ask.until, project.zone, where="--until") if ask.until else project.trace.until
    read = observations.time[observations.is_usable] if observations.is_usable.any() else observations.time
    first = read.min() if since is None else since
    last = read.max() if until is None else until
    if first >= last:
        what = (
            f"the window ends at {iso(last, project.zone)}, not after its begin at {iso(first, project.zone)}"
        )
        raise InputError(observations.source, what, "write the later time as until")
    return first, last
