"""From a project folder to the loads of a station: readings and discharge by days, the estimate, what must be known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.given import read_given
from suyuan.io.atomic import require_writable
from suyuan.io.discharge import DISCHARGE, DailyMean, daily_bounds, daily_means, read_discharge, under_names
from suyuan.io.project import Project
from suyuan.loads import Daily, Loads, Samples, rating_loads, weighted_loads
from suyuan.observations import Observations
from suyuan.report import Lang
from suyuan.report.loads import LoadsInfo
from suyuan.report.loads_page import loads_dict, write_loads
from suyuan.run import Progress
from suyuan.substances import determinand

Method = Literal["wrtds", "rating"]


@dataclass(frozen=True)
class LoadsAsk:
    """What the user asks: a station (id or name), a determinand ('' for the project's own), and the method."""

    station: str
    determinand: str = ""
    method: str = "wrtds"
    lang: Lang = "zh"


@dataclass(frozen=True)
class LoadsFound:
    """A finished run: the loads, what must be known of them, and the files written."""

    loads: Loads
    info: LoadsInfo
    files: tuple[Path, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        return loads_dict(self.loads, self.info)


@dataclass(frozen=True)
class _Given:
    project: Project
    observations: Observations
    station: str
    names: tuple[str, ...]


def loads_of_folder(
    folder: Path, ask: LoadsAsk, *, out: Path | None, now: datetime, progress: Progress
) -> LoadsFound:
    """Return the loads of a determinand at a station of the project in `folder`; write them to `out` where it is given."""
    if ask.method not in ("wrtds", "rating"):
        raise InputError("--method", f"'{ask.method}' is not a method", "write wrtds or rating")
    progress("reading the project", 0.0)
    given = _read(folder, ask.station, now=now)
    if out is not None:
        require_writable(out)
    known = _determinand(given, ask.determinand)
    daily = _daily(given)
    samples, without = _samples(given, known, daily=daily)
    progress("fitting regressions", 0.2)
    loads = weighted_loads(samples, daily) if ask.method == "wrtds" else rating_loads(samples, daily)
    info = LoadsInfo(
        project=given.project.name,
        station=given.station,
        determinand=known,
        made=now.astimezone(given.project.zone),
        lang=ask.lang,
        readings_without_discharge=without,
        is_invented=given.project.is_invented,
    )
    if out is None:
        return LoadsFound(loads, info)
    progress("drawing", 0.8)
    return LoadsFound(loads, info, write_loads(loads, info, out=out))


def _read(folder: Path, station: str, *, now: datetime) -> _Given:
    given = read_given(folder, now=now)
    found = given.station(station)
    return _Given(given.project, given.observations.select(stations=(found,)), station, given.names(found))


def _determinand(given: _Given, name: str) -> str:
    """Return the id of the determinand asked for, the project's, or the only one; it must be a mass in water."""
    there = [d for d in np.unique(given.observations.determinand).tolist() if determinand(d).unit == "mg/L"]
    wanted = name or given.project.trace.determinand or (there[0] if len(there) == 1 else "")
    if not wanted:
        what = f"{given.station} has readings of {', '.join(there) or 'no concentration'}"
        raise InputError("--determinand", what, "say of which one the load is asked")
    known = determinand(wanted)
    if known.unit != "mg/L":
        what = f"{known.id} is in {known.unit}, not a mass in water, and has no load"
        raise InputError("--determinand", what, f"choose one of: {', '.join(there)}")
    if known.id not in there:
        what = f"{given.station} has no readings of {known.id}"
        raise InputError("--determinand", what, nearest(known.id, there))
    return known.id


def _daily(given: _Given) -> Daily:
    """Return the daily discharge of the station: from the table that suyuan.toml names, else from readings."""
    project = given.project
    if project.files.discharge is not None:
        days = _tabled(given, project.files.discharge)
        where = project.files.discharge.name
    else:
        flow = given.observations.select(determinands=(DISCHARGE,))
        flow = flow.where(flow.is_usable)
        days, where = daily_means(flow.time, flow.value, zone=project.zone), "discharge"
    if not len(days.date):
        what = f"there is no discharge at {given.station}"
        remedy = (
            f'give readings of determinand {DISCHARGE} at this station, or write discharge = "discharge.csv" under '
            "[files] (columns date, station, discharge)"
        )
        raise InputError(where, what, remedy)
    return Daily.of(days.date, days.value, where=where)


def _tabled(given: _Given, path: Path) -> DailyMean:
    """Return the discharge of a table under all names of the station."""
    tables = read_discharge(path, given.project.zone)
    own = under_names(tables, given.names)
    if not len(own.date):
        what = f"there is no discharge of station '{given.station}'"
        raise InputError(path.name, what, nearest(given.station, [name for name in tables if name]))
    return own


def _samples(given: _Given, known: str, *, daily: Daily) -> tuple[Samples, int]:
    """Return daily readings with a discharge, and how many days with readings have none."""
    readings = given.observations.select(determinands=(known,))
    readings = readings.where(readings.is_usable)
    _require_positive(readings, known)
    low, high = daily_bounds(readings, zone=given.project.zone)
    samples = Samples.of(low.date, low=low.value, high=high.value, daily=daily)
    without = len(low.date) - len(samples)
    if without > len(samples):
        what = (
            f"{without} of {len(low.date)} days with {known} have no discharge: it is given from {daily.date[0]} to "
            f"{daily.date[-1]}, readings from {low.date[0]} to {low.date[-1]}"
        )
        raise InputError(DISCHARGE, what, "give discharge for the days of the readings")
    return samples, without


def _require_positive(readings: Observations, known: str) -> None:
    wrong: NDArray[np.int64] = np.flatnonzero(~(readings.value > 0.0))
    if len(wrong):
        what = f"{len(wrong)} readings of {known} are 0 or less, the first at {readings.time[wrong[0]]} UTC"
        raise InputError(
            readings.source, what, "write what is below detection as < and its limit, such as <0.02"
        )
