"""How far estimates of years could be off: by the readings that happened to be taken, and by days that were not sampled.

The estimates are smooth functions of the readings' weights. Their slopes (infinitesimal jackknife), summed with weights that
fall to 0 over BLOCK_DAYS, give the variance of a statistic of readings that are dependent within that time (Bartlett's window as
by Newey and West, 1987, Econometrica 55, 703): the limit of a block bootstrap (Hirsch, Archfield and De Cicco, 2015, Environ.
Model. Softw. 73, 148, who use blocks of 200 days) without drawing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.loads.local import local_influences
from suyuan.loads.record import Daily, Samples
from suyuan.loads.wrtds import Surface, Windows, edges_of, fit_places

Array = NDArray[np.float64]

BLOCK_DAYS = 200.0
"""Readings further apart than this are taken to err independently."""

READINGS_AT_ONCE = 200
"""Readings whose dependence on others is summed at once."""

PLACES_AT_ONCE = 256
"""Places of the surface whose influences are held in memory at once."""


def influences(
    surface: Surface, samples: Samples, *, daily: Daily, windows: Windows, weights: sparse.csr_array
) -> Array:
    """Return how weighted sums of the surface's concentrations move with each reading's weight, (sum, reading).

    `weights` (sum, place) are those of the flattened surface, in units of the sums per g/m3.
    """
    log_q, year = np.meshgrid(surface.log_q, surface.year, indexing="ij")
    concentration, sd = surface.concentration.ravel(), surface.log_sd.ravel()
    edges, logs = edges_of(daily, windows), samples.logs
    found = np.zeros((weights.shape[0], len(samples)))
    by_place = weights.tocsc()
    used = np.flatnonzero(np.diff(by_place.indptr))
    for start in range(0, len(used), PLACES_AT_ONCE):
        rows = used[start : start + PLACES_AT_ONCE]
        moved = local_influences(year.ravel()[rows], log_q.ravel()[rows], logs, edges, windows.array)
        in_concentration = concentration[rows, None] * (moved[:, 0] + sd[rows, None] * moved[:, 1])
        found += by_place[:, rows] @ in_concentration
    return found


def optimism(samples: Samples, daily: Daily, *, windows: Windows, left_out: Array) -> float:
    """Return by how much readings lie further from fits that do not know them than from those that do, 1 or more.

    Slopes are made of residuals of fits that know the reading, which are too small; the jackknife has those of fits without it.
    `left_out` (reading, 3) as from cross_validation.
    """
    known = samples.is_known
    fitted = fit_places(samples, daily, windows=windows, places=(samples.log_q, samples.year))
    log_c = np.log(samples.high[known])
    own, others = (float(((log_c - fit[known, 0]) ** 2).sum()) for fit in (fitted, left_out))
    return max(float(np.sqrt(others / own)), 1.0)


def standard_errors(moved: Array, samples: Samples) -> Array:
    """Return the standard error of each statistic from its slopes in the readings' weights (statistic, reading).

    Readings are in order of time. Never less than if readings were independent: with few blocks the window's sum errs low.
    """
    day = samples.date.astype("datetime64[D]").astype(float)
    variance = np.zeros(len(moved))
    for start in range(0, len(day), READINGS_AT_ONCE):
        own = slice(start, start + READINGS_AT_ONCE)
        reach = slice(*np.searchsorted(day, [day[own][0] - BLOCK_DAYS, day[own][-1] + BLOCK_DAYS]))
        near = np.maximum(1.0 - np.abs(day[reach, None] - day[None, own]) / BLOCK_DAYS, 0.0)
        variance += ((moved[:, reach] @ near) * moved[:, own]).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(variance, (moved**2).sum(axis=1))))


def daily_error(values: Array, log_sd: Array, *, correlation: Array) -> float:
    """Return the standard error of the mean of `values` (day,) from what each day differs from its estimate.

    Errors are lognormal with `log_sd` (day,), the `correlation` (day, day) of their logs 0 for days that were read.
    """
    covariance = np.outer(values, values) * np.expm1(np.outer(log_sd, log_sd) * correlation)
    return float(np.sqrt(max(covariance.sum(), 0.0)) / len(values))
