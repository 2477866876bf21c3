"""From a project folder to flags: read, check, choose what is asked about, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.asked import instant
from suyuan.clock import iso
from suyuan.errors import InputError, nearest
from suyuan.io.atomic import require_writable
from suyuan.io.network import read_network
from suyuan.io.observations import read_observations
from suyuan.io.project import SETTINGS, Project, read_project
from suyuan.network import Network, Station
from suyuan.observations import Observations
from suyuan.qc import Alarm, Screening, screen
from suyuan.report import Lang
from suyuan.report.quality import QualityInfo, write_quality
from suyuan.run import Progress
from suyuan.substances import determinand


@dataclass(frozen=True)
class QcAsk:
    """What the user asks: which station (id or name), determinands and window, all if empty; `is_parquet` writes Parquet."""

    station: str = ""
    determinands: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    lang: Lang = "zh"
    is_parquet: bool = False


@dataclass(frozen=True)
class Screened:
    """A finished run: what was found in all readings, the rows and alarms that were asked about, and the files written."""

    seen: Screening
    rows: NDArray[np.int64]
    alarms: tuple[Alarm, ...]
    info: QualityInfo
    files: tuple[Path, ...] = ()


def screen_folder(
    folder: Path, ask: QcAsk, *, out: Path | None, now: datetime, progress: Progress
) -> Screened:
    """Check all readings of the project in `folder`, and write those asked about to `out` where it is given.

    All readings take part in what is learnt of a station, whatever the window.
    """
    progress("reading the project", 0.0)
    project = read_project(folder, needs_network=False)
    if out is not None:
        require_writable(out)
    network = read_network(project.files.network) if project.files.network.is_file() else None
    stations = network.stations if network else ()
    observations = _readings(project, network)
    rows = _asked(observations, ask, project=project, stations=stations)
    progress("checking readings", 0.1)
    seen = screen(observations, now=np.datetime64(int(now.timestamp()), "s"))
    is_asked = np.zeros(len(observations), bool)
    is_asked[rows] = True
    alarms = tuple(alarm for alarm in seen.alarms if is_asked[alarm.rows].any())
    names = {station.id: station.name for station in stations}
    info = QualityInfo(
        project.name, project.zone, names, made=now, lang=ask.lang, is_invented=project.is_invented
    )
    found = Screened(seen, rows, alarms, info)
    if out is None:
        return found
    progress("drawing readings", 0.5)
    files = write_quality(seen, alarms, shown=rows, info=info, is_parquet=ask.is_parquet, out=out)
    return replace(found, files=files)


def _readings(project: Project, network: Network | None) -> Observations:
    if not project.files.observations:
        raise InputError(
            SETTINGS, "no observations are named", 'write observations = "observations.csv" under [files]'
        )
    return read_observations(project.files.observations, timezone=project.zone, network=network)


def _asked(
    observations: Observations, ask: QcAsk, *, project: Project, stations: Sequence[Station]
) -> NDArray[np.int64]:
    """Return the rows that were asked about; refuses a question that no reading answers."""
    since, until = (
        instant(text, project.zone, where=where) if text else None
        for text, where in ((ask.since, "--since"), (ask.until, "--until"))
    )
    keep = np.ones(len(observations), bool)
    if ask.station:
        keep &= observations.station == _station(ask.station, observations, stations=stations)
    if ask.determinands:
        keep &= np.isin(observations.determinand, [determinand(name).id for name in ask.determinands])
    if since is not None:
        keep &= observations.time >= since
    if until is not None:
        keep &= observations.time <= until
    if not keep.any():
        first, last = (iso(time, project.zone) for time in (observations.time.min(), observations.time.max()))
        what = "no reading is of this station, these determinands and this window"
        raise InputError(observations.source, what, f"readings run from {first} to {last}; ask for less")
    return np.flatnonzero(keep)


def _station(name: str, observations: Observations, *, stations: Sequence[Station]) -> str:
    """Return the id of the station of this id or name; places along reaches count where readings name them."""
    ids = set(observations.station.tolist())
    named = [station.id for station in stations if station.name == name]
    if name in ids:
        return name
    if len(named) == 1:
        return named[0]
    known = sorted({*ids, *(station.name for station in stations if station.name)})
    raise InputError("STATION", f"'{name}' is not a station with readings", nearest(name, known))
