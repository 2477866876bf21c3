"""The project folder: suyuan.toml, which names every file, the window and the decay, to a Project."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import Fault, InputError, nearest
from suyuan.io.files import read_text
from suyuan.io.flow_settings import KEYS as FLOW_KEYS
from suyuan.io.flow_settings import FlowSettings, flow_settings
from suyuan.io.processes import KEYS as PROCESS_KEYS
from suyuan.io.processes import Processes, processes_in
from suyuan.io.schemes import read_scheme
from suyuan.io.sections import flag, sections_in
from suyuan.io.times import instant_of, timezone_of
from suyuan.standards.scheme import Scheme
from suyuan.standards.scheme import scheme as shipped_scheme
from suyuan.standards.section import Section
from suyuan.substances import determinand
from suyuan.workers import Workers

SETTINGS = "suyuan.toml"

KEYS = {
    "project": ("name", "timezone", "invented", "scheme"),
    "files": (
        "network",
        "flow",
        "flow_members",
        "observations",
        "fingerprints",
        "discharge",
        "gauges",
        "storage",
    ),
    "flow": FLOW_KEYS,
    "trace": ("determinand", "since", "until", "nobody", "unlisted", "at_night", "workers"),
    **PROCESS_KEYS,
}
"""The keys of each table of suyuan.toml; [decay_per_day] has determinands as keys, [sections] has stations."""

MOST_UNLISTED = 0.8
"""Something must be left for outfalls and boundaries."""

_TABLES = (*KEYS, "decay_per_day", "settling_m_per_day", "sections")


@dataclass(frozen=True)
class Files:
    """Paths of a project's files; None and () where suyuan.toml names none."""

    network: Path
    flow: Path | None = None
    observations: tuple[Path, ...] = ()
    fingerprints: Path | None = None
    discharge: Path | None = None
    flow_members: tuple[Path, ...] = ()
    gauges: Path | None = None
    storage: Path | None = None


USUAL_AT_NIGHT = 0.8
"""`at_night` in [trace] where a timezone is given and nothing else said (docs/decisions/034-nights.md)."""


@dataclass(frozen=True)
class TraceSettings:
    """What to trace: the determinand whose mass is reported, and the window, both ends included [UTC].

    `nobody` is the probability, before any reading is seen, that nobody released in the window, `unlisted` that a single
    source is not on the list of outfalls, `at_night` that a release which comes again every day begins at night, None where
    no timezone is given. `workers` are a number of processes or the address of a scheduler, '' for threads.
    """

    determinand: str = ""
    since: np.datetime64 | None = None
    until: np.datetime64 | None = None
    nobody: float = 0.10
    unlisted: float = 0.3
    at_night: float | None = None
    workers: str = ""


@dataclass(frozen=True)
class Project:
    """What suyuan.toml says. `decay_per_day` is the best guess per determinand id [1/d].

    `is_invented` says that the data are made up: then everything shown of them says so first.
    """

    folder: Path
    name: str
    timezone: str
    files: Files
    trace: TraceSettings = field(default_factory=TraceSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)
    decay_per_day: Mapping[str, float] = field(default_factory=dict)
    processes: Processes = field(default_factory=Processes)
    is_invented: bool = False
    sections: tuple[Section, ...] = ()
    scheme: Scheme = field(default_factory=shipped_scheme)

    @property
    def zone(self) -> tzinfo:
        """The zone of times without an offset."""
        return timezone_of(self.timezone, where=SETTINGS)


def read_project(
    folder: str | Path, *, needs_network: bool = True, reads: Collection[str] | None = None
) -> Project:
    """Return what the suyuan.toml of a folder says; raises InputError with every fault in it.

    The files it names are not opened, but must be there: all of them, or where a verb makes some of them those under the keys of
    [files] that it `reads`. Without `needs_network` it may name no network, whose path is then that of the folder: sections can
    be assessed without one.
    """
    project, faults = project_and_faults(folder, needs_network=needs_network, reads=reads)
    if faults:
        raise InputError.of(faults)
    return project


def project_and_faults(
    folder: str | Path, *, needs_network: bool = True, reads: Collection[str] | None = None
) -> tuple[Project, list[Fault]]:
    """Return what can be understood of a folder's suyuan.toml, and every fault in it.

    Raises InputError only where there is no such folder or file or its text cannot be parsed. Where the
    network is missing its path is that of the folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "there is no such folder"
        raise InputError(str(folder), what, "make one with 'suyuan new', or correct the path")
    if not (folder / SETTINGS).is_file():
        what = f"the folder holds no {SETTINGS}"
        raise InputError(str(folder), what, "make a project with 'suyuan new', or name its folder")
    text = read_text(folder / SETTINGS)
    tables = _parsed(text)
    found = _Finder(text, KEYS["files"] if reads is None else reads)
    zone_name = found.zone_name(tables.get("project", {}))
    zone = timezone_of(zone_name)
    found.unknown_keys(tables)
    rules = found.scheme(tables.get("project", {}), folder)
    project = Project(
        folder=folder,
        name=found.text(tables.get("project", {}), "project", key="name") or folder.resolve().name,
        timezone=zone_name,
        files=found.files(tables.get("files", {}), folder, needs_network=needs_network),
        trace=found.trace(tables.get("trace", {}), zone, has_clock="timezone" in tables.get("project", {})),
        flow=found.flow(tables.get("flow", {}), zone),
        decay_per_day=found.decay(tables.get("decay_per_day", {})),
        processes=processes_in(tables, found.fault, folder=folder, zone=zone),
        is_invented=bool(flag(tables.get("project", {}), "project", key="invented", fault=found.fault)),
        sections=sections_in(tables.get("sections", {}), found.fault, scheme=rules),
        scheme=rules,
    )
    return project, found.faults


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        remedy = 'write key = "value", text in quotes and times as 2024-07-20T00:00:00+08:00'
        raise InputError(SETTINGS, str(error), remedy, row=int(line[1]) if line else 0) from error


class _Finder:
    """Reads one table of suyuan.toml after the other and collects every fault with its line."""

    def __init__(self, text: str, reads: Collection[str]) -> None:
        self._lines = text.split("\n")
        self._reads = reads
        self.faults: list[Fault] = []

    def fault(self, key: str, what: str, *, remedy: str) -> None:
        """Note a fault on the line where `key` stands."""
        mark = re.compile(rf"""\s*\[?\s*["']?{re.escape(key)}["']?\s*(?:=|\])""")
        row = next((i for i, line in enumerate(self._lines, start=1) if mark.match(line)), 0)
        self.faults.append(Fault(SETTINGS, row, what, remedy))

    def unknown_keys(self, tables: dict[str, Any]) -> None:
        """Note tables and keys that nobody reads."""
        for name, keys in tables.items():
            if name not in _TABLES:
                self.fault(name, f"'{name}' is not known", remedy=nearest(name, _TABLES))
            elif not isinstance(keys, dict):
                self.fault(name, f"'{name}' is not a table", remedy=f"write [{name}] on a line of its own")
            for key in keys if isinstance(keys, dict) and name in KEYS else ():
                if key not in KEYS[name]:
                    self.fault(key, f"'{key}' in [{name}] is not known", remedy=nearest(key, KEYS[name]))

    def text(self, table: Any, name: str, *, key: str) -> str:
        """Return a text, '' where it is not given."""
        value = table.get(key, "") if isinstance(table, dict) else ""
        if isinstance(value, str):
            return value.strip()
        self.fault(key, f"{key} in [{name}] is {value!r}, not text", remedy="put it in quotes")
        return ""

    def zone_name(self, table: Any) -> str:
        """Return the name of the timezone, UTC where none is given or it is not known."""
        name = self.text(table, "project", key="timezone") or "UTC"
        try:
            timezone_of(name)
        except InputError as error:
            self.fault("timezone", error.faults[0].what, remedy=error.faults[0].remedy)
            return "UTC"
        return name

    def scheme(self, table: Any, folder: Path) -> Scheme:
        """Return the scheme by which sections are assessed, and note what is wrong with it."""
        try:
            return read_scheme(self.text(table, "project", key="scheme"), folder)
        except InputError as error:
            for fault in error.faults:
                self.fault("scheme", f"scheme: {fault.what}", remedy=fault.remedy)
            return shipped_scheme()

    def files(self, table: Any, folder: Path, *, needs_network: bool) -> Files:
        """Return the paths, and note those that are missing."""
        table = table if isinstance(table, dict) else {}
        named = {key: self._paths(table[key], folder, key=key) for key in KEYS["files"] if key in table}
        if not named.get("network"):
            if "network" not in table and needs_network:
                self.fault(
                    "files", "no network is named", remedy='write network = "network.gpkg" under [files]'
                )
            return _files(folder, named)
        for key in ("network", "flow", "fingerprints", "discharge", "gauges", "storage"):
            if len(named.get(key, ())) > 1:
                self.fault(
                    key,
                    f"{key} names {len(named[key])} files",
                    remedy="name one; only observations and flow_members may be a list",
                )
        return _files(named["network"][0], named)

    def _paths(self, value: Any, folder: Path, *, key: str) -> tuple[Path, ...]:
        names = value if isinstance(value, list) else [value]
        paths = []
        for name in names:
            if not isinstance(name, str) or not name.strip():
                self.fault(
                    key, f"{key} is {name!r}, not a file name", remedy=f'write {key} = "name of the file"'
                )
            elif key in self._reads and not (folder / name).is_file():
                known = sorted(p.name for p in folder.iterdir() if p.is_file())
                self.fault(key, f"{key} '{name}' is not in the folder", remedy=nearest(name, known))
            else:
                paths.append(folder / name)
        return tuple(paths)

    def trace(self, table: Any, zone: tzinfo, *, has_clock: bool) -> TraceSettings:
        """Return the determinand, the window and what is believed of nobody."""
        table = table if isinstance(table, dict) else {}
        named = self.text(table, "trace", key="determinand")
        since, until = (self._instant(table, key, zone=zone) for key in ("since", "until"))
        if since is not None and until is not None and since >= until:
            self.fault(
                "until",
                f"until {until} UTC is not after since {since} UTC",
                remedy="write the later time as until",
            )
        determinand = self._determinand("determinand", named) if named else ""
        nobody = self._probability(table, "nobody", usual=TraceSettings.nobody)
        unlisted = self._probability(table, "unlisted", usual=TraceSettings.unlisted, most=MOST_UNLISTED)
        at_night = None
        if has_clock or "at_night" in table:
            at_night = self._probability(table, "at_night", usual=USUAL_AT_NIGHT)
        return TraceSettings(determinand, since, until, nobody, unlisted, at_night, self._workers(table))

    def _workers(self, table: dict[str, Any]) -> str:
        """Return who works, '' where it is not said; noted where it cannot be."""
        value = table.get("workers", "")
        try:
            Workers.of("true" if isinstance(value, bool) else str(value), where=SETTINGS)
        except InputError as error:
            self.fault("workers", error.faults[0].what, remedy=error.faults[0].remedy)
            return ""
        return str(value)

    def flow(self, table: Any, zone: tzinfo) -> FlowSettings:
        """Return how gauges are reconciled."""
        given = table if isinstance(table, dict) else {}
        since, until = (self._instant(given, key, zone=zone) for key in ("since", "until"))
        return flow_settings(given, self.fault, since=since, until=until)

    def _probability(self, table: dict[str, Any], key: str, *, usual: float, most: float = 1.0) -> float:
        value = table.get(key, usual)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value < most:
            return float(value)
        remedy = f"write a probability above 0 and below {most:g}, such as {key} = 0.1"
        self.fault(key, f"{key} in [trace] is {value!r}", remedy=remedy)
        return usual

    def _instant(self, table: dict[str, Any], key: str, *, zone: tzinfo) -> np.datetime64 | None:
        value = table.get(key)
        found = instant_of(value, zone, is_end=key == "until")
        if found is None and value is not None:
            remedy = f"write {key} = 2024-07-28T00:00:00+08:00, with a time of day"
            self.fault(key, f"{key} is {value!s}, not a time", remedy=remedy)
        return found

    def _determinand(self, key: str, name: str) -> str:
        try:
            known = determinand(name)
        except InputError as error:
            self.fault(key, error.faults[0].what, remedy=error.faults[0].remedy)
            return ""
        if not known.is_traceable:
            self.fault(
                key,
                f"{known.id} does not keep its mass in the water and cannot be traced",
                remedy="choose another",
            )
        return known.id

    def decay(self, table: Any) -> dict[str, float]:
        """Return the decay [1/d] per determinand id."""
        rates = {}
        for name, rate in (table if isinstance(table, dict) else {}).items():
            known = self._determinand(name, name)
            is_rate = isinstance(rate, int | float) and not isinstance(rate, bool)
            if not is_rate or not math.isfinite(rate) or rate < 0.0:
                remedy = "write a number per day, 0 or more, such as 0.08"
                self.fault(name, f"the decay of {name} is {rate!r}", remedy=remedy)
            elif known:
                rates[known] = float(rate)
        return rates


def _files(network: Path, named: Mapping[str, tuple[Path, ...]]) -> Files:
    """Return the first path of each kind, and all observations."""
    flow, prints, discharge, gauges, storage = (
        next(iter(named.get(key, ())), None)
        for key in ("flow", "fingerprints", "discharge", "gauges", "storage")
    )
    members = named.get("flow_members", ())
    return Files(network, flow, named.get("observations", ()), prints, discharge, members, gauges, storage)
