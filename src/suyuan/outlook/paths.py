"""What a month's remaining days may average: whole paths, whose errors hang together in time as they did in the past."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.outlook.level import path_covariance
from suyuan.outlook.rolled import HORIZONS, Rolled

Array = NDArray[np.float64]

PATHS = 400
"""Equally likely means that stand for the rest of a month."""

DRAWN = 4000
"""Paths drawn from the motion: with as few as PATHS the chance of a month would move by 2 points from seed to seed."""

TAIL = 6.0
"""Degrees of freedom of the drawn errors: a path is wider or narrower as a whole (Student's t)."""

MOST_ERROR = 4.0
"""Standardised errors beyond this are taken as this: the exponential of a fault is no concentration."""

FULL_ENOUGH = 0.4
"""Share of its days with a reading from which a path of the past counts."""

OWN_FROM = 200.0
"""So many paths of the past weigh as much as those drawn; neighbouring days have nearly the same path."""


def rest_means(rolled: Rolled, row: int, *, days: int, rng: np.random.Generator) -> Array:
    """Return equally likely means (PATHS,) of the `days` days after day `row`, in what may be averaged.

    Part of them end as the errors of past forecasts did, day by day (only those known on day `row`), the others as the
    motion says; the longer the past, the more of the former.
    """
    past, drawn = past_means(rolled, row, days=days), _drawn_means(rolled, row, days=days, rng=rng)
    own = past[np.isfinite(past)]
    count = round(len(own) / (len(own) + OWN_FROM) * PATHS)
    return np.concatenate([_picked(own, count), _picked(drawn, PATHS - count)])


def _picked(means: Array, count: int) -> Array:
    """Return so many quantiles of means, equally likely."""
    return np.quantile(means, (np.arange(count) + 0.5) / count) if count else np.empty(0)


def past_means(rolled: Rolled, row: int, *, days: int) -> Array:
    """Return the means (day,) that the errors of the forecasts of each past day would lead to, had they been made on day `row`.

    NaN for days whose path is not over on day `row` or has too few readings.
    """
    errors = rolled.known_errors(row)[:, :days]
    errors[max(row + 1 - days, 0) :] = np.nan
    known = np.isfinite(errors)
    level = rolled.mean[row, :days] + rolled.sd[row, :days] * np.where(
        known, np.clip(errors, -MOST_ERROR, MOST_ERROR), 0.0
    )
    count = known.sum(axis=1)
    mean = (_floored(rolled, level, row=row) * known).sum(axis=1) / np.maximum(count, 1)
    return np.asarray(np.where(count >= FULL_ENOUGH * days, mean, np.nan))


def _drawn_means(rolled: Rolled, row: int, *, days: int, rng: np.random.Generator) -> Array:
    """Return the means (DRAWN,) of paths drawn from the motion."""
    refit = rolled.refits[rolled.row_refit[row]]
    followed = refit.followed[rolled.daily.determinand]
    covariance = path_covariance(followed, rolled.daily.days[row], row=row, horizons=HORIZONS[:days])
    root = np.linalg.cholesky(covariance)
    width = np.sqrt((TAIL - 2.0) / rng.chisquare(TAIL, DRAWN))
    errors = (rng.standard_normal((DRAWN, days)) * width[:, None]) @ root.T
    return np.asarray(_floored(rolled, rolled.mean[row, :days] + errors, row=row).mean(axis=1))


def _floored(rolled: Rolled, level: Array, *, row: int) -> Array:
    """Return the means of levels, none below where the instrument ends."""
    floor = rolled.daily.until(rolled.daily.days[row]).floor
    return np.maximum(rolled.daily.scale.mean(level), floor)
