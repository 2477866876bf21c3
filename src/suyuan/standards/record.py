"""A section over months: each month assessed, all together, the compliance rate and trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from fractions import Fraction
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
from suyuan.standards.trend import FEWEST_PERIODS, MOST_COUNTED, Trend, trend

FEWEST_MONTHS = 24
"""Months that a trend over months needs: in fewer than two years season is all there is."""

TROPHIC = tuple(
    Item(name, name, "mean", {}, decimals=1, shown_decimals=1)
    for name in ("chl-a", "TP", "TN", "transparency", "CODMn")
)
"""What the trophic level index is made of; not all have limits in a scheme."""


@dataclass(frozen=True)
class Period:
    """A span of time [since, until) in UTC, and what it is called.

    `share` is how much of its calendar month it covers, 1 for a whole one; by it a cut month weighs in a mean.
    """

    label: str
    since: np.datetime64
    until: np.datetime64
    share: Fraction = Fraction(1)

    def until_now(self, now: np.datetime64) -> Period:
        """Return this period with the share that is over by `now` (UTC); its span stays."""
        over = _seconds(min(max(now, self.since), self.until) - self.since)
        return replace(self, share=self.share * Fraction(over, _seconds(self.until - self.since)))


@dataclass(frozen=True)
class Record:
    """A section over `months`, and as one period (`whole`), whose means are means of the months' means.

    `compliance_rate` is the share of whole months with a class that reach the target, NaN without a target. `trends` are
    by item, over years where there are five, else over 24 months and more, where season counts as trend (`trend_of`).
    `algal_counts` (grade,) counts readings. `cut` are the labels of months that are cut or not over: they weigh by their
    days, and count for neither compliance nor trends.
    """

    section: Section
    months: tuple[Assessment, ...]
    whole: Assessment
    trends: Mapping[str, Trend]
    trend_of: str
    trophic: Trophic | None
    algal_counts: tuple[int, ...]
    cut: tuple[str, ...] = ()

    @property
    def compliance_rate(self) -> float:
        """The share of whole months with a class that reach the target class (达标率)."""
        known = [month.is_met for month in self._counted if month.is_met is not None]
        return sum(known) / len(known) if known else float("nan")

    @property
    def lacking_items(self) -> int:
        """How many of the months that count lack an item that another one has: their class may be too good."""
        items = [{one.item.id for one in month.judged} for month in self._counted]
        every = set().union(*items)
        return sum(own != every for own in items)

    @property
    def _counted(self) -> tuple[Assessment, ...]:
        return tuple(
            month for month in self.months if month.class_index is not None and month.period not in self.cut
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        rate = self.compliance_rate
        lake = self.trophic
        return {
            **self.whole.to_dict(),
            "compliance_rate": None if np.isnan(rate) else rate,
            "months_lacking_items": self.lacking_items,
            "months_cut": list(self.cut),
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
        first, last = max(start, since), min(end, until)
        name = str(label) if is_whole else _days(first, last, zone=zone)
        periods.append(Period(name, first, last, Fraction(_seconds(last - first), _seconds(end - start))))
    return tuple(periods)


def _seconds(span: np.timedelta64) -> int:
    return int(span // np.timedelta64(1, "s"))


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
    """Return a section's assessment month by month and over all of them.

    Months without readings count nowhere; those that are cut or not over (`Period.share`) weigh by their days in means
    and are left out of compliance and trends.
    """
    own = readings_of(observations, section)
    months: list[Assessment] = []
    means: list[dict[str, Mean]] = []
    lake: list[dict[str, Mean]] = []
    for period in periods:
        inside = own.where((own.time >= period.since) & (own.time < period.until))
        month = assess(
            inside, section, since=period.since, until=period.until, scheme=scheme, uses_suspect=uses_suspect
        )
        month = called(month, period.label)
        month = replace(month, notes=(*month.notes, *_oxygen(inside, month)))
        months.append(month)
        means.append({one.item.id: one.mean for one in (*month.judged, *month.beside)})
        lake.append(item_means(inside, TROPHIC, uses_suspect=uses_suspect))
    used = own.where((own.time >= periods[0].since) & (own.time < periods[-1].until))
    used = used.where(used.flag <= (SUSPECT if uses_suspect else GOOD))
    weights = [Decimal(p.share.numerator) / Decimal(p.share.denominator) for p in periods]
    whole = months[0] if len(months) == 1 else _whole(months, means, weights=weights, readings=used)
    cut = tuple(p.label for p in periods if p.share < 1)
    kept = [k for k, p in enumerate(periods) if p.share == 1]
    trends, of = _trends([months[k] for k in kept], [means[k] for k in kept])
    notes = [Note("months_cut", (", ".join(cut),))] if cut and len(months) > 1 else []
    if any(line.periods > MOST_COUNTED for line in trends.values()):
        notes += unverified(scheme, "trend_critical")
    whole = replace(whole, notes=(*whole.notes, *notes))
    trophic = _trophic(lake, weights=weights) if section.water_type == "lake" else None
    return Record(section, tuple(months), whole, trends, of, trophic, _algae(used), cut)


def _whole(
    months: Sequence[Assessment],
    means: Sequence[Mapping[str, Mean]],
    *,
    weights: Sequence[Decimal],
    readings: Observations,
) -> Assessment:
    """Return all months as one period: means are means of the months' means, other statistics those of all readings."""
    scheme = months[0].scheme
    averaged = [item for item in scheme.items if item.statistic in ("mean", "hydrogen_mean")]
    others = [item for item in scheme.items if item not in averaged]
    together = mean_of_means(means, averaged, weights=weights) | item_means(
        readings, others, uses_suspect=True
    )
    section = months[0].section
    label = f"{months[0].period.split('..')[0]}..{months[-1].period.split('..')[-1]}"
    found = judge(
        together, section, scheme=scheme, since=months[0].since, until=months[-1].until, period=label
    )
    empty = [month.period for month in months if month.class_index is None]
    extra = [Note("months_without", (", ".join(empty),))] if empty else []
    few = [
        f"{month.period}: {note.values[0]}"
        for month in months
        for note in month.notes
        if note.code == "few_readings"
    ]
    if few:
        extra.append(Note("few_readings", ("; ".join(few),)))
    own = [note for note in found.notes if note.code != "few_readings"]  # the months' say more
    return replace(found, notes=(*own, *extra, *unverified(scheme, "period_mean")))


def _trends(
    months: Sequence[Assessment], means: Sequence[Mapping[str, Mean]]
) -> tuple[dict[str, Trend], str]:
    """Return the trend of each item over whole years, or, with fewer than five of those, over 24 months and more; and
    over which.
    """
    years: dict[str, list[Mapping[str, Mean]]] = {}
    for month, mean in zip(months, means, strict=True):
        if month.class_index is not None:
            years.setdefault(month.period[:4], []).append(mean)
    items = items_of(months[0].section, months[0].scheme) if months else ()
    whole = [mean_of_means(parts, items) for parts in years.values() if len(parts) == 12]
    each = [mean for parts in years.values() for mean in parts]
    is_yearly = len(whole) >= FEWEST_PERIODS
    parts, fewest = (whole, FEWEST_PERIODS) if is_yearly else (each, FEWEST_MONTHS)
    found = {}
    for item in items:
        values = [float(part[item.id].value) for part in parts if item.id in part]
        line = trend(values) if len(values) >= fewest else None
        if line is not None:
            found[item.id] = line
    return found, "years" if is_yearly else "months"


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


def _trophic(means: Sequence[Mapping[str, Mean]], *, weights: Sequence[Decimal]) -> Trophic | None:
    """Return the trophic level of the mean of the months' means, as the class beside it."""
    together = mean_of_means(means, TROPHIC, weights=weights)
    return trophic_level({name: float(mean.value) for name, mean in together.items()})


def _algae(used: Observations) -> tuple[int, ...]:
    value = used.value[(used.determinand == "algal_density") & np.isfinite(used.value)]
    return tuple(int((algal_grade(value) == i).sum()) for i in range(5)) if len(value) else ()
