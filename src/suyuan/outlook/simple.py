"""What a forecast must beat: persistence, damped persistence, climatology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.outlook.level import season

Array = NDArray[np.float64]

WHOLE_YEAR = 330
"""Days that a record must span before it has a season: a part of a wave would make climatology a rival of straw."""

FEWEST = 20
"""Pairs of days that a damping rate needs; with fewer the anomaly is taken to be gone."""


@dataclass(frozen=True)
class Simple:
    """The three simple forecasts of one horizon, made on each day (day,): NaN on days without a reading, but for climatology.

    `damped_sd` is the standard deviation of the errors of damped persistence where it was learnt.
    """

    persistence: Array
    damped: Array
    climatology: Array
    damped_sd: float


def simple_of(level: Array, days: NDArray[np.datetime64], *, learnt: int, horizon: int) -> Simple:
    """Return the simple forecasts of a level (day,), with season and damping rate learnt from the first `learnt` days.

    Damped persistence is season(t + h) + r (z(t) - season(t)), r the least-squares slope of the anomaly at t + h on that
    at t: of a first-order autoregression, phi^h. Where nothing is left of the anomaly, it is the season:

    >>> days = np.datetime64("2024-01-01") + np.arange(366)
    >>> swing = 5.0 + np.cos(2 * np.pi * np.arange(366) / 365.2425)
    >>> round(float(simple_of(swing, days, learnt=366, horizon=3).climatology[0]), 4)
    5.9987
    """
    columns, later = season(days), season(days + horizon)
    known = np.flatnonzero(np.isfinite(level[:learnt]))
    is_short = len(known) == 0 or known[-1] - known[0] < WHOLE_YEAR
    weight = np.diag([1e-9, *((1e9, 1e9) if is_short else (0.1, 0.1))])
    x = columns[known]
    fitted = np.linalg.solve(x.T @ x + weight, x.T @ level[known])
    anomaly = level - columns @ fitted
    first, second = anomaly[: learnt - horizon], anomaly[horizon:learnt]
    both = np.isfinite(first) & np.isfinite(second)
    rate = 0.0
    if both.sum() >= FEWEST and float(first[both] @ first[both]) > 0.0:
        rate = float(first[both] @ second[both] / (first[both] @ first[both]))
    left = second[both] - rate * first[both] if both.any() else anomaly[known]
    climatology = later @ fitted
    return Simple(level, climatology + rate * anomaly, climatology, max(float(left.std()), 1e-6))
