"""What a claimed plume looks like at the readings, and what its model gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.background import Background, BackgroundParts, fit_background
from suyuan.tracing.readings import Block
from suyuan.tracing.scan import Library, SourceScan, Whitened, whiten
from suyuan.tracing.shapes import Shapes
from suyuan.transport.matrix import SourceReceptorMatrix

Array = NDArray[np.float64]

MODEL_ERROR = 0.25
"""Standard deviation of the error of a modelled plume as a share of the plume (timing, dispersion, shape)."""

MODEL_ERROR_S = 5.0 * 3600.0
"""Correlation time of that error at one station."""


@dataclass(frozen=True)
class Claim:
    """The readings under "somebody released": whitened blocks, and the log density they have before any source is named."""

    whitened: tuple[Whitened, ...]
    backgrounds: tuple[Background, ...]
    log_density: float


def crude_plumes(blocks: Sequence[Block]) -> tuple[Array, ...]:
    """Return a first guess of the plume at each reading, one array (reading,) a block: what stands above a low quantile."""
    plumes = []
    for block in blocks:
        plume = np.zeros(len(block.value))
        for station in np.unique(block.station):
            rows = block.station == station
            plume[rows] = np.maximum(block.value[rows] - np.quantile(block.value[rows], 0.25), 0.0)
        plumes.append(plume)
    return tuple(plumes)


def model_error(block: Block, plume: Array) -> Array:
    """Return the covariance (reading, reading) of what a plume of this size gets wrong, correlated within a station."""
    lag = np.abs(block.time[:, None] - block.time[None, :]) / MODEL_ERROR_S
    same = block.station[:, None] == block.station[None, :]
    return np.asarray(np.outer(plume, plume) * np.exp(-lag) * same * MODEL_ERROR**2)


def claim(
    blocks: Sequence[Block], parts: BackgroundParts, plumes: Sequence[Array], *, is_crude: bool = False
) -> Claim:
    """Return the readings whitened for a search in which plumes of about this size are claimed.

    `is_crude` means that the plumes are a first guess: then they are not taken out of the readings but left free.
    """
    whitened, backgrounds, total = [], [], 0.0
    for block, plume in zip(blocks, plumes, strict=True):
        own = parts.covariance[:, block.receptor][:, :, block.receptor]
        extra = model_error(block, plume)
        clean = block.value if is_crude else block.value - plume
        free = extra / MODEL_ERROR**2 if is_crude else extra
        background = fit_background(clean, own, level=_clean_level(block, plume), noise_sd=block.noise_sd, extra=free)
        covariance = background.covariance - free + extra
        white = whiten(block, background, covariance)
        whitened.append(white)
        backgrounds.append(background)
        total += log_density(white) + background.log_prior
    return Claim(tuple(whitened), tuple(backgrounds), total)


def nobody(blocks: Sequence[Block], parts: BackgroundParts) -> Claim:
    """Return the readings under "nobody released": background alone, nothing claimed and nothing forgiven."""
    return claim(blocks, parts, [np.zeros(len(block.value)) for block in blocks])


def _clean_level(block: Block, plume: Array) -> float:
    return max(float(np.median(block.value - plume)), 0.05 * block.level)


def log_density(white: Whitened) -> float:
    """Return the log density of a block's readings under its covariance."""
    n = len(white.residual)
    return float(-0.5 * white.residual @ white.residual - np.log(np.diag(white.factor)).sum() - 0.5 * n * np.log(2 * np.pi))


def amplitudes(scan: SourceScan, library: Library, kept: int, *, log_strength: float) -> Array:
    """Return the expected amplitude of each substance, (substance,) [g/s], given the history and the strength exp(w)."""
    kind = scan.kind[kept]
    centre, spread = library.centre[kind] + log_strength, library.spread[kind]
    alpha, beta = np.maximum(scan.alpha[:, kept], 1e-30), scan.beta[:, kept]
    best = np.maximum(beta / alpha, 1e-12)
    precision = alpha * best**2
    log_best = np.where(beta > 0.0, np.log(best), centre)
    precision = np.where(beta > 0.0, precision, 0.0)
    return np.asarray(np.exp((log_best * precision + centre / spread**2) / (precision + 1.0 / spread**2)))


def response(matrix: SourceReceptorMatrix, source: int, block: Block, history: Array) -> Array:
    """Return the concentration at a block's readings, (reading,), per g/s of a release with this history, (bin,)."""
    lag = np.maximum(matrix.lag_s()[block.receptor], 0.0)
    decay = np.exp(-block.substance.decay_per_s * lag)
    return np.asarray((matrix.values[block.receptor, source, :] * decay) @ history, dtype=float)


def expected_plumes(
    matrix: SourceReceptorMatrix,
    scans: Sequence[SourceScan],
    log_prior: Array,
    *,
    blocks: Sequence[Block],
    shapes: Shapes,
    library: Library,
) -> tuple[Array, ...]:
    """Return the posterior mean plume at each reading, one array a block, from the leading explanations of a scan.

    `log_prior` (source,) is the log prior of each source of the matrix.
    """
    rows = [(s.log_weight[i] + log_prior[s.source], n, i) for n, s in enumerate(scans) for i in _leading(s)]
    plumes = tuple(np.zeros(len(block.value)) for block in blocks)
    if not rows:
        return plumes
    rows.sort(reverse=True)
    rows = rows[:60]
    weight = np.exp(np.array([r[0] for r in rows]) - rows[0][0])
    for share, (_, n, i) in zip(weight / weight.sum(), rows, strict=True):
        scan = scans[n]
        amplitude = amplitudes(scan, library, i, log_strength=_likely_strength(scan, library, i))
        for d, block in enumerate(blocks):
            plumes[d][:] += share * amplitude[d] * response(matrix, scan.source, block, shapes.history(scan.shape[i]))
    return plumes


def _leading(scan: SourceScan) -> NDArray[np.int64]:
    return np.argsort(scan.log_weight)[::-1][:5]


def _likely_strength(scan: SourceScan, library: Library, kept: int) -> float:
    """Return the log strength w that agrees best with the amplitudes each substance asks for."""
    kind = scan.kind[kept]
    alpha, beta = np.maximum(scan.alpha[:, kept], 1e-30), scan.beta[:, kept]
    seen = beta > 0.0
    if not seen.any():
        return 0.0
    best = beta[seen] / alpha[seen]
    variance = library.spread[kind][seen] ** 2 + 1.0 / (alpha[seen] * best**2)
    return float(np.average(np.log(best) - library.centre[kind][seen], weights=1.0 / variance))
