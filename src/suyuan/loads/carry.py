"""What readings tell of the days around them: the day of a reading is as read, and what it differs from its regression fades.

Errors of ln c follow a first-order autoregression from day to day (WRTDS-K: Zhang and Hirsch, 2019, Water Resour. Res. 55,
9705, who draw what is here in closed form: given the readings on either side, the errors between them are a bridge).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.loads.bridge import bridge, sites, sites_together
from suyuan.loads.record import Daily, Samples

Array = NDArray[np.float64]
Index = NDArray[np.int64]

DAY_TO_DAY = 0.9
"""Correlation of the errors of one day and the next (Zhang and Hirsch, 2019), unless readings say otherwise."""

SAYS_OTHERWISE = 2.0
"""Log-likelihood by which another correlation must be better than DAY_TO_DAY to be taken."""


@dataclass(frozen=True)
class Carried:
    """What the readings make of every day (day,).

    `factor` multiplies the estimate of the regression, `share` of its error is known from readings, `left` is the variance of
    the error that is not, over the whole, and `fade` what of it passes to the next day. `lasting` is the correlation of errors
    from one day to the next.
    """

    lasting: float
    factor: Array
    share: Array
    left: Array
    fade: Array

    def correlation(self, rows: Index) -> Array:
        """Return the covariance of what is still not known of the errors of some days, over their variance, (row, row)."""
        stops = np.concatenate([[0], np.cumsum(self.fade == 0.0)])[rows]
        logs = np.concatenate([[0.0], np.cumsum(np.log(np.where(self.fade == 0.0, 1.0, self.fade)))])[rows]
        first, last = np.minimum.outer(rows, rows), np.maximum.outer(rows, rows)
        passed = np.exp(-np.abs(np.subtract.outer(logs, logs)))
        left = np.where(first == rows[:, None], self.left[last], self.left[rows][:, None])
        return np.where(np.equal.outer(stops, stops), passed * left, 0.0)


def how_lasting(samples: Samples, bounds: Array) -> float:
    """Return the correlation of errors from one day to the next: DAY_TO_DAY unless the readings are far from it.

    `bounds` (2, reading) are those of residuals of ln readings over their standard deviation; what is known only to lie
    between them counts as a reading with the noise of that. Readings a month apart say nothing of it.
    """
    if bounds.shape[1] < 3:
        return DAY_TO_DAY
    day = samples.date.astype("datetime64[D]").astype(float)
    value, noise = sites(*bounds)
    value = value / np.sqrt(np.mean(value**2 / (1.0 + noise)))
    tried = np.append(np.arange(0.0, 0.99, 0.02), DAY_TO_DAY)
    likelihood, mean, left = np.zeros((3, len(tried)))
    for fade, y, r in zip(
        [np.zeros(len(tried)), *(tried ** np.diff(day)[:, None])], value, noise, strict=True
    ):
        mean, left = fade * mean, fade**2 * left + 1.0 - fade**2
        spread = left + r
        likelihood = likelihood - 0.5 * (np.log(spread) + (y - mean) ** 2 / spread)
        mean, left = mean + left / spread * (y - mean), left * r / spread
    best = int(likelihood.argmax())
    return float(tried[best]) if likelihood[best] > likelihood[-1] + SAYS_OTHERWISE else DAY_TO_DAY


def carry(
    samples: Samples, daily: Daily, *, estimate: Array, log_mean: Array, log_sd: Array, lasting: float
) -> Carried:
    """Return what readings tell of all days; `estimate` is the mean concentration of the regression (day,).

    A reading that is known only to lie between bounds tells what is likely between them: known ones alone lie above their
    regression where others are below detection, and would carry that to the days around.

    >>> from suyuan.loads.record import Daily, Samples
    >>> daily = Daily.of(np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]"), np.ones(3))
    >>> samples = Samples.of(daily.date[:1], low=np.array([2.0]), high=np.array([2.0]), daily=daily)
    >>> found = carry(samples, daily, estimate=np.ones(3), log_mean=np.zeros(3), log_sd=np.full(3, 1e-9), lasting=0.9)
    >>> found.share.round(2).tolist()
    [1.0, 0.9, 0.81]
    """
    day = daily.date.astype(float)
    rows = np.searchsorted(daily.date, samples.date)
    low, high = (samples.logs[2:] - log_mean[rows]) / log_sd[rows]
    seen, noise = np.zeros(len(day)), np.full(len(day), np.inf)
    seen[rows], noise[rows] = sites_together(day[rows], low=low, high=high, lasting=lasting)
    found = bridge(day, seen=seen, noise=noise, lasting=lasting)
    factor = np.exp(log_sd * found.mean + 0.5 * log_sd**2 * (found.left - 1.0))
    known = samples.is_known
    factor[rows[known]] = samples.high[known] / estimate[rows[known]]
    return Carried(lasting, factor, found.share, found.left, found.fade)
