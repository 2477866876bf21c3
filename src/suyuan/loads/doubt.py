"""Daily estimates of each method, and how sure their means over years and months are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.loads.periods import Group, months_of, years_of
from suyuan.loads.rating import Rating
from suyuan.loads.record import KG_PER_DAY, Daily, Samples
from suyuan.loads.spread import daily_error, influences, standard_errors
from suyuan.loads.unbiased import daily_loads, mean_load
from suyuan.loads.wrtds import Surface, Windows, normalising_points

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Errors(Protocol):
    """Daily estimates of QUANTITIES (4, day), and how sure their means over groups of days are."""

    @property
    def daily(self) -> Daily:
        """The days."""

    @property
    def estimates(self) -> Array:
        """Concentration, load, and both flow-normalised, (4, day)."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """Years, then months."""

    def of_means(self, g: int) -> Sequence[float]:
        """Return the standard error of the mean of each quantity over group `g`."""

    def of_ratio(self, k: int, *, first: int, last: int) -> float:
        """Return the standard error of the ln of quantity `k` in one group over that in another."""


@dataclass(frozen=True)
class SurfaceErrors:
    """Errors of weighted regressions: `moved` (4, group, reading) by the readings, `log_sd` (day,) of single days.

    `errors` (4, group) are the standard errors by the readings.
    """

    daily: Daily
    samples: Samples
    estimates: Array
    groups: tuple[Group, ...]
    moved: Array
    errors: Array
    log_sd: Array

    @classmethod
    def of(
        cls, surface: Surface, samples: Samples, *, daily: Daily, windows: Windows, scale: float
    ) -> SurfaceErrors:
        """Return the daily estimates of a surface and how they hang on the readings; `scale` widens the errors (optimism)."""
        sums = surface_sums(surface, daily)
        estimates = np.array([one @ surface.concentration.ravel() for one in sums])
        groups = (*years_of(daily.date), *months_of(daily.date))
        means = _means(groups, len(daily))
        weights = sparse.csr_array(sparse.vstack([means @ one for one in sums]))
        moved = scale * influences(surface, samples, daily=daily, windows=windows, weights=weights)
        log_sd = surface.at(surface.log_sd, log_q=daily.log_q, year=daily.year)
        shape = (len(sums), len(groups), len(samples))
        errors = standard_errors(moved, samples).reshape(shape[:2])
        return cls(daily, samples, estimates, groups, moved.reshape(shape), errors=errors, log_sd=log_sd)

    def of_means(self, g: int) -> Sequence[float]:
        """Return standard errors: of the readings, and for what truly passed also of the days between them."""
        rows = self.groups[g].rows
        day = self.daily.date[rows].astype(float)
        of_days = [daily_error(self.estimates[k, rows], self.log_sd[rows], day=day) for k in (0, 1)]
        return [float(one) for one in np.hypot(self.errors[:, g], [*of_days, 0.0, 0.0])]

    def of_ratio(self, k: int, *, first: int, last: int) -> float:
        """Return the standard error of the ln of a ratio, errors that both years share taken off."""
        means = [self.estimates[k, self.groups[g].rows].mean() for g in (first, last)]
        moved = self.moved[k, last] / means[1] - self.moved[k, first] / means[0]
        return float(standard_errors(moved[None], self.samples)[0])


@dataclass(frozen=True)
class RatingErrors:
    """Errors of a rating curve; `slopes` (2, day, p + 1): normalised concentration and load in the coefficients and sigma."""

    daily: Daily
    rating: Rating
    estimates: Array
    groups: tuple[Group, ...]
    design: Array
    slopes: Array

    @classmethod
    def of(cls, rating: Rating, daily: Daily) -> RatingErrors:
        """Return the daily estimates of a rating curve and how they hang on its coefficients."""
        design = rating.design(daily.log_q, daily.year)
        load = daily_loads(rating.fit, design)
        day, other = normalising_points(daily)
        rows = rating.design(daily.log_q[other], daily.year[day])
        loads = daily_loads(rating.fit, rows)
        count = np.bincount(day)
        slopes = np.empty((2, len(daily), rows.shape[1] + 1))
        normalised = np.empty((2, len(daily)))
        for k, each in enumerate((loads / (KG_PER_DAY * daily.discharge[other]), loads)):
            normalised[k] = np.bincount(day, each) / count
            for i in range(rows.shape[1]):
                slopes[k, :, i] = np.bincount(day, each * rows[:, i]) / count
            slopes[k, :, -1] = normalised[k] * rating.fit.sigma
        estimates = np.array([load / (KG_PER_DAY * daily.discharge), load, *normalised])
        groups = (*years_of(daily.date), *months_of(daily.date))
        return cls(daily, rating, estimates, groups, design, slopes)

    def of_means(self, g: int) -> Sequence[float]:
        """Return standard errors: of the coefficients, and for what truly passed also of each day (LOADEST's SEP)."""
        rows = self.groups[g].rows
        design = self.design[rows]
        per_load = 1.0 / (KG_PER_DAY * self.daily.discharge[rows])
        passed = [mean_load(self.rating.fit, design, factor=each) for each in (per_load, np.ones(len(rows)))]
        return [*(one.prediction_error for one in passed), *(self._error(self._slope(k, g)) for k in (0, 1))]

    def of_ratio(self, k: int, *, first: int, last: int) -> float:
        """Return the standard error of the ln of a ratio, errors that both years share taken off."""
        means = [self.estimates[k, self.groups[g].rows].mean() for g in (first, last)]
        return self._error(self._slope(k - 2, last) / means[1] - self._slope(k - 2, first) / means[0])

    def _slope(self, k: int, g: int) -> Array:
        return np.asarray(self.slopes[k, self.groups[g].rows].mean(axis=0))

    def _error(self, slope: Array) -> float:
        return float(np.sqrt(self.rating.fit.variance * slope @ self.rating.fit.spread @ slope))


def surface_sums(surface: Surface, daily: Daily) -> list[sparse.csr_array]:
    """Return the matrices (day, place) that make QUANTITIES of days from the flattened concentrations of a surface."""
    own, weights = surface.corners(daily.log_q, daily.year)
    day, other = normalising_points(daily)
    rows, shares = surface.corners(daily.log_q[other], daily.year[day])
    shares = shares / np.bincount(day)[day]
    to_load = KG_PER_DAY * daily.discharge
    days, shape = np.arange(len(daily)), (len(daily), surface.concentration.size)
    return [
        _summed(own, days, weights=weights, shape=shape),
        _summed(own, days, weights=weights * to_load, shape=shape),
        _summed(rows, day, weights=shares, shape=shape),
        _summed(rows, day, weights=shares * to_load[other], shape=shape),
    ]


def _summed(places: Index, day: Index, *, weights: Array, shape: tuple[int, int]) -> sparse.csr_array:
    at = np.broadcast_to(day, places.shape)
    return sparse.csr_array((weights.ravel(), (at.ravel(), places.ravel())), shape=shape)


def _means(groups: Sequence[Group], days: int) -> sparse.csr_array:
    """Return the matrix (group, day) that takes means over groups."""
    rows = np.concatenate([np.full(len(group.rows), g) for g, group in enumerate(groups)])
    columns = np.concatenate([group.rows for group in groups])
    shares = np.concatenate([np.full(len(group.rows), 1.0 / len(group.rows)) for group in groups])
    return sparse.csr_array((shares, (rows, columns)), shape=(len(groups), days))
