"""Daily estimates of each method, and how sure their means over years and months are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.loads.carry import Carried, carry, how_lasting
from suyuan.loads.periods import Group, ends_of, months_of, years_of
from suyuan.loads.rating import Rating
from suyuan.loads.record import KG_PER_DAY, Daily, Samples
from suyuan.loads.spread import daily_error, influences, optimism, standard_errors
from suyuan.loads.unbiased import daily_loads
from suyuan.loads.wrtds import Surface, Windows, normalising_points

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Errors:
    """Daily estimates of QUANTITIES (4, day), and how sure their means over groups of days are.

    `moved` (4, group, reading) is how the means move with the log of each reading's weight, `errors` (4, group) their standard
    errors by the readings, `log_sd` (day,) by how much single days differ from their regression, `carried` what readings tell of
    the days around them.
    """

    daily: Daily
    samples: Samples
    estimates: Array
    groups: tuple[Group, ...]
    moved: Array
    errors: Array
    log_sd: Array
    carried: Carried

    @classmethod
    def of(
        cls,
        samples: Samples,
        daily: Daily,
        *,
        estimates: Array,
        moved: Array,
        log_sd: Array,
        carried: Carried,
    ) -> Errors:
        """Return errors of estimates whose means over years, then months, move by `moved` (4 times group, reading)."""
        groups = groups_of(samples, daily)
        errors = standard_errors(moved, samples).reshape(4, len(groups))
        return cls(
            daily, samples, estimates, groups, moved.reshape(4, len(groups), -1), errors, log_sd, carried
        )

    def of_means(self, g: int) -> Sequence[float]:
        """Return standard errors: of the readings, and for what truly passed also of the days between them.

        Where readings do not exclude that errors are of single days, the larger of both.
        """
        rows, carried = self.groups[g].rows, self.carried
        values, log_sd = self.estimates[:2, rows], self.log_sd[rows]
        correlation = carried.correlation(rows)
        of_days = [daily_error(each, log_sd, correlation=correlation) for each in values]
        if carried.lasting.can_be_fleeting:
            fleeting = [carried.fleeting_error(each, log_sd, rows=rows) for each in values]
            of_days = np.maximum(of_days, fleeting).tolist()
        return [float(one) for one in np.hypot(self.errors[:, g], [*of_days, 0.0, 0.0])]

    def of_ratio(self, k: int, *, first: int, last: int) -> float:
        """Return the standard error of the ln of a quantity in one group over that in another, shared errors taken off."""
        means = [self.estimates[k, self.groups[g].rows].mean() for g in (first, last)]
        moved = self.moved[k, last] / means[1] - self.moved[k, first] / means[0]
        return float(standard_errors(moved[None], self.samples)[0])


def surface_errors(
    surface: Surface, samples: Samples, *, daily: Daily, windows: Windows, left_out: Array
) -> Errors:
    """Return the daily estimates of a surface and how they hang on the readings; `left_out` as from cross_validation."""
    sums = surface_sums(surface, daily)
    estimates = np.array([one @ surface.concentration.ravel() for one in sums])
    log_mean, log_sd = (
        surface.at(values, log_q=daily.log_q, year=daily.year)
        for values in (surface.log_mean, surface.log_sd)
    )
    lasting = how_lasting(samples, (samples.logs[2:] - left_out[:, 0]) / left_out[:, 1])
    carried = carry(samples, daily, estimate=estimates[0], log_mean=log_mean, log_sd=log_sd, lasting=lasting)
    estimates[:2] *= carried.factor
    left = sparse.diags_array(carried.factor * (1.0 - carried.share))
    sums[:2] = [left @ one for one in sums[:2]]
    means = _means(groups_of(samples, daily), len(daily))
    weights = sparse.csr_array(sparse.vstack([means @ one for one in sums]))
    scale = optimism(samples, daily, windows=windows, left_out=left_out)
    moved = scale * influences(surface, samples, daily=daily, windows=windows, weights=weights)
    return Errors.of(samples, daily, estimates=estimates, moved=moved, log_sd=log_sd, carried=carried)


def rating_errors(rating: Rating, samples: Samples, *, daily: Daily) -> Errors:
    """Return the daily estimates of a rating curve and how they hang on the readings."""
    fit = rating.fit
    own = rating.design(daily.log_q, daily.year)
    load, to_load = daily_loads(fit, own), KG_PER_DAY * daily.discharge
    day, other = normalising_points(daily)
    rows = rating.design(daily.log_q[other], daily.year[day])
    loads, count = daily_loads(fit, rows), np.bincount(day)
    estimates, slopes = np.empty((4, len(daily))), np.empty((4, len(daily), len(fit.spread)))
    for k, each in enumerate((load / to_load, load)):
        estimates[k], slopes[k, :, :-1] = each, each[:, None] * own
    for k, each in enumerate((loads / to_load[other], loads), start=2):
        estimates[k] = np.bincount(day, each) / count
        for i in range(rows.shape[1]):
            slopes[k, :, i] = np.bincount(day, each * rows[:, i]) / count
    slopes[:, :, -1] = estimates * fit.sigma
    log_sd = np.full(len(daily), np.sqrt(fit.variance))
    log_mean = own @ fit.adjusted - np.log(to_load)
    residual = samples.logs[2:] + samples.log_q + np.log(KG_PER_DAY)
    residual = residual - rating.design(samples.log_q, samples.year) @ fit.adjusted
    lasting = how_lasting(samples, residual / log_sd[0])
    carried = carry(samples, daily, estimate=estimates[0], log_mean=log_mean, log_sd=log_sd, lasting=lasting)
    estimates[:2] *= carried.factor
    slopes[:2] *= (carried.factor * (1.0 - carried.share))[:, None]
    scale = np.sqrt(fit.variance) / fit.sigma  # residuals of the fit are too small by this
    means = _means(groups_of(samples, daily), len(daily))
    moved = scale * np.concatenate([(means @ slope) @ fit.moved for slope in slopes])
    return Errors.of(samples, daily, estimates=estimates, moved=moved, log_sd=log_sd, carried=carried)


def groups_of(samples: Samples, daily: Daily) -> tuple[Group, ...]:
    """Return the years of a record, then its months, then the two ends of its trend where there are two."""
    return (*years_of(daily.date), *months_of(daily.date), *ends_of(daily.date, samples.date))


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
