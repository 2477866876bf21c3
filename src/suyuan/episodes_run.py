"""From a project folder to the episodes in its readings, each with the command that traces it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import clocked, iso, local
from suyuan.episodes import FEWEST, SIDELESS, Episode, Watched, find_episodes
from suyuan.errors import InputError
from suyuan.explain.table import StationTable, at_times, station_table
from suyuan.explain.water import discharge_at
from suyuan.flow import BalancedFlow
from suyuan.given import Given, determinands_of, read_given, window
from suyuan.report import Lang
from suyuan.report.episodes import EpisodesInfo, Found, write_episodes
from suyuan.report.section_page import PageInfo
from suyuan.run import Progress
from suyuan.substances import determinand

Array = NDArray[np.float64]

BEFORE, AFTER = np.timedelta64(3 * 86400, "s"), np.timedelta64(6 * 3600, "s")
"""A trace looks so far back from the begin of an episode, for water travels for days, and so far beyond its end."""

FLOW_WITHIN_S = 6.0 * 3600.0


@dataclass(frozen=True)
class EpisodesAsk:
    """What the user asks: stations (all if empty), determinands (all that have episodes if empty), and the window from which
    episodes are listed; baselines are learnt from all readings."""

    stations: tuple[str, ...] = ()
    determinands: tuple[str, ...] = ()
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class EpisodesFound:
    """Everything found, with what its page must know; `found` are the episodes in the window, the largest first."""

    project: str
    zone: tzinfo
    info: EpisodesInfo
    found: tuple[Found, ...]
    watched: tuple[Watched, ...]
    is_invented: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        return {
            "project": self.project,
            "invented": self.is_invented,
            "episodes": [_episode_dict(one, self.zone) for one in self.found],
            "watched": [
                {
                    "station": one.station,
                    "determinand": one.determinand,
                    "readings": len(one.time),
                    "months": one.months,
                    "episodes": len(one.episodes),
                    "false_alarms": one.false_alarms,
                    "false_alarms_per_month": one.false_alarm_rate,
                }
                for one in self.watched
            ],
            "not_watched": list(self.info.left_out),
        }


def _episode_dict(one: Found, zone: tzinfo) -> dict[str, Any]:
    episode = one.episode
    return {
        "station": episode.station,
        "determinand": episode.determinand,
        "unit": determinand(episode.determinand).unit,
        "start": iso(episode.start, zone),
        "end": iso(episode.end, zone),
        "hours": episode.hours,
        "peak_time": iso(episode.peak_time, zone),
        "peak": episode.peak,
        "baseline": episode.baseline,
        "score": episode.score,
        "size_unit_hours": episode.size,
        "size_kg": one.mass_kg,
        "readings": episode.readings,
        "suspect": episode.suspect,
        "trace": one.command or None,
    }


def find_in_folder(folder: Path, ask: EpisodesAsk, *, now: datetime, progress: Progress) -> EpisodesFound:
    """Return the episodes in the readings of the project in `folder`."""
    progress("reading the project", 0.0)
    asked = determinands_of(
        ask.determinands,
        unfit=SIDELESS,
        why="may be wrong on either side and has no episodes",
        remedy="ask about nutrients, oxygen, turbidity, conductivity or algae",
    )
    given = read_given(folder, now=now)
    known = tuple(sorted(set(given.observations.station.tolist())))
    stations = tuple(dict.fromkeys(given.station(name) for name in ask.stations)) or known
    flow = given.flow()
    watched: list[Watched] = []
    left_out: list[str] = []
    for k, station in enumerate(stations):
        progress("looking for episodes", 0.1 + 0.8 * k / len(stations))
        table = station_table(given.screened((station,)), (station,))
        for name in asked or tuple(n for n in table.determinands if n not in SIDELESS):
            one = _watch(table, name, zone=given.zone)
            if one is None:
                left_out.append(f"{station} {name}")
            else:
                watched.append(one)
    if not watched:
        what = f"no station has {FEWEST} readings of a determinand"
        raise InputError("--station", what, "a baseline cannot be learnt from fewer: import more readings")
    listed = _listed(given, watched, ask=ask, now=now)
    windows = _windows(listed)
    found = tuple(
        _found(given, flow, episode=one, window=windows[k], folder=folder) for k, one in enumerate(listed)
    )
    names = {station: given.called(station) for station in stations}
    info = EpisodesInfo(names, tuple(left_out))
    return EpisodesFound(
        given.project.name, given.zone, info, found, tuple(watched), given.project.is_invented
    )


def write_found(found: EpisodesFound, *, lang: Lang, made: datetime, out: Path) -> tuple[Path, ...]:
    """Write the page, the JSON and the table of episodes into a folder and return them."""
    page = PageInfo(found.project, made.astimezone(found.zone), lang, found.is_invented)
    return write_episodes(
        (found.found, found.watched), found.info, zone=found.zone, page=page, whole=found.to_dict(), out=out
    )


def _watch(table: StationTable, name: str, *, zone: tzinfo) -> Watched | None:
    """Return what one series shows, None where it has too few readings; those that cannot be are left out."""
    value = table.column(name)
    rows = np.isfinite(value)
    if rows.sum() < FEWEST:
        return None
    time = table.time[rows]
    clock = local(time, zone)
    hour = (clock - clock.astype("datetime64[D]")) / np.timedelta64(3600, "s")
    suspect = table.doubtful(name)[rows]
    return find_episodes(
        time, value[rows], station=table.station, determinand=name, hour=hour, is_suspect=suspect
    )


def _listed(given: Given, watched: list[Watched], *, ask: EpisodesAsk, now: datetime) -> list[Episode]:
    """Return the episodes that touch the window, the highest above its baseline first."""
    zone = given.zone
    first = min(one.time[0] for one in watched)
    last = max(one.time[-1] for one in watched)
    clock = [str(time) for time in local(np.array([first, last]), zone)]
    since, until = window(ask.since or clock[0], ask.until or clock[1], zone=zone, now=now)
    if since > last or until < first:
        what = f"there are no readings between {clocked(since, zone)} and {clocked(until, zone)}"
        remedy = f"they run from {clocked(first, zone)} to {clocked(last, zone)}"
        raise InputError("--since", what, remedy)
    inside = [e for one in watched for e in one.episodes if e.start <= until and e.end >= since]
    return sorted(inside, key=lambda one: -one.score)


def _windows(listed: list[Episode]) -> list[tuple[np.datetime64, np.datetime64]]:
    """Return of each episode the time of all that overlap it or follow within AFTER: one trace is for them all."""
    found: list[tuple[np.datetime64, np.datetime64]] = [(one.start, one.end) for one in listed]
    begun: list[int] = []
    for k in sorted(range(len(listed)), key=lambda k: listed[k].start):
        if begun and listed[k].start <= found[begun[0]][1] + AFTER:
            begun.append(k)
        else:
            begun = [k]
        joined = (found[begun[0]][0], max(found[begun[0]][1], listed[k].end))
        for one in begun:
            found[one] = joined
    return found


def _found(
    given: Given,
    flow: BalancedFlow | None,
    *,
    episode: Episode,
    window: tuple[np.datetime64, np.datetime64],
    folder: Path,
) -> Found:
    """Return an episode with its mass where there is flow, and the command that traces it where it can be traced."""
    mass, command = None, ""
    known = determinand(episode.determinand)
    if known.is_traceable and flow is not None:
        mass = _mass_kg(given, flow, episode=episode) if known.unit == "mg/L" else None
        since, until = max(window[0] - BEFORE, flow.start), window[1] + AFTER
        end = flow.start + np.timedelta64(int(flow.edges[-1]), "s")
        if since < window[1] <= end:
            written = f"--since {iso(since, given.zone)} --until {iso(min(until, end), given.zone)}"
            command = f"suyuan trace {shlex.quote(str(folder))} {written}"
    return Found(episode, mass, command)


def _mass_kg(given: Given, flow: BalancedFlow, *, episode: Episode) -> float | None:
    """Return what an episode carried above its baseline [kg], whichever way it ran: its size times the mean discharge."""
    assert given.network is not None
    place = given.network.station(episode.station)
    time, value = discharge_at(given.network, flow, station=place)
    steps = max(int(episode.hours), 1)
    hours = episode.start + (np.arange(steps + 1) * (episode.hours / steps) * 3600.0).astype("timedelta64[s]")
    there = at_times(hours, time, value=np.abs(value), within_s=FLOW_WITHIN_S)
    if not np.isfinite(there).all():
        return None
    return float(episode.size * there.mean() * 3.6)
