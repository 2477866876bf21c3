"""What a project gives the verbs that look at one station: readings with flags, under one name a station."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np

from suyuan.clock import clocked
from suyuan.errors import InputError, nearest
from suyuan.flow import BalancedFlow, balanced
from suyuan.io.flow import read_flow
from suyuan.io.flow_members import middle_member, read_flow_members
from suyuan.io.network import read_network
from suyuan.io.observations import read_observations, require_past
from suyuan.io.project import SETTINGS, Project, read_project
from suyuan.io.times import instant_of, utc_of_datetime
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.qc import screen
from suyuan.substances import determinand

_DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")


@dataclass(frozen=True)
class Given:
    """A project, its network where it has one, and all readings, flagged as their source flags them."""

    project: Project
    network: Network | None
    observations: Observations

    @property
    def zone(self) -> tzinfo:
        """The project's zone."""
        return self.project.zone

    def flow(self) -> BalancedFlow | None:
        """Return the best guess of the flow, closed: the flow named, else the member in the middle of those named, else None."""
        files = self.project.files
        if self.network is None or not (files.flow or files.flow_members):
            return None
        if files.flow is not None:
            return balanced(read_flow(files.flow, timezone=self.zone), self.network)
        members = read_flow_members(files.flow_members, timezone=self.zone, network=self.network)
        return middle_member(members, self.network)[1]

    def station(self, name: str, *, where: str = "STATION") -> str:
        """Return the id of the station that goes by this id, name or other name and has readings."""
        known = set(self.observations.station.tolist())
        own = next((s.station for s in self.project.sections if name in (s.station, *s.other_names)), None)
        named = [s.id for s in self.network.stations if name == s.name] if self.network else []
        if name not in known and own is None and len(named) > 1:
            raise InputError(where, f"'{name}' is the name of {' and '.join(named)}", "write the id of one")
        for found in (name, own, *named):
            if found in known:
                return str(found)
        others = [s.name for s in self.network.stations if s.name] if self.network else []
        raise InputError(
            where, f"'{name}' is not a station with readings", nearest(name, sorted({*known, *others}))
        )

    def names(self, station: str) -> tuple[str, ...]:
        """Return the id of a station with every name under which it, and no other, may stand in a table."""
        called = Counter(one.name for one in self.network.stations) if self.network else Counter()
        stations = self.network.stations if self.network else ()
        own = {station, *(s.name for s in stations if s.id == station and s.name and called[s.name] == 1)}
        sections = ((s.station, *s.other_names) for s in self.project.sections)
        others = (name for names in sections if own & set(names) for name in names)
        return tuple(dict.fromkeys((station, *sorted(own), *others)))

    def screened(self, stations: tuple[str, ...]) -> Observations:
        """Return the readings of some stations, flagged by every check."""
        return screen(self.observations.select(stations=stations)).observations

    def called(self, station: str) -> str:
        """Return what a station is called."""
        named = (s.name for s in self.network.stations if s.id == station) if self.network else iter(())
        return next(named, "") or station


def read_given(folder: Path, *, now: datetime) -> Given:
    """Return a project with its readings, each section under its own name; refuses readings from the future."""
    project = read_project(folder, needs_network=False)
    if not project.files.observations:
        remedy = (
            "write observations = \"file\" under [files], or run 'suyuan import readings FILE --to FOLDER'"
        )
        raise InputError(SETTINGS, "no readings are named", remedy)
    network = read_network(project.files.network) if project.files.network.is_file() else None
    readings = read_observations(project.files.observations, timezone=project.zone, network=network)
    require_past(readings, now, zone=project.zone)
    return Given(project, network, _named_once(readings, project))


def _named_once(readings: Observations, project: Project) -> Observations:
    """Return readings with each section under its own name."""
    other = {name: s.station for s in project.sections for name in s.other_names}
    present = set(readings.station.tolist())
    other = {name: own for name, own in other.items() if name in present}
    if not other:
        return readings
    station = np.array([other.get(str(name), str(name)) for name in readings.station], dtype=np.str_)
    return replace(readings, station=station)


def moment(text: str, zone: tzinfo, *, where: str, is_end: bool = False) -> np.datetime64:
    """Return a written time in UTC; a day alone is its first second, or as an end its last.

    >>> from suyuan.io.times import timezone_of
    >>> moment("2021-04-05", timezone_of("Asia/Shanghai"), where="--until", is_end=True)
    np.datetime64('2021-04-05T15:59:59')
    """
    text = text.strip()
    found = instant_of(text, zone)
    if found is None:
        raise InputError(where, f"'{text}' is not a time", "write 2024-07-20, or 2024-07-20T08:00+08:00")
    if not (is_end and _DAY.fullmatch(text)):
        return found
    day = np.datetime64("-".join(part.zfill(2) for part in text.split("-")))
    tomorrow = instant_of(str(day + 1), zone)
    assert tomorrow is not None
    return tomorrow - np.timedelta64(1, "s")


def window(
    since: str, until: str, *, zone: tzinfo, now: datetime, where: tuple[str, str] = ("--since", "--until")
) -> tuple[np.datetime64, np.datetime64]:
    """Return the ends of a window, both included [UTC]; refuses one that ends before it begins or lies in the future."""
    begin, end = moment(since, zone, where=where[0]), moment(until, zone, where=where[1], is_end=True)
    if begin >= end:
        what = f"{clocked(begin, zone)} is not before {clocked(end, zone)}"
        raise InputError(where[0], what, "write the earlier time as since, the later as until")
    if begin > utc_of_datetime(now, zone):
        what = f"the period begins at {clocked(begin, zone)}, which is in the future"
        raise InputError(where[0], what, "ask about a period with readings")
    return begin, end


def determinands_of(
    names: tuple[str, ...], *, unfit: Collection[str] = (), why: str = "", remedy: str = ""
) -> tuple[str, ...]:
    """Return the ids of determinands by any of their names, each once; refuses what is `unfit`, and says why."""
    asked = tuple(dict.fromkeys(determinand(name).id for name in names))
    for name in asked:
        if name in unfit:
            raise InputError("--determinand", f"{name} {why}", remedy)
    return asked
