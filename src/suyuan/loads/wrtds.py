"""Weighted regressions on time, discharge and season: a surface of concentration over flow and time (WRTDS).

Hirsch, Moyer and Archfield (2010), J. Am. Water Resour. Assoc. 46, 857; Hirsch and De Cicco (2015), USGS TM4-A10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.loads.local import local_fits
from suyuan.loads.record import Daily, Samples, calendar_day

Array = NDArray[np.float64]
Index = NDArray[np.int64]

FLOWS = 14
"""Places of the surface along ln Q."""

YEAR_STEP = 1.0 / 16.0
"""Step of the surface along time [years]."""

BEYOND = 0.05
"""The surface reaches this much of ln Q beyond the least and the greatest discharge."""


@dataclass(frozen=True)
class Windows:
    """How far a reading tells: half widths in time [years], ln Q and season [years], and what each window must hold.

    `readings` and `known` are the least number of readings and of those not censored; windows with fewer are widened. With
    `keeps_width` a window near an end of the record reaches further on the other side.
    """

    years: float = 7.0
    log_q: float = 2.0
    season: float = 0.5
    readings: int = 100
    known: int = 50
    keeps_width: bool = True

    @property
    def array(self) -> Array:
        """The numbers as kernels take them, (5,)."""
        return np.array([self.years, self.log_q, self.season, self.readings, self.known], float)


@dataclass(frozen=True)
class Surface:
    """`log_mean` and `log_sd` of ln c, and mean `concentration` [g/m3], at each ln Q and time: (flow, time) each."""

    log_q: Array
    year: Array
    log_mean: Array
    log_sd: Array
    concentration: Array

    def corners(self, log_q: Array, year: Array) -> tuple[Index, Array]:
        """Return the four places around each point, as rows of the flattened surface (4, point), and their weights."""
        q, t = ((x - axis[0]) / (axis[1] - axis[0]) for x, axis in ((log_q, self.log_q), (year, self.year)))
        i = np.clip(q.astype(np.int64), 0, len(self.log_q) - 2)
        j = np.clip(t.astype(np.int64), 0, len(self.year) - 2)
        a, b = q - i, t - j
        row = i * len(self.year) + j
        rows = np.array([row, row + 1, row + len(self.year), row + len(self.year) + 1])
        return rows, np.array([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b])

    def at(self, values: Array, *, log_q: Array, year: Array) -> Array:
        """Return one of the surface's fields (flow, time) between its places, bilinear, (point,)."""
        rows, weights = self.corners(log_q, year)
        return np.asarray((values.ravel()[rows] * weights).sum(axis=0))


def grid_of(daily: Daily) -> tuple[Array, Array]:
    """Return ln Q (flow,) and years (time,) of a surface over all days."""
    log_q = daily.log_q
    bottom, top = log_q.min() - BEYOND, log_q.max() + BEYOND
    first, last = np.floor(daily.year[0]), np.ceil(daily.year[-1])
    return np.linspace(bottom, top, FLOWS), first + YEAR_STEP * np.arange(
        round((last - first) / YEAR_STEP) + 1
    )


def fit_surface(
    samples: Samples, daily: Daily, *, windows: Windows, grid: tuple[Array, Array] | None = None
) -> Surface:
    """Return the surface of regressions over the flows and times of `daily`, or over another `grid` (ln Q, years)."""
    log_q, year = grid_of(daily) if grid is None else grid
    places = np.meshgrid(log_q, year, indexing="ij")
    found = fit_places(samples, daily, windows=windows, places=(places[0].ravel(), places[1].ravel()))
    mean, sd, concentration = (np.ascontiguousarray(one.reshape(places[0].shape)) for one in found.T)
    return Surface(log_q, year, mean, sd, concentration)


def fit_places(samples: Samples, daily: Daily, *, windows: Windows, places: tuple[Array, Array]) -> Array:
    """Return log mean, log sd and mean concentration at each of `places` (ln Q, year), (place, 3)."""
    found = local_fits(
        places[1],
        places[0],
        samples.logs,
        edges_of(daily, windows),
        windows.array,
        np.full(len(places[0]), len(samples)),
    )
    return _determined(found, places)


def cross_validation(samples: Samples, daily: Daily, *, windows: Windows) -> Array:
    """Return log mean, log sd and mean concentration for each reading from all others, (reading, 3)."""
    places = samples.log_q, samples.year
    found = local_fits(
        places[1], places[0], samples.logs, edges_of(daily, windows), windows.array, np.arange(len(samples))
    )
    return _determined(found, places)


def edges_of(daily: Daily, windows: Windows) -> Array:
    """Return the years between which windows keep their width, NaN where they need not, (2,)."""
    return np.array([daily.year[0], daily.year[-1]]) if windows.keeps_width else np.full(2, np.nan)


def _determined(found: Array, places: tuple[Array, Array]) -> Array:
    wrong = np.flatnonzero(np.isnan(found[:, 0]))
    if len(wrong):
        q, year = np.exp(places[0][wrong[0]]), places[1][wrong[0]]
        what = f"the readings do not determine a regression at {len(wrong)} places, the first {q:.3g} m3/s in {year:.2f}"
        remedy = "give readings of more flows and seasons, or use --method rating"
        raise InputError("readings", what, remedy)
    return found


def normalising_points(daily: Daily, calendar: Index | None = None) -> tuple[Index, Index]:
    """Return pairs (pair,) of days: each day with every day of any year that has its calendar day.

    Flow normalisation takes the discharge of the second at the time of the first: every discharge that was seen on a date is
    as likely in any year. `calendar` (day,) numbers the days of the year, by calendar_day if left out: there February 29
    shares the discharges of the day before.
    """
    calendar = calendar_day(daily.date) if calendar is None else calendar
    order = np.argsort(calendar, kind="stable")
    start = np.searchsorted(calendar[order], np.arange(367))
    count = np.diff(start)[calendar]
    first = np.repeat(np.arange(len(daily)), count)
    within = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    return first, order[np.repeat(start[calendar], count) + within]
