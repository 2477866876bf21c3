"""`suyuan import readings`: a published table becomes readings of a project, again and again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suyuan.errors import InputError
from suyuan.io.atomic import require_writable, write_atomically
from suyuan.io.lock import locked
from suyuan.io.national import BEIJING, is_wide, read_national_json, taken_apart
from suyuan.io.network import is_blank_network, read_network
from suyuan.io.observations import COLUMNS, readings_in, require_past
from suyuan.io.project import SETTINGS, read_project
from suyuan.io.readings_store import (
    READINGS,
    Version,
    imported_versions,
    merged,
    note_version,
    published_classes,
    stored_readings,
    write_merged,
    write_published,
)
from suyuan.io.tables import Table, fitted, read_cells
from suyuan.io.times import instant_of, timezone_of, utc_of_datetime
from suyuan.io.wqx import is_wqx, results_in
from suyuan.observations import SUSPECT, Observations

if TYPE_CHECKING:
    import pandas as pd

CHINA = "Asia/Shanghai"
"""The timezone of a project that an import makes, unless another is asked for."""

_DATE_IN_NAME = re.compile(r"(20\d\d)[-_.年]?(\d\d)[-_.月]?(\d\d)")
_LOCK = ".import.lock"
_TWINS = 20
"""So many equal readings at equal times in a row of two stations say that they are one."""


@dataclass(frozen=True)
class Imported:
    """What an import did: kind of file, rows of readings and what became of them, notes (code, text), files written."""

    kind: str
    rows: int
    stations: int
    added: int
    unchanged: int
    superseded: int
    sharpened: int
    revised: int
    withdrawn: int
    suspect: int
    notes: tuple[tuple[str, str], ...]
    files: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        notes = [{"code": code, "text": text} for code, text in self.notes]
        return {**asdict(self), "notes": notes, "files": [str(path) for path in self.files]}


@dataclass(frozen=True)
class Source:
    """A file taken apart: its kind, its readings, what it shows beside them, and notes."""

    kind: str
    readings: Observations
    shown: pd.DataFrame | None
    notes: tuple[tuple[str, str], ...]


def import_readings(
    path: Path, folder: Path, *, now: datetime, taken: str = "", timezone: str = ""
) -> Imported:
    """Merge the readings of a file into `readings.csv` of a project folder and say what changed.

    Files: the national real-time table (CSV, workbook, or JSON as the page gets it), any table with a column a
    determinand, the long table of readings, results of the Water Quality Portal. A folder without `suyuan.toml`
    gets one. `taken` says when a table without years was taken. Nothing is written where anything is wrong.
    """
    zone = _zone(folder, timezone)
    source = read_source(path, zone, taken=taken, now=now, provinces=_provinces(folder, zone))
    require_past(source.readings, now, zone=zone, where=path.name)
    require_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / _LOCK, what="another import is running", remedy="wait until it has ended"):
        done = _taken_over(source, folder, path=path, noticed=utc_of_datetime(now, zone), zone=zone)
        made, notes = _settings(folder, str(timezone or CHINA))
    return replace(done, notes=(*done.notes, *notes), files=(*done.files, *made))


def _taken_over(
    source: Source, folder: Path, *, path: Path, noticed: np.datetime64, zone: tzinfo
) -> Imported:
    """Merge a source, the file `path`, into the readings of a folder and write them."""
    old, version = stored_readings(folder, zone), Version.of(path)
    is_again = version in imported_versions(folder)
    source, renamed = _one_spelling(source, old)
    source, outside = _inside(source, folder, path=path)
    found = merged(old, source.readings, noticed=noticed, is_again=is_again)
    files = write_merged(folder, found, zone=zone)
    if source.shown is not None:
        files += write_published(folder, source.shown, zone=zone, is_again=is_again)
    if not is_again:  # last: a run that is killed before it is made again from the beginning
        note_version(folder, version, noticed=noticed, zone=zone)
    return Imported(
        source.kind,
        len(source.readings),
        len(np.unique(source.readings.station)),
        found.added,
        found.unchanged,
        found.superseded,
        found.sharpened,
        found.revised,
        found.withdrawn,
        int((source.readings.flag == SUSPECT).sum()),
        (*source.notes, *renamed, *outside, *_twins(found.readings, source.readings)),
        files,
    )


def read_source(
    path: Path, zone: tzinfo, *, taken: str, now: datetime, provinces: Mapping[str, str]
) -> Source:
    """Return the readings of a file, whatever its kind; raises InputError with every fault in it."""
    if path.suffix.lower() == ".json":
        table, zone = read_national_json(path), BEIJING
    else:
        table = read_cells(path)
    headers = list(table.columns)
    if is_wqx(headers):
        results = results_in(table, zone)
        return Source("WQX", readings_in(results.readings, zone, network=None), None, results.notes)
    if is_wide(headers):
        at = _taken(path, taken, zone=zone)
        wide = taken_apart(table, zone, taken=at, provinces=provinces)
        if not len(wide.readings):
            what = "there is no reading"
            raise InputError(path.name, what, "all stations are stopped, or the table has no values")
        readings = readings_in(wide.readings, zone, network=None)
        kind = "national JSON" if path.suffix.lower() == ".json" else "a column a determinand"
        return Source(kind, readings, wide.shown, (*wide.notes, *_stale(readings, at, now=now)))
    return Source("long", readings_in(_long(table), zone, network=None), None, ())


def _long(table: Table) -> Table:
    """Return a long table under the names of readings, or say which kinds of tables there are."""
    try:
        return fitted(table, COLUMNS)
    except InputError as error:
        what = f"the columns {', '.join(list(table.columns)[:6])} are those of no table known here"
        remedy = "see docs/tables/imports.md; as a long table it lacks: " + "; ".join(
            f.what for f in error.faults
        )
        raise InputError(table.source, what, remedy) from error


def _zone(folder: Path, timezone: str) -> tzinfo:
    if (folder / SETTINGS).is_file():
        zone = read_project(folder, needs_network=False, reads=()).zone
        if timezone and str(timezone_of(timezone, where="--timezone")) != str(zone):
            raise InputError("--timezone", f"'{timezone}' is not that of the project, {zone}", "leave it out")
        return zone
    return timezone_of(timezone or CHINA, where="--timezone")


def _provinces(folder: Path, zone: tzinfo) -> dict[str, str]:
    """Return in which province each station lies whose readings are there already, '' where nothing says so."""
    shown = published_classes(folder, zone=zone)
    if shown is None:
        return {}
    last = shown.drop_duplicates("station", keep="last")
    return dict(zip(last["station"], last["province"], strict=True))


def _taken(path: Path, taken: str, *, zone: tzinfo) -> np.datetime64 | None:
    """Return when a table was taken: what was said, or the date in the file's name, which counts to its end."""
    if taken:
        found = instant_of(taken, zone)
        if found is None:
            raise InputError("--taken", f"'{taken}' is not a time", "write 2024-07-20T09:00")
        is_day = len(taken.strip()) <= 10
        return found + np.timedelta64(86_399, "s") if is_day else found
    named = _DATE_IN_NAME.search(path.stem)
    day = instant_of("-".join(named.groups()), zone) if named else None
    return None if day is None else day + np.timedelta64(86_399, "s")


def _stale(readings: Observations, at: np.datetime64 | None, *, now: datetime) -> tuple[tuple[str, str], ...]:
    """Return a note on readings much older than their table: their year may be wrong."""
    if at is None:
        return ()
    upto = min(at, np.datetime64(now.replace(tzinfo=None), "s"))
    old = np.unique(readings.station[readings.time < upto - np.timedelta64(3, "D")])
    return (("stale", f"{len(old)}: {', '.join(old[:5])}"),) if len(old) else ()


def _one_spelling(source: Source, old: Observations | None) -> tuple[Source, tuple[tuple[str, str], ...]]:
    """Return a source with station names as they are written already; names that differ in width or blanks are one."""
    known: dict[str, str] = {}
    names = [*(np.unique(old.station) if old is not None else ()), *np.unique(source.readings.station)]
    spelling, changed = {}, {}
    for name in map(str, names):
        spelling[name] = known.setdefault(_folded(name), name)
        if spelling[name] != name:
            changed[name] = spelling[name]
    if not changed:
        return source, ()
    station = np.array([spelling[str(name)] for name in source.readings.station], dtype=np.str_)
    shown = source.shown
    if shown is not None:
        shown = shown.assign(station=[spelling.get(name, name) for name in shown["station"]])
    said = ", ".join(f"{name} = {kept}" for name, kept in sorted(changed.items())[:5])
    return replace(source, readings=replace(source.readings, station=station), shown=shown), (
        ("one_spelling", said),
    )


def _inside(source: Source, folder: Path, *, path: Path) -> tuple[Source, tuple[tuple[str, str], ...]]:
    """Return what a source says of the stations of a project's network, which other verbs would refuse the rest of.

    Without a network all stations are taken.
    """
    if not (folder / SETTINGS).is_file():
        return source, ()
    project = read_project(folder, needs_network=False, reads=())
    if not project.files.network.is_file() or is_blank_network(project.files.network):
        return source, ()
    stations = read_network(project.files.network).stations
    known = {name for station in stations for name in (station.id, station.name) if name}
    kept = np.isin(source.readings.station, sorted(known))
    others = np.unique(source.readings.station[~kept]).tolist()
    if not kept.any():
        what = f"none of its {len(others)} stations is in the network, such as '{others[0]}'"
        raise InputError(path.name, what, "draw the station in the layer stations, under this name or id")
    shown = source.shown
    if shown is not None:
        shown = shown[shown["station"].isin(known)]
    note = (("not_in_network", f"{len(others)}: {', '.join(others[:5])}"),) if others else ()
    return replace(source, readings=source.readings.where(kept), shown=shown), note


def _folded(name: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).lower()


def _twins(readings: Observations | None, new: Observations) -> tuple[tuple[str, str], ...]:
    """Return a note on stations whose readings are the same at the same times: one station under two names."""
    if readings is None:
        return ()
    stations = np.unique(new.station)
    days = np.unique(readings.time)[-5000:]
    own: dict[str, set[tuple[Any, ...]]] = {}
    recent = readings.where(
        (readings.time >= days[0]) & (readings.value != 0.0) & np.isfinite(readings.value)
    )
    columns = (getattr(recent, name).tolist() for name in ("time", "determinand", "value"))
    for station, *row in zip(recent.station.tolist(), *columns, strict=True):
        own.setdefault(station, set()).add(tuple(row))
    return tuple(("one_station", f"{a}, {b}") for a, b in _alike(own, set(map(str, stations))))


def _alike(own: dict[str, set[tuple[Any, ...]]], stations: set[str]) -> Sequence[tuple[str, str]]:
    """Return pairs of stations of which nine in ten readings of the shorter record are those of the other, too."""
    holders: dict[tuple[Any, ...], list[str]] = {}
    for station in sorted(own):
        for row in own[station]:
            holders.setdefault(row, []).append(station)
    shared: dict[tuple[str, str], int] = {}
    for together in holders.values():
        for i, a in enumerate(together):
            for b in together[i + 1 :]:
                shared[a, b] = shared.get((a, b), 0) + 1
    return [
        (a, b)
        for (a, b), count in sorted(shared.items())
        if count >= _TWINS and count >= 0.9 * min(len(own[a]), len(own[b])) and stations & {a, b}
    ]


def _settings(folder: Path, timezone: str) -> tuple[tuple[Path, ...], tuple[tuple[str, str], ...]]:
    """Write a suyuan.toml where there is none, and say what to add to one that does not name the readings."""
    path = folder / SETTINGS
    if not path.is_file():
        name = folder.resolve().name.replace('"', "")
        text = _NEW.format(name=name, timezone=timezone, readings=READINGS)
        with write_atomically(path) as partial:
            partial.write_text(text, "utf-8", newline="\n")
        return (path,), ()
    named = read_project(folder, needs_network=False, reads=()).files.observations
    is_named = any(file.name == READINGS for file in named)
    return (), () if is_named else (("not_named", READINGS),)


_NEW = """# Made by 'suyuan import readings'. 由导入命令生成。
[project]
name = "{name}"
timezone = "{timezone}"            # for times without an offset   未写时区的时间按此时区

[files]
observations = ["{readings}"]  # what was imported; do not edit, import again   导入的监测数据，请勿手改
# network = "network.gpkg"         # needed to trace, not to assess   溯源需要；评价不需要

# [sections."断面名称"]             # a section that is assessed   参与评价的断面
# water_type = "river"             # river or lake: which limits hold   河流或湖库
# target_class = "III"             # 目标类别
# selection = "21"                 # or "9+X", with items = ["氟化物"] as X
# names = []                       # other names of the same station   同一断面的其他名称
"""
