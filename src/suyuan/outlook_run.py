"""From a project folder to the budget of a section's month and to the forecasts of a station."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.clock import clocked, iso, local
from suyuan.errors import InputError, nearest
from suyuan.given import Given, determinands_of, moment, read_given
from suyuan.io.recent_flow import FLOW_DAYS, RecentFlow, recent_flow
from suyuan.io.schemes import read_scheme
from suyuan.io.sections import section_of
from suyuan.io.times import utc_of_datetime
from suyuan.observations import GOOD, Observations
from suyuan.outlook.budget import Budget, ItemBudget, Month, item_budget
from suyuan.outlook.daily import Daily, daily_of
from suyuan.outlook.forecast import MOST_DAYS, STALE_DAYS, Forecast, forecast
from suyuan.outlook.rolled import Refit, Rolled, refits_of, roll
from suyuan.qc import flag, screen
from suyuan.standards.assessment import FEW_READINGS, Note, item_means, readings_of, water_assumed
from suyuan.standards.scheme import Item, Scheme
from suyuan.standards.section import Section, items_of, target_of

QUIET_DAYS = 1
"""Days without readings up to the day of the question from which a budget says so."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class OutlookAsk:
    """What the user asks: a station, the moment that is taken as now (the end of the day of its last reading, or now where
    that day still runs, if ''), and of forecasts how many days and which determinands (all that can be foretold if none).
    `scheme` is the name of a shipped scheme or a file, the project's if ''.
    """

    station: str
    at: str = ""
    days: int = MOST_DAYS
    determinands: tuple[str, ...] = ()
    scheme: str = ""
    seed: int = 1


@dataclass(frozen=True)
class Budgeted:
    """A budget, the past it rests on by determinand, and the project it belongs to; `assumed` is the moment that was taken as
    now where none was asked for.
    """

    project: str
    zone: tzinfo
    budget: Budget
    rolled: dict[str, Rolled]
    assumed: np.datetime64 | None
    is_invented: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        return {
            "project": self.project,
            "invented": self.is_invented,
            "assumed_now": _told(self.assumed, self.zone),
            **self.budget.to_dict(),
        }


@dataclass(frozen=True)
class Foretold:
    """The forecasts of a station; `short` are determinands with too short a past, `stale` those without recent readings and
    the day of their last ones; `assumed` the moment that was taken as now where none was asked for.
    """

    project: str
    zone: tzinfo
    section: Section
    forecasts: tuple[Forecast, ...]
    short: tuple[str, ...]
    stale: Mapping[str, np.datetime64]
    assumed: np.datetime64 | None
    is_invented: bool = False

    @property
    def unforeseen(self) -> tuple[str, ...]:
        """What is not forecast, by name and with why."""
        return (*self.short, *(f"{name} (… {day})" for name, day in self.stale.items()))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        return {
            "project": self.project,
            "invented": self.is_invented,
            "assumed_now": _told(self.assumed, self.zone),
            "station": self.section.station,
            "target_class": self.section.target_class or None,
            "forecasts": [one.to_dict() for one in self.forecasts],
            "too_short": list(self.short),
            "no_readings_after": {name: str(day) for name, day in self.stale.items()},
        }


@dataclass(frozen=True)
class _Asked:
    given: Given
    section: Section
    rules: Scheme
    own: Observations
    at: np.datetime64
    assumed: np.datetime64 | None
    """The moment where none was asked for."""
    last: np.datetime64
    """The day of the last reading."""

    @property
    def clock(self) -> np.datetime64:
        """The first second of the rest, on the wall clock."""
        return np.datetime64(local(np.array([self.at]), self.given.zone)[0] + np.timedelta64(1, "s"))

    @property
    def whole(self) -> np.datetime64:
        """The last day that is over."""
        day: np.datetime64 = self.clock.astype("datetime64[D]") - 1
        return day


def budget_folder(
    folder: Path, ask: OutlookAsk, *, now: datetime, progress: Progress = lambda _w, _s: None
) -> Budgeted:
    """Return the budget of the month that the moment of the question lies in (assessment mode)."""
    asked = _asked(folder, ask, now=now)
    month = _month(asked)
    section, rules = asked.section, asked.rules
    target = _target(section, rules)
    inside = flag(asked.own).where(asked.own.time >= _instant(month.first, asked.given.zone))
    items = items_of(section, rules)
    means = item_means(inside, items)
    screened = screen(asked.own).observations
    refits, dailies = _learnt(asked, screened, progress=progress)
    here = [item for item in items if item.id in means]
    pasts = {item.id: _rolled(dailies, item, refits=refits) for item in here}
    rolled = {name: past for name, past in pasts.items() if past is not None}
    if not rolled:
        what = f"no item of '{section.station}' has readings in {month.label} and enough of a past"
        raise InputError("readings", what, "import more of its past, or take another month with --at")
    rng, flow, left = np.random.default_rng(ask.seed), _flow(asked), month.time_left
    found = []
    for item in (item for item in here if item.id in rolled):
        past, so_far = rolled[item.id], means[item.id]
        one = item_budget(item, past, so_far=so_far, section=(section, target), time_left=left, rng=rng)
        found.append(replace(one, discharge=flow.discharge))
    missing = tuple(item.id for item in items if item.id not in means)
    short = [name for name in pasts if name not in rolled]
    doubted = _doubted(inside, screened, names={one.item.determinand for one in found})
    notes = _notes(asked, month, found=found, flow=flow, doubted=doubted, short=short)
    made = Budget(section, rules, month, tuple(found), missing, notes, tuple(short))
    project = asked.given.project
    return Budgeted(project.name, project.zone, made, rolled, asked.assumed, project.is_invented)


def _target(section: Section, rules: Scheme) -> int:
    """Return the index of a section's target class; raises InputError where it has none."""
    target = target_of(section, rules)
    if target is None:
        what = f"'{section.station}' has no target class, so there is nothing to keep"
        remedy = f'write target_class in the layer stations, or under [sections."{section.station}"]'
        raise InputError(f"section {section.station}", what, remedy)
    return target


def forecast_folder(
    folder: Path, ask: OutlookAsk, *, now: datetime, progress: Progress = lambda _w, _s: None
) -> Foretold:
    """Return the forecasts of a station's determinands from the last day that is over."""
    if not 1 <= ask.days <= MOST_DAYS:
        raise InputError("--days", f"{ask.days} days ahead", f"ask for 1 to {MOST_DAYS}")
    names = determinands_of(ask.determinands)
    asked = _asked(folder, ask, now=now)
    refits, dailies = _learnt(asked, screen(asked.own).observations, progress=progress)
    for name in names:
        if name not in dailies:
            what = f"'{name}' has no readings at '{asked.section.station}'"
            raise InputError("--determinand", what, nearest(name, list(dailies)))
    found, short, stale = [], [], {}
    for name in names or tuple(dailies):
        past = roll(dailies, name, refits=refits)
        if past.row_refit[-1] < 0 or not np.isfinite(past.mean[-1, 0]):
            short.append(name)
            continue
        if past.days_since > STALE_DAYS:
            stale[name] = past.daily.days[-1 - past.days_since]
            continue
        is_beyond, limit = _beyond(asked, name)
        found.append(forecast(past, asked.section.station, days=ask.days, is_beyond=is_beyond, limit=limit))
    if not found:
        named = ", ".join([*short, *(f"{name} until {day}" for name, day in stale.items())])
        what = f"nothing at '{asked.section.station}' has enough of a past and recent readings ({named})"
        raise InputError("readings", what, "import more of its readings, or look back with --at")
    project = asked.given.project
    return Foretold(
        project.name,
        project.zone,
        asked.section,
        tuple(found),
        tuple(short),
        stale,
        asked.assumed,
        project.is_invented,
    )


def _asked(folder: Path, ask: OutlookAsk, *, now: datetime) -> _Asked:
    """Return the readings of the station up to the moment of the question."""
    given = read_given(folder, now=now)
    rules = read_scheme(ask.scheme, Path()) if ask.scheme else given.project.scheme
    station = given.station(ask.station)
    section = section_of(station, given.project.sections, network=given.network, scheme=rules)
    own = readings_of(given.observations, section)
    at = (
        moment(ask.at, given.zone, where="--at", is_end=True)
        if ask.at
        else _now_of(own, given.zone, now=utc_of_datetime(now, given.zone))
    )
    own = own.where(own.time <= at)
    if len(own) == 0:
        what = f"'{section.station}' has no readings until {clocked(at, given.zone)}"
        raise InputError("--at", what, "name a later moment")
    last = local(np.array([own.time.max()]), given.zone)[0].astype("datetime64[D]")
    return _Asked(given, section, rules, own, at, None if ask.at else at, last)


def _now_of(own: Observations, zone: tzinfo, *, now: np.datetime64) -> np.datetime64:
    """Return the end of the day of the last reading, or `now` where that day still runs."""
    if len(own) == 0:
        return now
    day = local(np.array([own.time.max()]), zone)[0].astype("datetime64[D]")
    return min(now, moment(str(day), zone, where="--at", is_end=True))


def _told(assumed: np.datetime64 | None, zone: tzinfo) -> str | None:
    return None if assumed is None else iso(assumed, zone)


def _month(asked: _Asked) -> Month:
    """Return the month of the question; raises InputError where it is over or has no readings."""
    zone, name = asked.given.zone, asked.section.station
    label = local(np.array([asked.at]), zone)[0].astype("datetime64[M]")
    if asked.last.astype("datetime64[M]") != label:
        what = f"'{name}' has no readings in {label}; its last ones are of {asked.last}"
        remedy = f"a month that is over is for 'suyuan assess'; to look back, write --at {asked.last - 5}"
        raise InputError("--at", what, remedy)
    first, end = label.astype("datetime64[D]"), (label + 1).astype("datetime64[D]")
    left = float((end - asked.clock) / np.timedelta64(1, "D"))
    if left <= 0.0:
        what = f"{label} is over at '{name}': its last readings are of {asked.last}"
        raise InputError("--at", what, f"run 'suyuan assess FOLDER {name} {label}'")
    return Month(str(label), first, local(np.array([asked.at]), zone)[0].astype("datetime64[D]"), left)


def _learnt(
    asked: _Asked, screened: Observations, *, progress: Progress
) -> tuple[tuple[Refit, ...], dict[str, Daily]]:
    """Return the daily means of each determinand to the last day that is over, faults left out, and what was learnt from them."""
    first = local(np.array([asked.own.time.min()]), asked.given.zone)[0].astype("datetime64[D]")
    dailies = daily_of(screened, zone=asked.given.zone, first=first, last=max(asked.whole, first))
    known = {name: one for name, one in dailies.items() if np.isfinite(one.level).any()}
    if not known:
        what = f"'{asked.section.station}' has no reading that is not flagged"
        raise InputError("readings", what, "see 'suyuan qc'")
    return refits_of(known, progress=lambda share: progress("months of the past", share)), known


def _rolled(dailies: dict[str, Daily], item: Item, *, refits: tuple[Refit, ...]) -> Rolled | None:
    """Return the forecasts of an item's determinand, None with too short a past or where its statistic is no mean."""
    if item.determinand not in dailies or item.statistic not in ("mean", "hydrogen_mean"):
        return None
    found = roll(dailies, item.determinand, refits=refits)
    return found if found.row_refit[-1] >= 0 and np.isfinite(found.mean[-1, 0]) else None


def _instant(day: np.datetime64, zone: tzinfo) -> np.datetime64:
    """Return the first instant of a day on a zone's clock, in UTC."""
    return moment(f"{day}T00:00", zone, where="--at")


def _last_day(asked: _Asked, name: str) -> np.datetime64:
    """Return the day of a determinand's last reading."""
    own = asked.own.time[(asked.own.determinand == name) & np.isfinite(asked.own.value)]
    day: np.datetime64 = local(np.array([own.max()]), asked.given.zone)[0].astype("datetime64[D]")
    return day


def _beyond(asked: _Asked, name: str) -> tuple[Callable[[float], bool] | None, tuple[float, float] | None]:
    """Return whether a daily mean lies beyond the target class, and the bounds of that class; None without either."""
    target = target_of(asked.section, asked.rules)
    items = [item for item in items_of(asked.section, asked.rules) if item.determinand == name]
    if target is None or not items:
        return None, None
    low, high = items[0].limits[asked.section.water_type][target]
    bounds = -np.inf if low is None else float(low), np.inf if high is None else float(high)
    return (lambda value: not bounds[0] <= value <= bounds[1]), bounds


def _flow(asked: _Asked) -> RecentFlow:
    """Return the discharge at the section before the question."""
    given, section = asked.given, asked.section
    names = section.station, *section.other_names
    return recent_flow(given.project, given.network, readings=asked.own, names=names, at=asked.at)


def _notes(
    asked: _Asked,
    month: Month,
    *,
    found: list[ItemBudget],
    flow: RecentFlow,
    doubted: Mapping[str, int],
    short: Sequence[str],
) -> tuple[Note, ...]:
    days = int((month.today - month.first) / np.timedelta64(1, "D")) + 1
    notes = [*water_assumed(asked.section)]
    few = [one for one in found if one.so_far.count < min(FEW_READINGS, 2 * days)]
    if few:
        notes.append(Note("few_readings", (", ".join(f"{one.item.id} {one.so_far.count}" for one in few),)))
    if short:
        notes.append(Note("short_past", (", ".join(short),)))
    quiet = [(one.item.id, _last_day(asked, one.item.determinand)) for one in found]
    ended = [f"{name} {day}" for name, day in quiet if month.today - day > np.timedelta64(QUIET_DAYS, "D")]
    if ended:
        notes.append(Note("no_readings_since", (", ".join(ended),)))
    left_out = sum(one.so_far.left_out for one in found)
    if left_out:
        notes.append(Note("flagged", (str(left_out),)))
    if doubted:
        notes.append(Note("doubted", (", ".join(f"{name} {count}" for name, count in doubted.items()),)))
    how = ("flow_reversed" if flow.discharge < 0.0 else "flow_recent") if not flow.lacks else flow.lacks
    known = f"{abs(flow.discharge):.3g}" if np.isfinite(flow.discharge) else ""
    notes.append(Note(how, (known, str(FLOW_DAYS))))
    unscored = [one.item.id for one in found if one.score.months == 0]
    if unscored:
        notes.append(Note("unscored", (", ".join(unscored),)))
    return tuple(notes)


def _doubted(inside: Observations, screened: Observations, *, names: Collection[str]) -> dict[str, int]:
    """Return how many readings of these determinands quality control doubts: they are in the month's mean, not in the forecast.

    `inside` are the readings of the month as the assessment takes them, `screened` all of the station.
    """
    mine, theirs = (each.where(each.flag == GOOD) for each in (inside, screened))
    kept = set(zip(theirs.time.tolist(), theirs.determinand.tolist(), strict=True))
    rows = zip(mine.time.tolist(), mine.determinand.tolist(), strict=True)
    return dict(
        sorted(Counter(name for at, name in rows if name in names and (at, name) not in kept).items())
    )
