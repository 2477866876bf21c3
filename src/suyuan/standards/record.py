"""A section over months: each month assessed, all together, the compliance rate and trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np

from suyuan.clock import local
from suyuan.observations import GOOD, SUSPECT, Observations
from suyuan.oxygen import saturation
from suyuan.standards.assessment import (
    Assessment,
    Mean,
    Note,
    assess,
    called,
    item_means,
    judge,
    mean_of_means,
    readings_of,
    unverified,
)
from suyuan.standards.lakes import Trophic, algal_grade, trophic_level
from suyuan.standards.scheme import Item, Scheme
from suyuan.standards.section import Section, items_of
from suyuan.standards.trend import FEWEST_PERIODS, Trend, trend


@dataclass(frozen=True)
class Period:
    """A span of time [since, until) in UTC, and what it is called."""

    label: str
    since: np.datetime64
    until: np.datetime64


@dataclass(frozen=True)
class Record:
    """A section over `months`, and as one period (`whole`), whose means are means of the months' means.

    `compliance_rate` is the share of months with a class that reach the target, NaN without a target. `trends` are
    by item, over years where there are five, else over months, where season counts as trend (`trend_of`).
    `algal_counts` (grade,) counts readings.
    """

    section: Section
    months: tuple[Assessment, ...]
    whole: Assessment
    trends: Mapping[str, Trend]
    trend_of: str
    trophic: Trophic | None
    algal_counts: tuple[int, ...]

    @property
    def compliance_rate(self) -> float:
        """The share of months with a class that reach the target class (达标率)."""
        known = [month.is_met for month in self.months if month.is_met is not None]
        return sum(known) / len(known) if known else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        rate = self.compliance_rate
        lake = self.trophic
        return {
            **self.whole.to_dict(),
            "compliance_rate": None if np.isnan(rate) else rate,
            "months": [month.to_dict() for month in self.months],
            "trend_of": self.trend_of,
            "trends": {
                name: {"rho": t.rho, "periods": t.periods, "level": t.level, "direction": t.direction}
                for name, t in self.trends.items()
            },
            "trophic": lake
            and {
                "index": lake.index,
                "state": lake.state.words,
                "state_zh": lake.state.words_zh,
                "parts": dict(lake.parts),
                "missing": list(lake.missing),
            },
            "algal_counts": list(self.algal_counts),
        }


def months_between(since: np.datetime64, until: np.datetime64, *, zone: tzinfo) -> tuple[Period, ...]:
    """Return the calendar months of a zone that [since, until) touches, the first and last cut to it.

    A whole month is called 2024-07, a cut one by its first and last day.

    >>> from zoneinfo import ZoneInfo
    >>> first, last = np.datetime64("2024-06-30T16:00:00"), np.datetime64("2024-08-31T16:00:00")
    >>> [month.label for month in months_between(first, last, zone=ZoneInfo("Asia/Shanghai"))]
    ['2024-07', '2024-08']
    """
    clock = local(np.array([since, until - np.timedelta64(1, "s")]), zone).astype("datetime64[M]")
    labels = np.arange(clock[0], clock[1] + 1)
    periods = []
    for label in labels:
        start, end = (instant_of_month(str(label + step), zone) for step in (0, 1))
        is_whole = since <= start and end <= until
        name = str(label) if is_whole else _days(max(start, since), min(end, until), zone=zone)
        periods.append(Period(name, max(start, since), min(end, until)))
    return tuple(periods)


def _days(since: np.datetime64, until: np.datetime64, *, zone: tzinfo) -> str:
    first, last = local(np.array([since, until - np.timedelta64(1, "s")]), zone).astype("datetime64[D]")
    return f"{first}..{last}"


def instant_of_month(label: str, zone: tzinfo) -> np.datetime64:
    """Return the first instant of a month such as 2024-07 on a zone's clock, in UTC."""
    year, month = map(int, label.split("-"))
    aware = datetime(year, month, 1, tzinfo=zone).astimezone(UTC)
    return np.datetime64(aware.replace(tzinfo=None), "s")


def assess_months(
    observations: Observations,
    section: Section,
    *,
    periods: Sequence[Period],
    scheme: Scheme,
    uses_suspect: bool = False,
) -> Record:
    """Return a section's assessment month by month and over all of them. Months without readings count nowhere."""
    own = readings_of(observations, section)
    months, means = [], []
    for period in periods:
        inside = own.where((own.time >= period.since) & (own.time < period.until))
        month = assess(
            inside, section, since=period.since, until=period.until, scheme=scheme, uses_suspect=uses_suspect
        )
        month = called(month, period.label)
        month = replace(month, notes=(*month.notes, *_oxygen(inside, month)))
        months.append(month)
        means.append({one.item.id: one.mean for one in (*month.judged, *month.beside)})
    used = own.where((own.time >= periods[0].since) & (own.time < periods[-1].until))
    used = used.where(used.flag <= (SUSPECT if uses_suspect else GOOD))
    whole = months[0] if len(months) == 1 else _whole(months, means, readings=used, scheme=scheme)
    trends, of = _trends(months, means, items=items_of(section, scheme))
    return Record(section, tuple(months), whole, trends, of, _trophic(used, section), _algae(used))


def _whole(
    months: Sequence[Assessment],
    means: Sequence[Mapping[str, Mean]],
    *,
    readings: Observations,
    scheme: Scheme,
) -> Assessment:
    """Return all months as one period: means are means of the months' means, other statistics those of all readings."""
    averaged = [item for item in scheme.items if item.statistic in ("mean", "hydrogen_mean")]
    others = [item for item in scheme.items if item not in averaged]
    together = mean_of_means(means, averaged) | item_means(readings, others, uses_suspect=True)
    section = months[0].section
    label = f"{months[0].period.split('..')[0]}..{months[-1].period.split('..')[-1]}"
    found = judge(
        together, section, scheme=scheme, since=months[0].since, until=months[-1].until, period=label
    )
    empty = [month.period for month in months if month.class_index is None]
    extra = [Note("months_without", (", ".join(empty),))] if empty else []
    return replace(found, notes=(*found.notes, *extra, *unverified(scheme, "period_mean")))


def _trends(
    months: Sequence[Assessment], means: Sequence[Mapping[str, Mean]], *, items: Sequence[Item]
) -> tuple[dict[str, Trend], str]:
    """Return the trend of each item over whole years, or, with fewer than five of those, over months; and over which."""
    years: dict[str, list[Mapping[str, Mean]]] = {}
    for month, mean in zip(months, means, strict=True):
        if month.class_index is not None:
            years.setdefault(month.period[:4], []).append(mean)
    whole = [mean_of_means(parts, items) for parts in years.values() if len(parts) == 12]
    each = [mean for parts in years.values() for mean in parts]
    parts, of = (whole, "years") if len(whole) >= FEWEST_PERIODS else (each, "months")
    found = {}
    for item in items:
        line = trend([float(part[item.id].value) for part in parts if item.id in part])
        if line is not None:
            found[item.id] = line
    return found, of


def _oxygen(inside: Observations, month: Assessment) -> tuple[Note, ...]:
    """Return a note where oxygen misses the best class by concentration and reaches it by saturation."""
    for one in month.judged:
        share = one.item.best_class_also_by_saturation
        if not share or one.class_index == 0:
            continue
        oxygen, warmth = (_series(inside, name) for name in (one.item.determinand, "water_temp"))
        both = sorted(oxygen.keys() & warmth.keys())
        if both:
            held = saturation(np.array([warmth[time] for time in both]))
            mean = float((np.array([oxygen[time] for time in both]) / held).mean())
            if mean >= share:
                return (Note("oxygen_saturation", (f"{mean:.0%}", f"{share:.0%}")),)
    return ()


def _series(inside: Observations, name: str) -> dict[np.datetime64, float]:
    own = inside.where((inside.determinand == name) & np.isfinite(inside.value) & (inside.flag == GOOD))
    return dict(zip(own.time, map(float, own.value), strict=True))


def _trophic(used: Observations, section: Section) -> Trophic | None:
    if section.water_type != "lake":
        return None
    names = ("chl-a", "TP", "TN", "transparency", "CODMn")
    means = {}
    for name in names:
        own = used.where((used.determinand == name) & np.isfinite(used.value))
        if len(own):
            means[name] = float(np.where(own.qualifier == "<", own.value / 2.0, own.value).mean())
    return trophic_level(means)


def _algae(used: Observations) -> tuple[int, ...]:
    value = used.value[(used.determinand == "algal_density") & np.isfinite(used.value)]
    return tuple(int((algal_grade(value) == i).sum()) for i in range(5)) if len(value) else ()
