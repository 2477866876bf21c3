"""What readings tell of the days around them: the day of a reading is as read, and what it differs from its regression fades.

Errors of ln c follow a first-order autoregression from day to day (WRTDS-K: Zhang and Hirsch, 2019, Water Resour. Res. 55,
9705, who draw what is here in closed form: given the readings on either side, the errors between them are a bridge).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.loads.record import Daily, Samples

Array = NDArray[np.float64]
Index = NDArray[np.int64]

DAY_TO_DAY = 0.9
"""Correlation of the errors of one day and the next (Zhang and Hirsch, 2019), unless readings say otherwise."""

SAYS_OTHERWISE = 2.0
"""Log-likelihood by which another correlation must be better than DAY_TO_DAY to be taken."""


@dataclass(frozen=True)
class Carried:
    """What the nearest readings make of every day (day,).

    `factor` multiplies the estimate of the regression, `share` of its error is known from readings, `gap` numbers the days
    between the same two readings, `before` and `after` are the days to them, inf where there is none, `day` counts days.
    `lasting` is the correlation of errors from one day to the next.
    """

    lasting: float
    day: Array
    factor: Array
    share: Array
    gap: Index
    before: Array
    after: Array

    def correlation(self, rows: Index) -> Array:
        """Return the covariance of what is still not known of the errors of some days, over their variance, (row, row)."""
        before, after, day = self.before[rows], self.after[rows], self.day[rows]
        since, until = np.minimum.outer(before, before), np.minimum.outer(after, after)
        apart, rho = np.abs(day[:, None] - day[None, :]), self.lasting
        whole = 1.0 - rho ** (2.0 * (before + after))
        found = rho**apart * (1.0 - rho ** (2.0 * since)) * (1.0 - rho ** (2.0 * until))
        found = found / np.where(whole > 0.0, whole, 1.0)[:, None]
        return np.where(self.gap[rows][:, None] == self.gap[rows][None, :], found, 0.0)


def how_lasting(samples: Samples, error: Array) -> float:
    """Return the correlation of errors from one day to the next: DAY_TO_DAY unless the readings are far from it.

    `error` (reading,) are residuals of ln readings over their standard deviation; those known exactly count. Readings a month
    apart say nothing of it.
    """
    known = samples.is_known
    day, drawn = samples.date[known].astype("datetime64[D]").astype(float), error[known]
    if len(drawn) < 3:
        return DAY_TO_DAY
    drawn = drawn / np.sqrt(np.mean(drawn**2))
    tried = np.append(np.arange(0.0, 0.99, 0.02), DAY_TO_DAY)
    fades = tried[:, None] ** np.diff(day)
    left = 1.0 - fades**2
    likelihood = -0.5 * (np.log(left) + (drawn[1:] - fades * drawn[:-1]) ** 2 / left).sum(axis=1)
    best = int(likelihood.argmax())
    return float(tried[best]) if likelihood[best] > likelihood[-1] + SAYS_OTHERWISE else DAY_TO_DAY


def carry(
    samples: Samples, daily: Daily, *, estimate: Array, log_mean: Array, log_sd: Array, lasting: float
) -> Carried:
    """Return what readings known exactly tell of all days; `estimate` is the mean concentration of the regression (day,).

    >>> from suyuan.loads.record import Daily, Samples
    >>> daily = Daily.of(np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]"), np.ones(3))
    >>> samples = Samples.of(daily.date[:1], low=np.array([2.0]), high=np.array([2.0]), daily=daily)
    >>> found = carry(samples, daily, estimate=np.ones(3), log_mean=np.zeros(3), log_sd=np.full(3, 1e-9), lasting=0.9)
    >>> found.share.round(2).tolist()
    [1.0, 0.9, 0.81]
    """
    known = samples.is_known
    day, at = daily.date.astype(np.int64), samples.date[known].astype("datetime64[D]").astype(np.int64)
    rows = np.searchsorted(day, at)
    error = np.append(
        (np.log(samples.high[known]) - log_mean[rows]) / log_sd[rows], 0.0
    )  # the last for no reading
    last, coming = np.searchsorted(at, day, side="right") - 1, np.searchsorted(at, day)
    place = np.append(at, 0)
    before = np.where(last >= 0, day - place[last], np.inf)
    after = np.where(coming < len(at), place[coming] - day, np.inf)
    a, b, is_read = lasting**before, lasting**after, before == 0.0
    whole = np.where(is_read, 1.0, 1.0 - (a * b) ** 2)
    from_last = np.where(is_read, 1.0, a * (1.0 - b**2) / whole)
    from_coming = b * (1.0 - a**2) / whole
    left = (1.0 - a**2) * (1.0 - b**2) / whole
    mean = from_last * error[last] + from_coming * error[coming]
    factor = np.exp(log_sd * mean + 0.5 * log_sd**2 * (left - 1.0))
    factor[rows] = samples.high[known] / estimate[rows]
    return Carried(lasting, day.astype(float), factor, from_last + from_coming, last, before, after)
