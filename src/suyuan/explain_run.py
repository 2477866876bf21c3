"""From a project folder to why a section moved: readings, periods, what else is known, the explanation and its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import clocked, local
from suyuan.errors import InputError
from suyuan.explain.drivers import EVIDENCE, MOST_GAPS, Drivers, Upstream
from suyuan.explain.explanation import FEWEST, Explanation, Periods, explain, readings_of
from suyuan.explain.notes import Note
from suyuan.explain.parts import Releases
from suyuan.explain.table import StationTable, at_times, station_table
from suyuan.explain.water import added_by, discharge_at, travel_hours, wetness
from suyuan.flow import BalancedFlow
from suyuan.given import Given, determinands_of, moment, read_given, window
from suyuan.io.flow_members import read_flow_members
from suyuan.io.rain import read_rain
from suyuan.io.traced import read_traced
from suyuan.network import Station
from suyuan.report import Lang
from suyuan.report.explain_page import explain_dict, write_explanation
from suyuan.report.section_page import PageInfo
from suyuan.run import Progress

Array = NDArray[np.float64]
Times = NDArray[np.datetime64]

HOUR = np.timedelta64(3600, "s")
DEFAULT = np.timedelta64(7 * 86400, "s")
"""The last so many days of readings are asked about where no period is given."""

FLOW_WITHIN_S = 6.0 * 3600.0
ABOVE_WITHIN_S = 12.0 * 3600.0
LAGS_H = range(0, 73, 2)
"""Travel times tried for a station above where no flow tells."""

LEAST_PROBABILITY = 0.05
"""A traced outfall counts from this probability on, each as probable as it is."""


@dataclass(frozen=True)
class ExplainAsk:
    """What the user asks: a station, a period and the one it is held against (both '' for the default), determinands (all
    if empty), a station above (where no network tells), a table of rain."""

    station: str
    since: str = ""
    until: str = ""
    against: str = ""
    determinands: tuple[str, ...] = ()
    upstream: str = ""
    rain: Path | None = None
    seed: int = 1


@dataclass(frozen=True)
class Explained:
    """An explanation with what its page must know."""

    project: str
    zone: tzinfo
    name: str
    explanation: Explanation
    is_invented: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        about = {"project": self.project, "invented": self.is_invented, "name": self.name}
        return {**about, **explain_dict(self.explanation, zone=self.zone)}


def explain_folder(folder: Path, ask: ExplainAsk, *, now: datetime, progress: Progress) -> Explained:
    """Return why a station of the project in `folder` moved in the period asked about."""
    progress("reading the project", 0.0)
    asked = determinands_of(
        ask.determinands,
        unfit=EVIDENCE,
        why="is evidence for what happens to others and is not explained itself",
        remedy="ask about nutrients, oxygen demand, oxygen, turbidity or algae",
    )
    given = read_given(folder, now=now)
    station = given.station(ask.station)
    whole = station_table(given.screened((station,)), (station,))
    for name in asked:
        if name not in whole.determinands:
            raise InputError(
                f"station {station}",
                f"there is no reading of {name}",
                f"there are: {', '.join(whole.determinands)}",
            )
    periods = _periods(given, whole, ask=ask, now=now, asked=asked)
    table = _between(whole, periods.first, last=periods.last)
    progress("what else is known", 0.1)
    drivers = _drivers(given, folder=Path(folder), table=table, ask=ask, station=station)
    progress("parting the change", 0.3)
    rng = np.random.default_rng(ask.seed)
    found = explain(table, drivers, periods=periods, determinands=asked, rng=rng)
    found = replace(found, notes=(*found.notes, *_of_many_flows(given)))
    project = given.project
    return Explained(project.name, project.zone, given.called(station), found, project.is_invented)


def _of_many_flows(given: Given) -> tuple[Note, ...]:
    """Return a note where the project has an ensemble of flows: an explanation is made with one."""
    files = given.project.files
    if given.network is None or not files.flow_members:
        return ()
    count = len(read_flow_members(files.flow_members, timezone=given.zone))
    return (Note("flow_beside_members" if files.flow else "middle_of_members", (str(count),)),)


def write_page(explained: Explained, *, lang: Lang, made: datetime, out: Path) -> tuple[Path, ...]:
    """Write the page, the JSON and the table of an explanation into a folder and return them."""
    zone = explained.zone
    page = PageInfo(explained.project, made.astimezone(zone), lang, explained.is_invented)
    whole = explained.to_dict()
    return write_explanation(
        explained.explanation, explained.name, zone=zone, page=page, whole=whole, out=out
    )


def _between(table: StationTable, first: np.datetime64, *, last: np.datetime64) -> StationTable:
    rows = (table.time >= first) & (table.time <= last)
    return StationTable(
        table.station,
        table.time[rows],
        table.determinands,
        table.value[rows],
        table.is_doubtful[rows],
        table.is_repeat[rows],
    )


def _periods(
    given: Given, table: StationTable, *, ask: ExplainAsk, now: datetime, asked: tuple[str, ...]
) -> Periods:
    """Return the periods; where nothing lies before the one asked about it is held against itself."""
    zone = given.zone
    if not len(table):
        what = "all its readings are missing or flagged as missing"
        raise InputError(f"station {table.station}", what, "name another station, or import its readings")
    last, first = table.time[-1], table.time[0]
    until = ask.until or str(local(np.array([last]), zone)[0])
    latest = min(moment(until, zone, where="--until", is_end=True), last)
    since = ask.since or str(local(np.array([latest - DEFAULT + np.timedelta64(1, "s")]), zone)[0])
    begin, end = window(since, until, zone=zone, now=now)
    inside = int(((table.time >= begin) & (table.time <= end)).sum())
    if inside < FEWEST:
        what = f"{table.station} has {inside} times with readings between {clocked(begin, zone)} and {clocked(end, zone)}"
        remedy = f"at least {FEWEST} are needed; its readings run from {clocked(first, zone)} to {clocked(last, zone)}"
        raise InputError("--since", what, remedy)
    if ask.against:
        halves = ask.against.split("..")
        if len(halves) != 2:
            raise InputError("--against", f"'{ask.against}' is not a period", "write 2024-07-01..2024-07-15")
        against = window(halves[0], halves[1], zone=zone, now=now, where=("--against", "--against"))
        if against[0] <= end and begin <= against[1]:
            raise InputError(
                "--against", f"'{ask.against}' overlaps the period asked about", "name another period"
            )
        return Periods(begin, end, against)
    second = np.timedelta64(1, "s")
    periods = Periods(begin, end, (begin - (end - begin) - second, begin - second))
    names = asked or tuple(name for name in table.determinands if name not in EVIDENCE)
    enough = [min(readings_of(table, name, periods=periods)) >= FEWEST for name in names]
    return periods if any(enough) else Periods(begin, end, None)


def _drivers(given: Given, *, folder: Path, table: StationTable, ask: ExplainAsk, station: str) -> Drivers:
    """Return what else is known at the times of the table, and why the rest is not."""
    clock = local(table.time, given.zone)
    day = clock.astype("datetime64[D]")
    lacking: dict[str, Note] = {}
    flow, place = given.flow(), _place(given, station)
    discharge = None
    if flow is not None and place is not None and given.network is not None:
        discharge = _discharge(given, flow, place=place, time=table.time)
    rain = None
    if ask.rain is not None:
        of_time, fallen = read_rain(ask.rain, given.zone)
        rain = wetness(table.time, of_time, rain_mm=fallen)
        rain[(table.time < of_time[0]) | (table.time > of_time[-1] + np.timedelta64(86400, "s"))] = np.nan
    if discharge is None and rain is None:
        lacking["flow"] = Note("no_flow_no_rain")
    upstream = _upstream(given, flow, table=table, ask=ask, place=place)
    if not upstream:
        lacking["upstream"] = Note("no_upstream" if flow is not None else "no_upstream_no_flow")
    releases = _releases(given, flow, folder=folder, table=table, place=place)
    if isinstance(releases, Note):
        lacking["release"], releases = releases, {}
    return Drivers(
        hour=np.asarray((clock - day) / HOUR, float),
        block=day.astype(np.int64),
        flow=discharge,
        rain=rain,
        upstream=upstream,
        releases=releases,
        lacking=lacking,
    )


def _place(given: Given, station: str) -> Station | None:
    """Return where a station stands, None without a network."""
    return None if given.network is None else given.network.station(station)


def _discharge(given: Given, flow: BalancedFlow, *, place: Station, time: Times) -> Array:
    """Return the discharge at the times, positive the way the water runs on the whole."""
    assert given.network is not None
    of_time, value = discharge_at(given.network, flow, station=place)
    sign = 1.0 if value.mean() >= 0.0 else -1.0
    return at_times(time, of_time, value=sign * value, within_s=FLOW_WITHIN_S)


def _upstream(
    given: Given, flow: BalancedFlow | None, *, table: StationTable, ask: ExplainAsk, place: Station | None
) -> dict[str, Upstream]:
    """Return the readings of the station next above, by determinand, as they arrive."""
    if ask.upstream:
        above = given.station(ask.upstream, where="--upstream")
        if above == table.station:
            what = f"'{ask.upstream}' is the station itself"
            raise InputError("--upstream", what, "name a station above it")
        theirs = station_table(given.screened((above,)), (above,))
        return {
            name: _lagged(table, theirs, name=name)
            for name in theirs.determinands
            if name in table.determinands
        }
    if flow is None or place is None or given.network is None:
        return {}
    found: dict[str, Upstream] = {}
    read = set(given.observations.station.tolist())
    hours = travel_hours(given.network, flow, to=place)
    for above in sorted(
        read & set(hours), key=lambda name: hours[name]
    ):  # of each determinand the nearest that covers it
        if len(found) == len(table.determinands):
            break
        near = station_table(given.screened((above,)), (above,))
        for name in near.determinands:
            value = _arriving(table, near, name=name, lag_h=hours[above])
            if name not in found and _covers(value, table, name=name):
                found[name] = Upstream(above, hours[above], value)
    return found


def _covers(value: Array, table: StationTable, *, name: str) -> bool:
    """Return whether readings from above (time,) are there at nearly all readings of a determinand."""
    own = np.isfinite(table.column(name))
    return bool(own.any()) and float(np.isfinite(value[own]).mean()) >= 1.0 - MOST_GAPS


def _arriving(table: StationTable, above: StationTable, *, name: str, lag_h: float) -> Array:
    """Return the readings of a station above as they come `lag_h` later, at the times of the table."""
    later = above.time + np.timedelta64(round(lag_h * 3600.0), "s")
    return at_times(table.time, later, value=above.good(name), within_s=ABOVE_WITHIN_S)


def _lagged(table: StationTable, above: StationTable, *, name: str) -> Upstream:
    """Return the readings of a station above at the lag at which the two go together best."""
    own, best = table.good(name), (-np.inf, 0.0)
    for lag in LAGS_H:
        value = _arriving(table, above, name=name, lag_h=float(lag))
        both = np.isfinite(own) & np.isfinite(value)
        if both.sum() >= FEWEST and np.ptp(own[both]) > 0.0 and np.ptp(value[both]) > 0.0:
            best = max(best, (float(np.corrcoef(own[both], value[both])[0, 1]), float(lag)))
    value = _arriving(table, above, name=name, lag_h=best[1])
    return Upstream(above.station, best[1], value, tried=len(LAGS_H))


def _releases(
    given: Given, flow: BalancedFlow | None, *, folder: Path, table: StationTable, place: Station | None
) -> Mapping[str, Releases] | Note:
    """Return what the outfalls of the last trace add, where it overlaps; else why not."""
    traced = read_traced(folder / "results")
    if traced is None:
        return Note("no_trace")
    if flow is None or place is None or given.network is None:
        return Note("trace_without_flow")
    if traced.until < table.time[0] or traced.since > table.time[-1]:
        return Note("trace_elsewhere", (clocked(traced.since, given.zone), clocked(traced.until, given.zone)))
    named = [one for one in traced.outfalls if one.probability >= LEAST_PROBABILITY]
    if not named:
        return Note("trace_names_none")
    histories = {one.name: (one.time, one.release) for one in named}
    added = added_by(given.network, flow, station=place, time=table.time, releases=histories)
    kept = [one for one in named if one.name in added and added[one.name].any()]
    if not kept:
        return Note("trace_not_here")
    names = tuple(one.name for one in kept)
    return {
        traced.determinand: Releases(
            names,
            np.stack([added[name] for name in names]),
            np.array([one.probability for one in kept]),
            np.array([one.log_sd for one in kept]),
            tuple(pair for pair in traced.pairs if {*pair[:2]} <= {*names}),
        )
    }
