"""A station's readings of one determinand as daily means, with gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.errors import InputError
from suyuan.observations import GOOD, Observations
from suyuan.outlook.scale import Scale, scale_of

Array = NDArray[np.float64]


PILED = 0.05
"""Share of days at one lowest mean from which that is where the instrument ends, not the water."""

ROUNDING = 1e-9
"""Share by which means of equal readings may differ because they were added in floating point."""

NEVER_NEGATIVE = ("DO", "EC", "saturation")
"""Determinands on a linear scale that cannot be negative; temperature and redox potential can."""


@dataclass(frozen=True)
class Daily:
    """Means by calendar day of a zone.

    `first` is the first day (datetime64[D]); `mean` (day,) what may be averaged (hydrogen ions for pH), NaN on days without a
    reading; `count` (day,) how many readings made it.
    """

    determinand: str
    first: np.datetime64
    mean: Array
    count: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def scale(self) -> Scale:
        """The scale of the determinand."""
        return scale_of(self.determinand)

    @property
    def level(self) -> Array:
        """The forecast variable (day,), NaN on days without one."""
        return self.scale.forecast(self._positive)

    @property
    def days(self) -> NDArray[np.datetime64]:
        """The calendar days (day,)."""
        return np.asarray(self.first + np.arange(len(self.mean)))

    @property
    def floor(self) -> float:
        """The lowest mean where days pile up at it (half the detection limit of ammonia), 0 where they do not, minus infinity
        where numbers may be negative: no forecast goes below.
        """
        if self.scale.kind == "linear":
            return 0.0 if self.determinand in NEVER_NEGATIVE else -np.inf
        known = self._positive[np.isfinite(self._positive)]
        if self.scale.kind != "log" or len(known) == 0:
            return 0.0
        lowest = float(known.min())
        return lowest if np.mean(known <= lowest * (1.0 + ROUNDING)) >= PILED else 0.0

    @property
    def _positive(self) -> Array:
        """The means (day,); a concentration of 0 is taken as the lowest positive one until then, NaN before there is one."""
        if self.scale.kind != "log":
            return self.mean
        lowest = np.minimum.accumulate(np.where(self.mean > 0.0, self.mean, np.inf))
        return np.where(self.mean == 0.0, np.where(np.isfinite(lowest), lowest, np.nan), self.mean)

    @property
    def floor_level(self) -> float:
        """The forecast variable of the floor, minus infinity without one."""
        floor = self.floor
        return float(np.log(floor)) if floor > 0.0 else -np.inf

    def until(self, day: np.datetime64) -> Daily:
        """Return the days up to `day`, included."""
        n = int((day - self.first) / np.timedelta64(1, "D")) + 1
        return Daily(self.determinand, self.first, self.mean[:n], self.count[:n])


def daily_of(
    observations: Observations, *, zone: tzinfo, first: np.datetime64, last: np.datetime64
) -> dict[str, Daily]:
    """Return the daily means of every determinand from day `first` to day `last`; readings must be of one station.

    Only readings flagged GOOD count; below detection counts as half the limit, as in assessments. A day is that of the
    wall clock in `zone`, 23 or 25 hours long where clocks change.

    >>> from zoneinfo import ZoneInfo
    >>> time = np.array(["2024-07-01T00", "2024-07-01T15", "2024-07-01T17"], dtype="datetime64[s]")
    >>> text, station, name = np.full(3, ""), np.full(3, "S1"), np.full(3, "TP")
    >>> given = Observations(time, station, name, np.array([1.0, 3.0, 5.0]), text, np.ones(3, np.int8), np.zeros(3), text)
    >>> days = np.datetime64("2024-07-01"), np.datetime64("2024-07-03")
    >>> daily_of(given, zone=ZoneInfo("Asia/Shanghai"), first=days[0], last=days[1])["TP"].mean.tolist()
    [2.0, 5.0, nan]
    """
    if last < first:
        raise InputError("daily means", f"the last day {last} lies before {first}", "give the earlier first")
    good = observations.where((observations.flag <= GOOD) & np.isfinite(observations.value))
    day = local(good.time, zone).astype("datetime64[D]") if len(good) else np.array([], "datetime64[D]")
    index = ((day - first) / np.timedelta64(1, "D")).astype(np.int64)
    n = int((last - first) / np.timedelta64(1, "D")) + 1
    found = {}
    for name in sorted(set(good.determinand.tolist())):
        own = (good.determinand == name) & (index >= 0) & (index < n)
        value = np.where(good.qualifier[own] == "<", good.value[own] / 2.0, good.value[own])
        count = np.bincount(index[own], minlength=n)
        total = np.bincount(index[own], weights=scale_of(name).averaged(value), minlength=n)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        found[name] = Daily(name, first, mean, count.astype(np.int64))
    return found
