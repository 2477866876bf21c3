"""What readings tell of the days around them: the day of a reading is as read, and what it differs from its regression fades.

Errors of ln c follow a first-order autoregression from day to day (WRTDS-K: Zhang and Hirsch, 2019, Water Resour. Res. 55,
9705, who draw what is here in closed form: given the readings on either side, the errors between them are a bridge).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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


class Lasting(NamedTuple):
    """The `likely` correlation of errors from one day to the next, and whether readings do not exclude errors of single days."""

    likely: float
    can_be_fleeting: bool


class Neighbours(NamedTuple):
    """Between which readings each day lies (day,): rows `before` and `after` of the readings, what `part` of what is carried
    comes from the one before, and whether the day `is_read` itself.
    """

    before: Index
    after: Index
    part: Array
    is_read: NDArray[np.bool_]


@dataclass(frozen=True)
class Carried:
    """What the readings make of every day (day,).

    `factor` multiplies the estimate of the regression, `share` of its error is known from readings, `left` is the variance of
    the error that is not, over the whole, and `fade` what of it passes to the next day. `near` are the readings that tell.
    """

    lasting: Lasting
    near: Neighbours
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

    def fleeting_error(self, values: Array, log_sd: Array, *, rows: Index) -> float:
        """Return the standard error of the mean of `values` (row,) were all errors those of single days.

        What a reading differs by is then wrongly carried to the days around it, and days that were not read err each by its own.
        """
        before, after, part, is_read = (one[rows] for one in self.near)
        wrongly = np.where(is_read, 0.0, values * log_sd * self.share[rows])
        by_reading = np.bincount(
            np.concatenate([before, after]), np.concatenate([wrongly * part, wrongly * (1.0 - part)])
        )
        own = values**2 * np.expm1(log_sd**2 * np.where(is_read, self.left[rows], 1.0))
        return float(np.sqrt((by_reading**2).sum() + own.sum()) / len(values))


def how_lasting(samples: Samples, bounds: Array) -> Lasting:
    """Return the correlation of errors from one day to the next: DAY_TO_DAY unless the readings are far from it.

    `bounds` (2, reading) are those of residuals of ln readings over their standard deviation; what is known only to lie
    between them counts as a reading with the noise of that. Readings a month apart say nothing of it.
    """
    if bounds.shape[1] < 3:
        return Lasting(DAY_TO_DAY, True)
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
    is_other = likelihood[best] > likelihood[-1] + SAYS_OTHERWISE
    can_be_fleeting = likelihood[0] >= likelihood[best] - SAYS_OTHERWISE
    return Lasting(float(tried[best]) if is_other else DAY_TO_DAY, bool(can_be_fleeting))


def neighbours(day: Array, read: Index, *, lasting: float) -> Neighbours:
    """Return the readings on either side of each day (day,), of which rows `read` were read, and how a bridge weighs them.

    A day a after one reading and b before the next takes lasting^a (1 - lasting^2b) of the first, and of the second in turn:

    >>> neighbours(np.arange(5.0), np.array([1, 4]), lasting=0.9).part.round(3).tolist()
    [1.0, 1.0, 0.668, 0.332, 1.0]
    """
    at = np.searchsorted(read, np.arange(len(day)), side="right")
    before, after = np.maximum(at - 1, 0), np.minimum(at, len(read) - 1)
    since, until = np.abs(day - day[read[before]]), np.abs(day[read[after]] - day)
    first, second = (lasting**a * (1.0 - lasting ** (2.0 * b)) for a, b in ((since, until), (until, since)))
    is_read = np.isin(np.arange(len(day)), read)
    part = np.where(is_read | (before == after), 1.0, first / np.maximum(first + second, 1e-300))
    return Neighbours(before, after, part, is_read)


def carry(
    samples: Samples, daily: Daily, *, estimate: Array, log_mean: Array, log_sd: Array, lasting: Lasting
) -> Carried:
    """Return what readings tell of all days; `estimate` is the mean concentration of the regression (day,).

    A reading that is known only to lie between bounds tells what is likely between them: known ones alone lie above their
    regression where others are below detection, and would carry that to the days around.

    >>> from suyuan.loads.record import Daily, Samples
    >>> daily = Daily.of(np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]"), np.ones(3))
    >>> samples = Samples.of(daily.date[:1], low=np.array([2.0]), high=np.array([2.0]), daily=daily)
    >>> fit, lasting = dict(estimate=np.ones(3), log_mean=np.zeros(3), log_sd=np.full(3, 1e-9)), Lasting(0.9, False)
    >>> found = carry(samples, daily, **fit, lasting=lasting)
    >>> found.share.round(2).tolist()
    [1.0, 0.9, 0.81]
    """
    day = daily.date.astype(float)
    rows = np.searchsorted(daily.date, samples.date)
    low, high = (samples.logs[2:] - log_mean[rows]) / log_sd[rows]
    seen, noise = np.zeros(len(day)), np.full(len(day), np.inf)
    seen[rows], noise[rows] = sites_together(day[rows], low=low, high=high, lasting=lasting.likely)
    found = bridge(day, seen=seen, noise=noise, lasting=lasting.likely)
    factor = np.exp(log_sd * found.mean + 0.5 * log_sd**2 * (found.left - 1.0))
    known = samples.is_known
    factor[rows[known]] = samples.high[known] / estimate[rows[known]]
    near = neighbours(day, rows, lasting=lasting.likely)
    return Carried(lasting, near, factor, found.share, found.left, found.fade)
