"""The background: river water without any release, as a Gaussian process carried by the flow.

Each boundary's water has its own unknown level, which moves slowly and, with rain, fast; rain also moves all of them
together, and what a boundary brings changes with how much it brings (concentration against discharge). The network mixes
these waters, so the covariance between two readings follows from the boundary fractions of the source-receptor matrix
(transport-consistent kriging).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from suyuan.transport.matrix import SourceReceptorMatrix

Array = NDArray[np.float64]

SLOW_S, FAST_S, LOCAL_S = 4.0 * 86400.0, 10.0 * 3600.0, 12.0 * 3600.0
"""Correlation times: drift of a boundary, its answer to rain, and what the network model itself gets wrong."""

PRIOR_SHARE = {
    "level": 0.25,
    "slow": 0.12,
    "fast": 0.06,
    "slow_all": 0.08,
    "fast_all": 0.06,
    "inflow": 0.08,
    "inflow_all": 0.15,
    "station": 0.06,
    "local": 0.02,
    "daily": 0.03,
}
"""Standard deviation of each part of the background as a share of the median reading, before any reading is seen."""

PRIOR_LOG_SD = 0.8
"""How far (log) those shares may be off for a given river and determinand."""

READINGS_FOR_SHARES = 160
"""The shares are found from every k-th reading, at least this many; the covariance itself is over all."""


LEAST_JUMPS = 8
"""Jumps between neighbours that tell the noise of one kind of reading."""


@dataclass(frozen=True)
class BackgroundParts:
    """Covariances between receptors of unit variance, one for each entry of PRIOR_SHARE: (part, receptor, receptor)."""

    names: tuple[str, ...]
    covariance: Array


def background_parts(matrix: SourceReceptorMatrix) -> BackgroundParts:
    """Return the parts of the background's covariance that this flow implies."""
    fraction = np.where(matrix.fraction > 1e-9, matrix.fraction, 0.0)
    hour = 0.5 * (matrix.flow_edges[1:] + matrix.flow_edges[:-1])
    time = (matrix.receptors.time - matrix.receptors.time.min()) / np.timedelta64(1, "s")
    same = matrix.receptors.station[:, None] == matrix.receptors.station[None, :]
    total = fraction.sum(axis=2)
    every = fraction.sum(axis=1)
    slow, fast = _kernel(hour, SLOW_S), _kernel(hour, FAST_S)
    brought = np.einsum("rbt,bt->rb", fraction, _swell(matrix.inflow))
    parts = {
        "level": total @ total.T + np.outer(matrix.initial, matrix.initial),
        "slow": _carried(fraction, slow) + np.outer(matrix.initial, matrix.initial),
        "fast": _carried(fraction, fast),
        "slow_all": every @ slow @ every.T,
        "fast_all": every @ fast @ every.T,
        "inflow": brought @ brought.T,
        "inflow_all": np.outer(brought.sum(axis=1), brought.sum(axis=1)),
        "station": same.astype(float),
        "local": _kernel(time, LOCAL_S) * same,
        "daily": np.cos(2.0 * np.pi * (time[:, None] - time[None, :]) / 86400.0),
    }
    stacked = np.stack([parts[name] for name in PRIOR_SHARE])
    stacked[np.abs(stacked) < 1e-9] = 0.0  # denormal numbers are slow
    return BackgroundParts(tuple(parts), stacked)


def _swell(inflow: Array) -> Array:
    """Return the log of inflow over its median, (boundary, flow bin), 0 where next to nothing enters."""
    usual = np.median(inflow, axis=1, keepdims=True)
    least = np.maximum(usual, 1e-3 * max(float(usual.max(initial=0.0)), 1e-12))
    return np.clip(np.log(np.maximum(inflow, 1e-9) / least), -1.0, 1.5) * (usual > 0.0)


def _kernel(time: Array, scale_s: float) -> Array:
    """Matern 3/2: rougher than weather, smoother than noise."""
    lag = np.sqrt(3.0) * np.abs(time[:, None] - time[None, :]) / scale_s
    return np.asarray((1.0 + lag) * np.exp(-lag))


def _carried(fraction: Array, kernel: Array) -> Array:
    total = np.zeros((len(fraction), len(fraction)))
    for b in range(fraction.shape[1]):
        if fraction[:, b].max() > 1e-3:
            total += fraction[:, b] @ kernel @ fraction[:, b].T
    return total


@dataclass(frozen=True)
class Background:
    """One determinand's background at its readings.

    Prior mean `level`, `covariance` (reading, reading) with noise and whatever else was given, the `shares` (part,) found and
    the log of their prior density, up to a constant.
    """

    level: float
    noise_sd: Array
    covariance: Array
    shares: Array
    log_prior: float


def fit_background(
    value: Array, parts: Array, *, level: float, noise_sd: Array, extra: Array | None = None
) -> Background:
    """Return the background whose shares have the highest posterior for these readings.

    `value` (reading,) are readings with any claimed release taken out, `parts` (part, reading, reading) unit covariances,
    `noise_sd` (reading,), `extra` (reading, reading) further covariance (what a claimed plume gets wrong).
    """
    fixed = np.diag(noise_sd**2) + (0.0 if extra is None else extra) + (0.7 * level) ** 2
    prior = np.log(np.array(list(PRIOR_SHARE.values())))
    some = np.arange(0, len(value), max(1, len(value) // READINGS_FOR_SHARES))
    base, scaled = fixed[np.ix_(some, some)], parts[:, some][:, :, some] * level**2
    residual, flat = value[some] - level, scaled.reshape(len(scaled), -1)
    upper = (scaled * (2.0 * np.triu(np.ones_like(base)) - np.eye(len(some)))).reshape(flat.shape)

    def objective(log_share: Array) -> tuple[float, Array]:
        variance = np.exp(2.0 * log_share)
        covariance = base + (variance @ flat).reshape(base.shape)
        factor = cho_factor(covariance, lower=True, check_finite=False)
        weight = cho_solve(factor, residual, check_finite=False)
        inverse = dpotri(factor[0], lower=True)[0].T  # only its upper triangle, which symmetry doubles
        shift = (log_share - prior) / PRIOR_LOG_SD
        cost = 0.5 * residual @ weight + np.log(np.diag(factor[0])).sum() + 0.5 * shift @ shift
        pull = upper @ (inverse - np.outer(weight, weight)).ravel()
        return float(cost), variance * pull + shift / PRIOR_LOG_SD

    bounds = [(p - 3.0 * PRIOR_LOG_SD, p + 3.0 * PRIOR_LOG_SD) for p in prior]
    found = minimize(objective, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 12})
    covariance = fixed + level**2 * np.tensordot(np.exp(2.0 * found.x), parts, axes=1)
    shift = (found.x - prior) / PRIOR_LOG_SD
    return Background(level, noise_sd, covariance, np.exp(found.x), float(-0.5 * shift @ shift))


def noise_of(value: Array, time: Array, *, series: NDArray[np.int64], kind: NDArray[np.int64]) -> Array:
    """Return the standard deviation of each reading's noise, (reading,), from how neighbours in time of a
    `series` (reading,) jump.

    A low quantile of the jumps is taken, so that plumes and steps do not count as noise: over all series of a `kind` (reading,)
    of reading, such as composite samples, or over all where it has fewer jumps than LEAST_JUMPS. The noise is in proportion to
    a running median of the readings, or to the reading where it stands above that; where the median is 0 jumps say nothing
    of it. Between 0.4 % and 12 %.
    """
    level, jump = np.empty(len(value)), np.full(len(value), np.nan)
    for one in np.unique(series):
        rows = np.flatnonzero(series == one)
        rows = rows[np.argsort(time[rows], kind="stable")]
        smooth = np.maximum(_running_median(value[rows], 5), np.quantile(value[rows], 0.2))
        level[rows] = np.maximum(smooth, value[rows])
        if len(rows) > 2:
            middle = 0.5 * (value[rows[:-2]] + value[rows[2:]])
            away = np.abs(value[rows[1:-1]] - middle) / np.sqrt(1.5)
            jump[rows[1:-1]] = np.where(
                smooth[1:-1] > 0.0, away / np.maximum(level[rows[1:-1]], 1e-12), np.nan
            )
    share = np.empty(len(value))
    for one in np.unique(kind):
        told = jump[(kind == one) & np.isfinite(jump)]
        told = told if len(told) >= LEAST_JUMPS else jump[np.isfinite(jump)]
        spread = np.quantile(told, 0.4) / 0.5244 if len(told) else 0.06
        share[kind == one] = np.clip(spread, 0.004, 0.12)
    return level * share


def _running_median(value: Array, width: int) -> Array:
    half = width // 2
    padded = np.pad(value, half, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1))
