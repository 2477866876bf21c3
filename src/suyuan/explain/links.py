"""Whether a driver goes with the readings, and again with their changes, beyond chance: series that merely drift do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from suyuan.explain.mixing import hidden, lag_one
from suyuan.explain.response import Design, fitted
from suyuan.explain.table import StationTable

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MONTH_H = 30.0 * 24.0
"""The year is held against means of so many hours: from one reading to the next it does not change."""

CLOCKS = "hour", "year"
"""Drivers that are no series of readings: only what is left beside them can resemble the reading before."""


@dataclass(frozen=True)
class Remaining:
    """What drivers are held against: `value` (time,), NaN where nothing is known, at `hours` (time,).

    `tried` says of a driver in how many ways it was laid against the readings before the best was taken.
    """

    value: Array
    hours: Array
    tried: Mapping[str, int]

    def chance(self, name: str, columns: list[Array]) -> float:
        """Return the probability that a driver of these columns, each (time,), goes with the readings by chance: the larger of
        readings and changes, times the ways that were tried; 1 where the two differ in sign."""
        x, y = np.column_stack(columns), self.value
        known = np.isfinite(x).all(axis=1) & np.isfinite(y)
        x, y = x[known], y[known]
        if name == "year":
            month = np.unique(np.floor(self.hours[known] / MONTH_H), return_inverse=True)[1]
            both = np.column_stack([x, y]).astype(float)
            counts = np.bincount(month)[:, None]
            means = np.stack([np.bincount(month, one) for one in both.T], axis=1) / counts
            x, y = np.asarray(means[:, :-1], float), np.asarray(means[:, -1], float)
        p, slopes = chance_of(x, y, is_clock=name in CLOCKS)
        change_p, change_slopes = chance_of(np.diff(x, axis=0), np.diff(y), is_clock=name in CLOCKS)
        if not float(slopes @ change_slopes) > 0.0:
            return 1.0
        return min(1.0, max(p, change_p) * self.tried.get(name, 1))


def chance_of(columns: Array, value: Array, *, is_clock: bool = False) -> tuple[float, Array]:
    """Return the probability that columns (reading, column) explain as much of `value` (reading,) by chance, and their slopes.

    The F test of a regression, in which readings that resemble the one before count for less, as in `linked`. Beside a clock
    only what it leaves counts as resembling.

    >>> p, slopes = chance_of(np.arange(8.0)[:, None] % 3.0, 2.0 * (np.arange(8.0) % 3.0))
    >>> p < 1e-9, slopes.round(9).tolist()
    (True, [2.0])
    """
    readings, width = columns.shape
    if readings < width + 3 or np.ptp(value) == 0.0:
        return 1.0, np.zeros(width)
    x, y = columns - columns.mean(axis=0), value - value.mean()
    slopes = np.linalg.lstsq(x, y, rcond=None)[0]
    told = x @ slopes
    share = min(float(told @ told) / float(y @ y), 1.0)
    alike = max(0.0, lag_one(told) * lag_one(y - told if is_clock else y))
    free = readings * (1.0 - alike) / (1.0 + alike) - width - 1.0
    if free < 1.0:
        return 1.0, slopes
    ratio = (share / width) / max((1.0 - share) / free, 1e-15)
    return float(stats.f.sf(ratio, width, free)), slopes


def remaining(
    table: StationTable,
    determinand: str,
    *,
    design: Design,
    rows: Mask,
    tried: Mapping[str, int],
) -> Remaining:
    """Return what known releases, saturation and mixing leave of a determinand in the rows (time,), as a logarithm.

    `design` is of all times and has no modifiers. Flagged readings are left out unless most are flagged.
    """
    used = rows & ~hidden(table, determinand)
    value = table.column(determinand)
    within = design.where(used)
    response = fitted(value[used], within, weights=np.ones(int(used.sum())))
    made = within.scale * response.waters(within)
    ratio = (value[used] - within.release) / np.maximum(made, 1e-9 * (1.0 + made.max()))
    found = np.full(len(table), np.nan)
    found[used] = np.log(np.maximum(ratio, max(float(np.quantile(ratio, 0.05)), 1e-6)))
    return Remaining(found, table.hours, tried)
