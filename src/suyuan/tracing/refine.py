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

from suyuan.tracing.plume import MODEL_ERROR, Claim
from suyuan.transport.matrix import Receptors

Array = NDArray[np.float64]
Index = NDArray[np.int64]

TRAVEL_ERROR = 0.08
"""Error of a travel time that remains beside the flow members, which are few, as a share of it."""

TIMING_ERROR_BINS = 0.5
"""Error of an arrival however short the way, in release bins."""

DISPERSION_ERROR = 0.0
"""Relative error of the variance by which dispersion spreads a sudden release, that remains beside the flow members."""

WRONGNESS = ((1.0, 1.0),)
"""How wrong the flow is, is unknown as well: factors on the errors of arrival and dispersion, and their chances."""

SHARE_TRAVEL = 0.25
"""Correlation time of a plume's error within a station, as a share of its travel time; at least a release bin."""

FACTOR_STEPS = 0
"""How often the factor on all amplitudes of an explanation is improved."""

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

    `rows` (row,) are the receptors at which it may err and `roots` (wrongness, row, row) the lower Cholesky factors of E
    there, relative to the first substance, one for each of WRONGNESS; `ratio` (substance,) carries that error over to the
    others.
    """

    response: Array
    amplitude: Array
    rows: Index
    roots: Array
    ratio: Array


def plume_of(
    response: Array, amplitude: Array, *, ground: Ground, travel_s: Array, spread_s2: Array
) -> Plume:
    """Return a plume with its error.

    `travel_s` (station,) is how long the water was under way [s], `spread_s2` (station,) by how much that differed [s2].
    """
    first = response[0]
    rows = np.flatnonzero(np.abs(first) > SUPPORT * np.abs(first).max(initial=1e-300))
    square = max(float(first @ first), 1e-300)
    errors = np.stack(
        [
            np.hypot(TIMING_ERROR_BINS * ground.bin_s, TRAVEL_ERROR * travel_s),
            0.5 * DISPERSION_ERROR * spread_s2,
            np.full(len(travel_s), 5.0 * ground.bin_s),
        ]
    )
    roots = [
        error_root(first, rows, ground.station, ground.time, errors * np.array([[factor], [factor], [1.0]]))
        for factor, _ in WRONGNESS
    ]
    return Plume(response, amplitude, rows, np.stack(roots), response @ first / square)


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
    plume: Array, rows: Index, station: Index, time: Array, errors: Array
) -> Array:  # pragma: no cover - compiled
    """Return the lower Cholesky factor (row, row) of the covariance of what a plume gets wrong.

    `errors` (3, station): the standard deviation of an unknown shift of each station [s], that of half an unknown variance by
    which dispersion spreads it more or less [s2], and how long [s] its size is off by the same share MODEL_ERROR. To first
    order they change the plume by its slope, by its curvature and by itself.
    """
    size = len(rows)
    highest = np.abs(plume).max() if size else 1.0
    plume = plume / highest  # plumes may be as small as 1e-150
    slope = slopes(plume, station, time)
    curvature = slopes(slope, station, time)
    covariance = np.zeros((size, size))
    for i in range(size):
        a = rows[i]
        for j in range(i + 1):
            b = rows[j]
            if station[a] == station[b]:
                shift, widening, lasting = errors[:, station[a]]
                share = MODEL_ERROR**2 * plume[a] * plume[b] * np.exp(-abs(time[a] - time[b]) / lasting)
                moved = shift**2 * slope[a] * slope[b] + widening**2 * curvature[a] * curvature[b]
                covariance[i, j] = share + moved
                covariance[j, i] = covariance[i, j]
        covariance[i, i] *= 1.0 + 1e-6
        covariance[i, i] += 1e-12
    return highest * np.linalg.cholesky(covariance)


def best_density(plumes: tuple[Plume, ...], ground: Ground) -> tuple[float, float]:
    """Return the log density of the readings where these plumes passed, their errors integrated out, and a factor.

    All amplitudes are multiplied by the one factor, within a range of three either way, that makes the density highest.
    """
    rows = np.concatenate([plume.rows for plume in plumes])
    owner = np.repeat(np.arange(len(plumes)), [len(plume.rows) for plume in plumes])
    scale = np.stack([plume.amplitude * plume.ratio for plume in plumes])[owner].T
    scale = np.ascontiguousarray(scale)
    total = np.sum([plume.amplitude[:, None] * plume.response for plume in plumes], axis=0)
    found = [
        highest_gain(
            ground.precision, ground.score, total, rows, scale, block_diag(*(p.roots[k] for p in plumes))
        )
        for k in range(len(WRONGNESS))
    ]
    weighed = [gain + np.log(chance) for (gain, _), (_, chance) in zip(found, WRONGNESS, strict=True)]
    return ground.log_density + float(np.logaddexp.reduce(weighed)), float(found[int(np.argmax(weighed))][1])


@nb.njit(cache=True, nogil=True)
def highest_gain(
    precision: Array, score: Array, total: Array, rows: Index, scale: Array, root: Array
) -> tuple[float, float]:  # pragma: no cover - compiled
    """Return the highest log density ratio against no plume over factors of the amplitudes, and that factor.

    `total` (substance, receptor) is the plume; its error is `scale` (substance, row) times `root` (row, row) times a
    standard normal. With a factor f the ratio is f u - f^2 v / 2 + f^2 (s - f t)'(I + f^2 M)^-1 (s - f t) / 2 - log|I + f^2 M| / 2.
    """
    size = len(rows)
    information = np.zeros((size, size))
    pulled, held = np.zeros(size), np.zeros(size)
    u, v = 0.0, 0.0
    for d in range(len(precision)):
        pull = precision[d] @ total[d]
        u += score[d] @ total[d]
        v += total[d] @ pull
        for i in range(size):
            pulled[i] += scale[d, i] * score[d, rows[i]]
            held[i] += scale[d, i] * pull[rows[i]]
            for j in range(size):
                information[i, j] += scale[d, i] * scale[d, j] * precision[d, rows[i], rows[j]]
    spread = root.T @ information @ root
    s, t = root.T @ pulled, root.T @ held
    log_factor, step = 0.0, 0.25
    best = _gain_at(1.0, u, v, spread, s, t)
    for _ in range(FACTOR_STEPS):
        up = _gain_at(np.exp(log_factor + step), u, v, spread, s, t)
        down = _gain_at(np.exp(log_factor - step), u, v, spread, s, t)
        bend = up - 2.0 * best + down
        move = np.sign(up - down) * step * 2.0
        if bend < 0.0:
            move = max(-2.0 * step, min(2.0 * step, 0.5 * step * (down - up) / bend))
        move = max(-1.1, min(1.1, log_factor + move)) - log_factor
        moved = _gain_at(np.exp(log_factor + move), u, v, spread, s, t)
        if moved > best:
            best, log_factor = moved, log_factor + move
        step *= 0.5
    return best, np.exp(log_factor)


@nb.njit(cache=True, nogil=True)
def _gain_at(
    f: float, u: float, v: float, spread: Array, s: Array, t: Array
) -> float:  # pragma: no cover - compiled
    inner = f * f * spread
    for i in range(len(s)):
        inner[i, i] += 1.0
    lower = np.linalg.cholesky(inner)
    gain = f * u - 0.5 * f * f * v
    forward = f * (s - f * t)
    for i in range(len(s)):
        for j in range(i):
            forward[i] -= lower[i, j] * forward[j]
        forward[i] /= lower[i, i]
        gain += 0.5 * forward[i] ** 2 - np.log(lower[i, i])
    return gain
