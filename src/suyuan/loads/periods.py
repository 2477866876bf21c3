"""Means of days over years and months, and the trend between two years."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.loads.record import NORMAL_95, Bounded, Dates, calendar_day

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WHOLE = 0.9
"""A year of which at least this share of days has discharge counts as a whole one."""

TREND_YEARS = 5
"""Years from the first to the last, both counted, below which no direction is told: intervals of three held 82 to 90 %."""

QUANTITIES = ("concentration", "load", "normalised_concentration", "normalised_load")
"""What is estimated of a period: mean concentration [g/m3] and mean load [kg/d], both also flow-normalised."""


@dataclass(frozen=True)
class Group:
    """Days of one period: `label` such as 2021 or 2021-07, `rows` of its days, and whether enough of them have discharge."""

    label: str
    rows: Index
    is_whole: bool


@dataclass(frozen=True)
class PeriodLoad:
    """What passed in a period: `days` with discharge, mean `discharge` [m3/s], and each of QUANTITIES with its interval.

    `unread` are the quarters of the year (1 to 4) that have days in the period and not one of its `readings`.

    Without flow normalisation (a rating curve without a term in time, too) the last two are what they are for the flows of
    all years alike.
    """

    label: str
    days: int
    is_whole: bool
    readings: int
    unread: tuple[int, ...]
    discharge: float
    concentration: Bounded
    load: Bounded
    normalised_concentration: Bounded
    normalised_load: Bounded


@dataclass(frozen=True)
class Change:
    """The change of a flow-normalised quantity between two years [%], its interval, and the chance that it rose."""

    quantity: str
    first: str
    last: str
    percent: Bounded
    chance_of_rise: float

    @property
    def direction(self) -> str:
        """What can be said: rising, falling, unclear where the 95 % interval holds both, short under TREND_YEARS."""
        if int(self.last) - int(self.first) + 1 < TREND_YEARS:
            return "short"
        if self.percent.low > 0.0:
            return "rising"
        return "falling" if self.percent.high < 0.0 else "unclear"


def years_of(date: Dates) -> tuple[Group, ...]:
    """Return the calendar years of days (day,), each with its rows."""
    return _groups(date, "Y")


def months_of(date: Dates) -> tuple[Group, ...]:
    """Return the months of days (day,), each with its rows."""
    return _groups(date, "M")


def quarters_unread(date: Dates, read: Dates) -> tuple[int, ...]:
    """Return the quarters of the year, 1 to 4, with days in `date` (day,) of which none is in `read`.

    >>> quarters_unread(np.arange("2021-01-01", "2021-12-31", dtype="datetime64[D]"), np.array(["2021-05-07"], "datetime64[D]"))
    (1, 3, 4)
    """
    quarter = date.astype("datetime64[M]").astype(int) % 12 // 3 + 1
    return tuple(sorted(set(quarter.tolist()) - set(quarter[np.isin(date, read)].tolist())))


def ends_of(date: Dates, read: Dates) -> tuple[Group, ...]:
    """Return the first and the last whole year that hold days `read`, without the calendar days that not both have.

    Empty where there are not two. A year may lack a tenth of its days: means with and without a season differ without a trend.

    >>> date = np.arange("2021-01-01", "2022-12-12", dtype="datetime64[D]")
    >>> [(one.label, len(one.rows)) for one in ends_of(date, date)]
    [('2021', 345), ('2022', 345)]
    """
    whole = [group for group in years_of(date) if group.is_whole and np.isin(date[group.rows], read).any()]
    if len(whole) < 2:
        return ()
    first, last = whole[0], whole[-1]
    days = [calendar_day(date[group.rows]) for group in (first, last)]
    both = np.intersect1d(days[0], days[1])
    return tuple(
        Group(group.label, group.rows[np.isin(own, both)], True)
        for group, own in zip((first, last), days, strict=True)
    )


def _groups(date: Dates, unit: str) -> tuple[Group, ...]:
    labels = date.astype(f"datetime64[{unit}]")
    found = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        length = ((label + 1).astype("datetime64[D]") - label.astype("datetime64[D]")).astype(int)
        found.append(Group(str(label), rows, bool(len(rows) >= WHOLE * length)))
    return tuple(found)


def change(quantity: str, *, years: tuple[str, str], values: tuple[float, float], log_error: float) -> Change:
    """Return the change from the first to the last value in per cent; `log_error` is the standard error of ln(last / first).

    >>> found = change("load", years=("2001", "2010"), values=(200.0, 150.0), log_error=0.1)
    >>> round(found.percent.value, 6), found.direction  # 1.96 * 0.1 is less than ln(200 / 150)
    (-25.0, 'falling')
    """
    from scipy.special import ndtr

    log_ratio = np.log(values[1] / values[0])
    chance = ndtr(log_ratio / log_error) if log_error > 0.0 else float(log_ratio > 0.0)
    percent = Bounded(
        *(100.0 * float(np.expm1(log_ratio + z * NORMAL_95 * log_error)) for z in (0.0, -1.0, 1.0))
    )
    return Change(quantity, *years, percent, float(chance))
