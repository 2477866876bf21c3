"""One regression for each place in time and flow, weighted by how near readings are to it, compiled.

ln c = b0 + b1 t + b2 ln Q + b3 sin(2 pi t) + b4 cos(2 pi t) + error, with tricube weights in time, flow and season (Hirsch,
Moyer and Archfield, 2010, J. Am. Water Resour. Assoc. 46, 857, equations 2 to 4).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel
from suyuan.loads.likelihood import add_reading, back_substitute, fit_censored

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WIDER = 1.1
"""Windows that hold too few readings are widened by this factor until they hold enough."""

WIDENED_AT_MOST = 200
"""... but not more often: by then every reading is inside but those of exactly the opposite season."""


@kernel
def tricube(distance: float, half_width: float) -> float:
    """Return the tricube weight of a reading at this distance, 0 from `half_width` on."""
    ratio = abs(distance) / half_width
    return (1.0 - ratio**3) ** 3 if ratio < 1.0 else 0.0


@kernel
def weigh(  # noqa: PLR0913, PLR0917  (a kernel takes arrays)
    year: float, log_q: float, samples: Array, windows: Array, in_years: float, left_out: int, weights: Array
) -> int:
    """Put the weight of each reading at (year, log_q) into `weights` (reading,) and return how many are above 0.

    `samples` as in gather; `windows` holds the half widths in years (`in_years` is used), in ln Q and in season [years], and
    the least number of readings and of those known exactly that they must hold. Reading `left_out` has no
    weight; the number of readings leaves out none.
    """
    in_flow, in_season = windows[1], windows[2]
    count = 0
    for _ in range(WIDENED_AT_MOST):
        count, exact = 0, 0
        for o in range(len(weights)):
            apart = abs(samples[0, o] - year)
            weights[o] = 0.0
            if apart > in_years or o == left_out:
                continue
            weight = tricube(samples[1, o] - log_q, in_flow)
            if weight > 0.0:
                season = min(math.ceil(apart) - apart, apart - math.floor(apart))
                weight *= tricube(apart, in_years) * tricube(season, in_season)
            if weight > 0.0:
                weights[o] = weight
                count += 1
                exact += samples[2, o] == samples[3, o]
        if count >= windows[3] and exact >= windows[4]:
            break
        in_years, in_flow = in_years * WIDER, in_flow * WIDER
        if windows[2] <= 0.5:
            in_season = min(in_season * WIDER, 0.5)
    return count


@kernel
def gather(
    year: float, log_q: float, samples: Array, weights: Array, count: int
) -> tuple[Array, Array, Array, Array, Index]:
    """Return regressors centred on the place, bounds, weights of mean 1, and rows of the readings with a weight.

    `samples` (4, reading): decimal year, ln Q, and the bounds of ln c.
    """
    rows, low, high = np.empty((count, 5)), np.empty(count), np.empty(count)
    own, of = np.empty(count), np.empty(count, np.int64)
    n, total = 0, 0.0
    for o in range(len(weights)):
        if weights[o] > 0.0:
            angle = 2.0 * math.pi * samples[0, o]
            rows[n, 0] = 1.0
            rows[n, 1] = samples[0, o] - year
            rows[n, 2] = samples[1, o] - log_q
            rows[n, 3], rows[n, 4] = math.sin(angle), math.cos(angle)
            low[n], high[n] = samples[2, o], samples[3, o]
            own[n], of[n] = weights[o], o
            total += weights[o]
            n += 1
    for o in range(n):
        own[o] *= n / total
    return rows, low, high, own, of


@kernel
def local_fits(
    years: Array, log_qs: Array, samples: Array, edges: Array, windows: Array, left_out: Index
) -> Array:
    """Return the mean of ln c, its standard deviation and the mean of c at each place, (place, 3); NaN where no fit is.

    `years`, `log_qs` (place,); `samples` (4, reading); `edges` first and last year of the record, towards which windows in time
    are widened so that they keep their whole width, NaN for windows that are cut there; `left_out` (place,) the reading that a
    fit must not know, the number of readings for none.
    """
    found = np.empty((len(years), 3))
    weights, at, factor = np.empty(samples.shape[1]), np.empty(6), np.empty((6, 6))
    for place in range(len(years)):
        year, log_q = years[place], log_qs[place]
        wide = reach(year, edges, windows[0])
        count = weigh(year, log_q, samples, windows, wide, left_out[place], weights)
        rows, low, high, near, _ = gather(year, log_q, samples, weights, count)
        value = fit_censored(rows, low, high, near, at, factor)
        angle, scale = 2.0 * math.pi * year, 1.0 / at[5]
        mean = (at[0] + at[3] * math.sin(angle) + at[4] * math.cos(angle)) * scale
        if math.isnan(value):
            mean = scale = math.nan
        found[place, 0], found[place, 1] = mean, scale
        found[place, 2] = math.exp(mean + 0.5 * scale * scale)
    return found


@kernel
def local_influences(years: Array, log_qs: Array, samples: Array, edges: Array, windows: Array) -> Array:
    """Return how the log mean and log sd at each place move with the weight of each reading, (place, 2, reading).

    Arguments as of local_fits. A row is the slope of the fit in the log of a reading's weight: the infinitesimal jackknife
    (Jaeckel, 1972; Efron, 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6).
    """
    count_all = samples.shape[1]
    moved = np.zeros((len(years), 2, count_all))
    weights, at, factor = np.empty(count_all), np.empty(6), np.empty((6, 6))
    score, unused = np.empty(6), np.empty((6, 6))
    to_mean, to_sd = np.empty(6), np.empty(6)
    for place in range(len(years)):
        year, log_q = years[place], log_qs[place]
        wide = reach(year, edges, windows[0])
        count = weigh(year, log_q, samples, windows, wide, count_all, weights)
        rows, low, high, near, of = gather(year, log_q, samples, weights, count)
        if math.isnan(fit_censored(rows, low, high, near, at, factor)):
            continue
        angle, scale = 2.0 * math.pi * year, 1.0 / at[5]
        to_mean[0], to_mean[1], to_mean[2] = scale, 0.0, 0.0
        to_mean[3], to_mean[4] = math.sin(angle) * scale, math.cos(angle) * scale
        mean = (at[0] + at[3] * math.sin(angle) + at[4] * math.cos(angle)) * scale
        to_mean[5] = -mean * scale
        for i in range(5):
            to_sd[i] = 0.0
        to_sd[5] = -scale * scale
        back_substitute(factor, to_mean)
        back_substitute(factor, to_sd)
        for o in range(count):
            for i in range(6):
                score[i] = 0.0
            add_reading(o, rows, low, high, near[o], at, score, unused)
            for i in range(6):
                moved[place, 0, of[o]] += to_mean[i] * score[i]
                moved[place, 1, of[o]] += to_sd[i] * score[i]
    return moved


@kernel
def reach(year: float, edges: Array, half_width: float) -> float:
    """Return the half width in time that keeps a window's whole width inside the record."""
    near = min(year - edges[0], edges[1] - year)
    return 2.0 * half_width - near if near < half_width else half_width
