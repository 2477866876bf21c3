"""From readings and daily discharge to loads of years and months, flow-normalised too, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.loads.doubt import Errors, rating_errors, surface_errors
from suyuan.loads.periods import Change, PeriodLoad, change, ends_of, quarters_unread
from suyuan.loads.rating import Rating, fit_rating
from suyuan.loads.record import KG_PER_DAY, Bounded, Daily, Samples
from suyuan.loads.unbiased import daily_loads
from suyuan.loads.wrtds import Surface, Windows, cross_validation, fit_surface

Array = NDArray[np.float64]

LEAST = 50
"""Readings that weighted regressions need at least; below, windows hold the whole record and say no more than one regression."""

LEAST_KNOWN = 25
"""... and readings among them that are not censored."""

LEAST_YEARS = 3.0
"""Years that the readings must span for weighted regressions."""


@dataclass(frozen=True)
class Fit:
    """How estimates compare with readings: log residual sd, bias of the load [%] and Nash-Sutcliffe efficiency of loads.

    For weighted regressions each reading is estimated without itself; for rating curves with it.
    """

    log_sd: float
    bias_percent: float
    efficiency: float


@dataclass(frozen=True)
class Loads:
    """Estimates of a station and determinand: of each day (day,) and of years and months with 95 % intervals.

    `concentration` and `normalised_concentration` [g/m3], `load` and `normalised_load` [kg/d]. `trend` compares the first and the
    last whole year with readings, empty where there are not two or the model has no term in time. Years before the first and
    after the last reading are left out, `days_left_out` of them. One of `surface` and `rating` is there. Where errors
    `may_not_last` beyond a day, for all that the readings say, intervals are the wider of both cases.
    """

    daily: Daily
    samples: Samples
    concentration: Array
    load: Array
    normalised_concentration: Array
    normalised_load: Array
    years: tuple[PeriodLoad, ...]
    months: tuple[PeriodLoad, ...]
    trend: tuple[Change, ...]
    fit: Fit
    surface: Surface | None = None
    rating: Rating | None = None
    days_left_out: int = 0
    may_not_last: bool = False

    @property
    def method(self) -> str:
        """Which method it was: wrtds or rating."""
        return "rating" if self.surface is None else "wrtds"


def windows_for(samples: Samples) -> Windows:
    """Return windows that a record can fill: of 100 readings, 50 of them known, or of four fifths of a shorter record."""
    known = int(samples.is_known.sum())
    return Windows(readings=min(100, len(samples) * 4 // 5), known=min(50, known * 4 // 5))


def require_enough(samples: Samples) -> None:
    """Raise InputError where a record is too short for weighted regressions."""
    n, known, years = (
        len(samples),
        int(samples.is_known.sum()),
        float(np.ptp(samples.year)) if len(samples) else 0.0,
    )
    remedy = "use --method rating, or a longer record"
    if n < LEAST:
        raise InputError("readings", f"{n} days with a reading and a discharge, {LEAST} are needed", remedy)
    if known < LEAST_KNOWN:
        what = (
            f"{n - known} of {n} readings are below detection or above range; {LEAST_KNOWN} others are needed"
        )
        raise InputError("readings", what, remedy)
    if years < LEAST_YEARS:
        raise InputError(
            "readings", f"the readings span {years:.1f} years, {LEAST_YEARS:.0f} are needed", remedy
        )


def weighted_loads(samples: Samples, daily: Daily, *, windows: Windows | None = None) -> Loads:
    """Return loads by weighted regressions on time, discharge and season (WRTDS)."""
    require_enough(samples)
    whole, daily = daily, years_read(samples, daily)
    windows = windows or windows_for(samples)
    surface = fit_surface(samples, daily, windows=windows)
    left_out = cross_validation(samples, daily, windows=windows)
    errors = surface_errors(surface, samples, daily=daily, windows=windows, left_out=left_out)
    fit = _fit_of(left_out[:, 2], left_out[:, 0], samples=samples)
    loads = _assembled(samples, errors, fit=fit, has_trend=True, surface=surface)
    return replace(loads, days_left_out=len(whole) - len(daily))


def rating_loads(samples: Samples, daily: Daily, *, number: int = 0) -> Loads:
    """Return loads by a rating curve of LOADEST: model `number`, or that with the least AIC if 0."""
    rating = fit_rating(samples, number)
    whole, daily = daily, years_read(samples, daily)
    design = rating.design(samples.log_q, samples.year)
    to_load = KG_PER_DAY * np.exp(samples.log_q)
    mean = design @ rating.fit.adjusted - np.log(to_load)
    fit = _fit_of(daily_loads(rating.fit, design) / to_load, mean, samples=samples)
    errors = rating_errors(rating, samples, daily=daily)
    loads = _assembled(samples, errors, fit=fit, has_trend=rating.has_trend, rating=rating)
    return replace(loads, days_left_out=len(whole) - len(daily))


def years_read(samples: Samples, daily: Daily) -> Daily:
    """Return the days of the years from the first reading to the last: no regression reaches beyond."""
    years = daily.date.astype("datetime64[Y]")
    first, last = samples.date[[0, -1]].astype("datetime64[Y]")
    own = (years >= first) & (years <= last)
    return Daily(daily.date[own], daily.discharge[own], daily.year[own])


def _assembled(
    samples: Samples,
    errors: Errors,
    *,
    fit: Fit,
    has_trend: bool,
    surface: Surface | None = None,
    rating: Rating | None = None,
) -> Loads:
    """Return years, months and trend of daily estimates."""
    _require_positive(errors)
    ends, all_groups = len(ends_of(errors.daily.date, samples.date)), len(errors.groups)
    rows = tuple(_row(errors, g, samples=samples) for g in range(all_groups - ends))
    trend = _trend(errors, (all_groups - 2, all_groups - 1)) if has_trend and ends else ()
    n = sum(len(row.label) == 4 for row in rows)
    concentration, load, normalised_concentration, normalised_load = errors.estimates
    return Loads(
        daily=errors.daily,
        samples=samples,
        concentration=concentration,
        load=load,
        normalised_concentration=normalised_concentration,
        normalised_load=normalised_load,
        years=rows[:n],
        months=rows[n:],
        trend=trend,
        fit=fit,
        surface=surface,
        rating=rating,
        may_not_last=errors.carried.lasting.can_be_fleeting,
    )


def _require_positive(errors: Errors) -> None:
    """Raise InputError where estimates are no concentrations: the readings do not carry the model that far."""
    wrong = np.flatnonzero(~(np.isfinite(errors.estimates) & (errors.estimates > 0.0)).all(axis=0))
    if len(wrong):
        what = f"the regression gives no positive number on {len(wrong)} days, the first {errors.daily.date[wrong[0]]}"
        remedy = "give readings of more flows and seasons, or discharge of fewer days without readings"
        raise InputError("readings", what, remedy)


def _row(errors: Errors, g: int, *, samples: Samples) -> PeriodLoad:
    group, daily = errors.groups[g], errors.daily
    means = errors.estimates[:, group.rows].mean(axis=1)
    bounds = [Bounded.of_error(mean, error) for mean, error in zip(means, errors.of_means(g), strict=True)]
    date = daily.date[group.rows]
    count = int(np.isin(samples.date, date).sum())
    unread = quarters_unread(date, samples.date)
    discharge = float(daily.discharge[group.rows].mean())
    return PeriodLoad(group.label, len(group.rows), group.is_whole, count, unread, discharge, *bounds)


def _trend(errors: Errors, ends: tuple[int, int]) -> tuple[Change, ...]:
    found = []
    for k, quantity in ((2, "concentration"), (3, "load")):
        values = [float(errors.estimates[k, errors.groups[g].rows].mean()) for g in ends]
        years = (errors.groups[ends[0]].label, errors.groups[ends[1]].label)
        log_error = errors.of_ratio(k, first=ends[0], last=ends[1])
        found.append(change(quantity, years=years, values=(values[0], values[1]), log_error=log_error))
    return tuple(found)


def _fit_of(concentration: Array, log_mean: Array, *, samples: Samples) -> Fit:
    """Return how estimates of readings compare with those that are known."""
    known = samples.is_known
    q = np.exp(samples.log_q[known])
    seen, told = samples.high[known] * q, concentration[known] * q
    around = float(((seen - seen.mean()) ** 2).sum())
    return Fit(
        float(np.sqrt(np.mean((np.log(samples.high[known]) - log_mean[known]) ** 2))),
        float(100.0 * (told - seen).sum() / seen.sum()),
        1.0 - float(((seen - told) ** 2).sum()) / around if around > 0.0 else float("nan"),
    )
