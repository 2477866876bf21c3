"""From a project folder to the class of a section: readings, section, period, the assessment or the realtime classes."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suyuan.clock import clocked, iso, local
from suyuan.errors import InputError, nearest
from suyuan.given import read_given
from suyuan.io.project import Project
from suyuan.io.readings_store import published_classes
from suyuan.io.schemes import read_scheme
from suyuan.io.sections import section_of
from suyuan.io.times import utc_of_datetime
from suyuan.network import Network
from suyuan.observations import Observations
from suyuan.qc import flag
from suyuan.report import Lang
from suyuan.report.section_page import PageInfo, write_assessment
from suyuan.standards.assessment import Note, readings_of
from suyuan.standards.published import Miss, agreement, misses, water_type_of_classes
from suyuan.standards.realtime import NOT_JUDGED, Classes, Realtime, classify
from suyuan.standards.record import Period, Record, assess_months, months_between
from suyuan.standards.rivers import River, rate_river
from suyuan.standards.scheme import Scheme
from suyuan.standards.section import Section

if TYPE_CHECKING:
    import pandas as pd

_YEARS = 1900, 2199
_SPAN = re.compile(r"\d{4}(-\d{1,2}){0,2}")


@dataclass(frozen=True)
class AssessAsk:
    """What the user asks: a station, a period (2024-07, 2024, 2024-07-01..2024-07-15; the last month with readings
    if '').

    `along` are further sections that are rated with it as one river. `scheme` is the name of a shipped scheme or a
    file, the project's if ''.
    """

    station: str
    period: str = ""
    along: tuple[str, ...] = ()
    scheme: str = ""
    uses_suspect: bool = False


@dataclass(frozen=True)
class Assessed:
    """A section's record over a period, and the river it is rated with, if any."""

    project: str
    zone: tzinfo
    record: Record
    river: River | None
    is_invented: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        found: dict[str, Any] = {
            "project": self.project,
            "invented": self.is_invented,
            **self.record.to_dict(),
        }
        if self.river is not None:
            found["river"] = {
                "sections": [one.section.station for one in self.river.sections],
                "counts": dict(self.river.counts),
                "grade": self.river.grade.words,
                "grade_zh": self.river.grade.words_zh,
                "main_pollutants": list(self.river.main_pollutants),
                "by": "shares" if self.river.by_mean is None else "means",
                "notes": [{"code": note.code, "values": list(note.values)} for note in self.river.notes],
            }
        return found


@dataclass(frozen=True)
class Classified:
    """Realtime classes of a section, beside those that were published for the same times, where they were imported.

    `published` (time,) is NOT_JUDGED where nothing was shown; `fits` is the type of water whose limits explain
    them, '' if unclear.
    """

    project: str
    zone: tzinfo
    realtime: Realtime
    published: Classes
    misses: tuple[Miss, ...]
    agreement: float
    fits: str
    is_invented: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        found, ids = self.realtime, [grade.id for grade in self.realtime.scheme.classes]
        rate, share = found.compliance_rate, self.agreement
        rows = [
            {
                "time": iso(time, self.zone),
                "class": ids[index],
                "deciding": list(found.deciding(row)),
                "published": None if self.published[row] == NOT_JUDGED else ids[self.published[row]],
            }
            for row, (time, index) in enumerate(zip(found.time, found.class_index, strict=True))
        ]
        return {
            "project": self.project,
            "invented": self.is_invented,
            "mode": found.mode,
            "station": found.section.station,
            "water_type": found.section.water_type,
            "target_class": found.section.target_class or None,
            "items": [item.id for item in found.items],
            "counts": dict(found.counts),
            "compliance_rate": None if np.isnan(rate) else rate,
            "times_lacking_items": found.lacking_items,
            "published_agreement": None if np.isnan(share) else share,
            "published_fits": self.fits or None,
            "misses": [
                {
                    "time": rows[m.row]["time"],
                    "published": ids[m.published],
                    "ours": ids[m.ours],
                    "cause": m.cause,
                    "item": m.item or None,
                }
                for m in self.misses
            ],
            "readings": rows,
            "scheme": found.scheme.id,
            "version": found.scheme.version,
        }


@dataclass(frozen=True)
class _Given:
    project: Project
    network: Network | None
    observations: Observations
    rules: Scheme


def assess_folder(folder: Path, ask: AssessAsk, *, now: datetime) -> Assessed:
    """Return the assessment of a section of the project in `folder`, month by month and as one period (assessment
    mode).
    """
    given = _read(folder, ask, now=now)
    section = _section(given, ask.station)
    moment = utc_of_datetime(now, given.project.zone)
    periods = [p.until_now(moment) for p in _periods(given, section, text=ask.period)]
    record = _unfinished(_record(given, section, periods=periods, ask=ask), now, zone=given.project.zone)
    record = _said_where_readings_are(_beside_published(record, given, folder=Path(folder)), given)
    river = None
    if ask.along:
        others = [
            _record(given, one, periods=periods, ask=ask).whole
            for one in _distinct(given, section, along=ask.along)
        ]
        river = rate_river([record.whole, *others])
    project = given.project
    return Assessed(project.name, project.zone, record, river, project.is_invented)


def classify_folder(folder: Path, ask: AssessAsk, *, now: datetime) -> Classified:
    """Return the class of every reading of a section, unrounded, beside the published ones (realtime mode)."""
    if ask.along:
        raise InputError("--with", "a river is rated by assessments, not in realtime", "leave out --realtime")
    if ask.uses_suspect:
        what = "in realtime every reading has its class, a suspect one too"
        raise InputError("--with-suspect", what, "leave it out, or --realtime")
    given = _read(folder, ask, now=now)
    section = _section(given, ask.station)
    periods = _periods(given, section, text=ask.period)
    found = classify(
        given.observations,
        section,
        scheme=given.rules,
        since=periods[0].since,
        until=periods[-1].until - np.timedelta64(1, "s"),
    )
    published = published_of(published_classes(Path(folder), zone=given.project.zone), found)
    fits = water_type_of_classes(found, published)
    return Classified(
        given.project.name,
        given.project.zone,
        found,
        published,
        misses(found, published, fits=fits),
        agreement(found, published),
        fits,
        given.project.is_invented,
    )


def write_page(assessed: Assessed, *, lang: Lang, made: datetime, out: Path) -> tuple[Path, ...]:
    """Write the page, the JSON and the table of an assessment into a folder and return them."""
    page = PageInfo(assessed.project, made.astimezone(assessed.zone), lang, assessed.is_invented)
    return write_assessment(assessed.record, assessed.river, page=page, whole=assessed.to_dict(), out=out)


def period_of(text: str, zone: tzinfo) -> tuple[np.datetime64, np.datetime64]:
    """Return the first instant of a period and the one after its last, in UTC: a year, month or day, or two of them.

    >>> from zoneinfo import ZoneInfo
    >>> [str(t) for t in period_of("2024-02..2024-03-15", ZoneInfo("Asia/Shanghai"))]
    ['2024-01-31T16:00:00', '2024-03-15T16:00:00']
    """
    parts = [part.strip() for part in text.replace("：", ":").split("..")]
    if len(parts) > 2 or not all(_SPAN.fullmatch(part) for part in parts):
        what = f"'{text}' is not a period"
        raise InputError("period", what, "write 2024-07, 2024, or 2024-07-01..2024-07-15")
    try:
        first, last = _days(parts[0])[0], _days(parts[-1])[1]
    except ValueError as error:
        raise InputError("period", f"'{text}' holds a day that is none ({error})", "correct it") from error
    if not all(_YEARS[0] <= day.year <= _YEARS[1] for day in (first, last)):
        what = f"'{text}' is of years without readings"
        raise InputError("period", what, f"write years from {_YEARS[0]} to {_YEARS[1]}")
    if last < first:
        raise InputError("period", f"'{text}' ends before it begins", "write the earlier one first")
    bounds = (datetime(d.year, d.month, d.day, tzinfo=zone) for d in (first, last + timedelta(days=1)))
    since, until = (utc_of_datetime(bound, zone) for bound in bounds)
    return since, until


def _days(part: str) -> tuple[date, date]:
    """Return the first and the last day of a year, a month or a day."""
    numbers = [int(number) for number in part.split("-")]
    if len(numbers) == 3:
        day = date(*numbers)
        return day, day
    year, first, last = numbers[0], *((numbers[1],) * 2 if len(numbers) == 2 else (1, 12))
    start = date(year, first, 1)
    return start, date(year, last, calendar.monthrange(year, last)[1])


def _read(folder: Path, ask: AssessAsk, *, now: datetime) -> _Given:
    given = read_given(folder, now=now)
    rules = read_scheme(ask.scheme, Path()) if ask.scheme else given.project.scheme
    return _Given(given.project, given.network, flag(given.observations), rules)


def _section(given: _Given, station: str) -> Section:
    """Return a station as a section; raises InputError where it has no readings under any of its names."""
    known = sorted(set(given.observations.station.tolist()))
    own = next((s for s in given.project.sections if station in (s.station, *s.other_names)), None)
    if given.network is None and own is None and station not in known:
        raise InputError("station", f"'{station}' has no readings", nearest(station, known))
    section = section_of(station, given.project.sections, network=given.network, scheme=given.rules)
    if not {section.station, *section.other_names} & set(known):
        raise InputError("station", f"'{station}' has no readings", nearest(station, known))
    return section


def _periods(given: _Given, section: Section, *, text: str) -> tuple[Period, ...]:
    """Return the months asked for; the last one with readings of the section if none is."""
    zone = given.project.zone
    if not text:
        own = given.observations.select(stations=(section.station, *section.other_names))
        last = local(np.array([own.time.max()]), zone)[0]
        text = str(last.astype("datetime64[M]"))
    since, until = period_of(text, zone)
    return months_between(since, until, zone=zone)


def _record(given: _Given, section: Section, *, periods: Sequence[Period], ask: AssessAsk) -> Record:
    return assess_months(
        given.observations, section, periods=periods, scheme=given.rules, uses_suspect=ask.uses_suspect
    )


def _unfinished(record: Record, now: datetime, *, zone: tzinfo) -> Record:
    """Return a record that says of a period which is not over that its class is one so far."""
    moment = utc_of_datetime(now, zone)
    if record.whole.until <= moment:
        return record
    note = Note("unfinished", (clocked(moment, zone),))
    return replace(record, whole=replace(record.whole, notes=(note, *record.whole.notes)))


def _said_where_readings_are(record: Record, given: _Given) -> Record:
    """Return a record that says, if it judges nothing, of which time there are readings."""
    if record.whole.judged:
        return record
    time = readings_of(given.observations, record.section).time
    ends = (clocked(moment, given.project.zone) for moment in (time.min(), time.max()))
    note = Note("readings_are_of", (record.section.station, *ends))
    return replace(record, whole=replace(record.whole, notes=(*record.whole.notes, note)))


def _beside_published(record: Record, given: _Given, *, folder: Path) -> Record:
    """Return a record that says where the classes published for its section, of all times, fit another type of water."""
    shown = published_classes(folder, zone=given.project.zone)
    if shown is None:
        return record
    found = classify(given.observations, record.section, scheme=given.rules)
    fits = water_type_of_classes(found, published_of(shown, found))
    if fits in ("", record.section.water_type):
        return record
    note = Note("published_fits", (fits, record.section.water_type))
    return replace(record, whole=replace(record.whole, notes=(*record.whole.notes, note)))


def _distinct(given: _Given, first: Section, *, along: Sequence[str]) -> tuple[Section, ...]:
    """Return the further sections of a river; raises InputError where one is named twice, under whatever name."""
    others = tuple(_section(given, name) for name in along)
    if len({first.station, *(one.station for one in others)}) < 1 + len(others):
        raise InputError("--with", "a section is named twice", "name each section of the river once")
    return others


def published_of(shown: pd.DataFrame | None, found: Realtime) -> Classes:
    """Return the class that a source showed for each time of a section (time,), NOT_JUDGED where it showed none."""
    if shown is None:
        return np.full(len(found.time), NOT_JUDGED, np.int64)
    names = (found.section.station, *found.section.other_names)
    own = shown[shown["station"].isin(names)]
    index = {label: _class_index(found.scheme, label) for label in own["class"].unique()}
    times = own["time"].to_numpy().astype("datetime64[s]").tolist()
    at = dict(zip(times, own["class"].map(index), strict=True))
    return np.array([at.get(time, NOT_JUDGED) for time in found.time.tolist()], np.int64)


def _class_index(rules: Scheme, label: str) -> int:
    try:
        return rules.class_index(label)
    except InputError:  # a dash, a star, or nothing
        return NOT_JUDGED
