"""The evidence of single explanations anew, each with the model error of its own plumes, shared by all substances.

The scan weighs thousands of histories under one covariance. Here those worth it are weighed one by one. What a modelled plume
gets wrong (its share, its arrival at each station) is the same water for every substance, so it is one unknown error
e ~ N(0, E) in the space of the receptors: y_d = background_d + a_d (g_d + k_d e) + noise_d, and e is integrated out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag, cho_factor, cho_solve

from suyuan.tracing.plume import LASTING_BINS, MODEL_ERROR, Claim
from suyuan.transport.matrix import Receptors

Array = NDArray[np.float64]
Index = NDArray[np.int64]

TRAVEL_ERROR = 0.08
"""Error of a travel time that remains beside the flow members, which are few, as a share of it."""

TIMING_ERROR_BINS = 0.5
"""Error of an arrival however short the way, in release bins."""

SUPPORT = 0.03
"""Readings at which a plume is below this share of its highest are not thought to err."""


@dataclass(frozen=True)
class Ground:
    """The readings without any plume, in the space of the receptors.

    `precision` (substance, receptor, receptor) is that of the background with noise, `score` (substance, receptor) the
    precision times what the readings lie above the level; `log_density` that of the readings if there is no plume;
    `claimed_log_density` the same under the covariance of the scan. `station` (receptor,), `time` (receptor,) [s], and the
    length of a release bin [s].
    """

    precision: Array
    score: Array
    log_density: float
    claimed_log_density: float
    station: Index
    time: Array
    bin_s: float


def ground_of(claimed: Claim, receptors: Receptors, *, bin_s: float) -> Ground:
    """Return the ground on which explanations found under `claimed` are weighed anew."""
    size = len(receptors)
    precision = np.zeros((len(claimed.blocks), size, size))
    score = np.zeros((len(claimed.blocks), size))
    log_density = 0.0
    for d, (block, background) in enumerate(zip(claimed.blocks, claimed.backgrounds, strict=True)):
        factor = cho_factor(background.covariance, lower=True, check_finite=False)
        above = block.value - background.level
        weight = cho_solve(factor, above, check_finite=False)
        inverse = cho_solve(factor, np.eye(len(above)), check_finite=False)
        np.add.at(precision[d], np.ix_(block.receptor, block.receptor), inverse)
        np.add.at(score[d], block.receptor, weight)
        log_density += -0.5 * above @ weight - np.log(np.diag(factor[0])).sum() + background.log_prior
    time = (receptors.time - receptors.time.min()) / np.timedelta64(1, "s") - 0.5 * receptors.duration_s
    station = np.unique(receptors.station, return_inverse=True)[1].astype(np.int64)
    return Ground(precision, score, float(log_density), claimed.log_density(), station, time, bin_s)


@dataclass(frozen=True)
class Plume:
    """One plume at the receptors: `response` (substance, receptor) at `amplitude` (substance,), and its error.

    `rows` (row,) are the receptors at which it may err and `root` (row, row) the lower Cholesky factor of E there, relative
    to the first substance; `ratio` (substance,) carries that error over to the others.
    """

    response: Array
    amplitude: Array
    rows: Index
    root: Array
    ratio: Array


def plume_of(response: Array, amplitude: Array, *, ground: Ground, travel_s: Array) -> Plume:
    """Return a plume with its error; `travel_s` (station,) is how long the water was under way [s]."""
    first = response[0]
    rows = np.flatnonzero(np.abs(first) > SUPPORT * np.abs(first).max(initial=1e-300))
    square = max(float(first @ first), 1e-300)
    shift = np.hypot(TIMING_ERROR_BINS * ground.bin_s, TRAVEL_ERROR * travel_s)
    root = error_root(first, rows, ground.station, ground.time, shift, LASTING_BINS * ground.bin_s)
    return Plume(response, amplitude, rows, root, response @ first / square)


@nb.njit(cache=True, nogil=True)
def slopes(plume: Array, station: Index, time: Array) -> Array:  # pragma: no cover - compiled
    """Return the rate of change [per s] of a plume (receptor,) at every receptor, station by station."""
    out = np.zeros(len(plume))
    order = np.argsort(time)
    before = np.full(station.max() + 1, -1)
    middle = np.full(station.max() + 1, -1)
    for r in order:
        s = station[r]
        if middle[s] >= 0 and time[r] > time[middle[s]]:
            rise = (plume[r] - plume[middle[s]]) / (time[r] - time[middle[s]])
            if before[s] >= 0:
                earlier = time[middle[s]] - time[before[s]]
                later = time[r] - time[middle[s]]
                out[middle[s]] = (out[middle[s]] * later + rise * earlier) / (earlier + later)
            else:
                out[middle[s]] = rise
            out[r] = rise
            before[s] = middle[s]
            middle[s] = r
        elif middle[s] >= 0:
            out[r] = out[middle[s]]
        else:
            middle[s] = r
    return out


@nb.njit(cache=True, nogil=True)
def error_root(
    plume: Array, rows: Index, station: Index, time: Array, shift: Array, lasting: float
) -> Array:  # pragma: no cover - compiled
    """Return the lower Cholesky factor (row, row) of the covariance of what a plume (receptor,) gets wrong.

    A share MODEL_ERROR of the plume, correlated over `lasting` [s] within a station, and its slope times an unknown shift
    of standard deviation `shift` (station,) [s] of each station.
    """
    size = len(rows)
    highest = np.abs(plume).max() if size else 1.0
    plume = plume / highest  # plumes may be as small as 1e-150
    slope = slopes(plume, station, time)
    covariance = np.zeros((size, size))
    for i in range(size):
        a = rows[i]
        for j in range(i + 1):
            b = rows[j]
            if station[a] == station[b]:
                share = MODEL_ERROR**2 * plume[a] * plume[b] * np.exp(-abs(time[a] - time[b]) / lasting)
                covariance[i, j] = share + shift[station[a]] ** 2 * slope[a] * slope[b]
                covariance[j, i] = covariance[i, j]
        covariance[i, i] *= 1.0 + 1e-6
        covariance[i, i] += 1e-12
    return np.asarray(highest * np.linalg.cholesky(covariance), dtype=np.float64)


def log_density(plumes: tuple[Plume, ...], ground: Ground) -> float:
    """Return the log density of the readings where these plumes passed, their errors integrated out."""
    rows = np.concatenate([plume.rows for plume in plumes])
    owner = np.repeat(np.arange(len(plumes)), [len(plume.rows) for plume in plumes])
    scale = np.stack([plume.amplitude * plume.ratio for plume in plumes])[owner].T
    total = np.sum([plume.amplitude[:, None] * plume.response for plume in plumes], axis=0)
    root = block_diag(*(plume.root for plume in plumes))
    gain = density_gain(ground.precision, ground.score, total, rows, np.ascontiguousarray(scale), root)
    return ground.log_density + float(gain)


@nb.njit(cache=True, nogil=True)
def density_gain(
    precision: Array, score: Array, total: Array, rows: Index, scale: Array, root: Array
) -> float:  # pragma: no cover - compiled
    """Return the log density ratio against no plume, errors of the plume integrated out.

    `total` (substance, receptor) is the plume; its error at `rows` is `scale` (substance, row) times `root` (row, row) times a
    standard normal. `precision` and `score` as in Ground.
    """
    size = len(rows)
    information = np.zeros((size, size))
    pulled = np.zeros(size)
    gain = 0.0
    for d in range(len(precision)):
        pull = precision[d] @ total[d]
        gain += score[d] @ total[d] - 0.5 * (total[d] @ pull)
        for i in range(size):
            pulled[i] += scale[d, i] * (score[d, rows[i]] - pull[rows[i]])
            for j in range(size):
                information[i, j] += scale[d, i] * scale[d, j] * precision[d, rows[i], rows[j]]
    inner = root.T @ information @ root
    for i in range(size):
        inner[i, i] += 1.0
    lower = np.linalg.cholesky(inner)
    forward = root.T @ pulled
    for i in range(size):
        for j in range(i):
            forward[i] -= lower[i, j] * forward[j]
        forward[i] /= lower[i, i]
        gain += 0.5 * forward[i] ** 2 - np.log(lower[i, i])
    return gain
