"""One pass over all sources of one flow member: how well each, with each release history, explains the readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from suyuan.fingerprints import Fingerprints
from suyuan.tracing.background import Background
from suyuan.tracing.evidence import gain_limits, log_evidences
from suyuan.tracing.prior import Prior
from suyuan.tracing.readings import Block
from suyuan.tracing.shapes import Shapes, scan_shapes
from suyuan.transport.matrix import SourceReceptorMatrix

Array = NDArray[np.float64]

KEPT_LOG = 10.0
"""Histories this far (log) below the best of their source are not looked at; together they weigh little."""

SOURCES_AT_ONCE = 32


@dataclass(frozen=True)
class Library:
    """Log concentration ratios of each kind against the first substance: `centre`, `spread` (kind, substance)."""

    kinds: tuple[str, ...]
    centre: Array
    spread: Array


@dataclass(frozen=True)
class Strength:
    """Prior of a release's rate of the first substance: median exp(`log_rate`) [g/s] and log standard deviation."""

    log_rate: float
    log_sd: float = 1.4


@dataclass(frozen=True)
class Whitened:
    """A block's inverse Cholesky factor applied to its residual: what every source is matched with.

    `factor` (reading, reading) lower Cholesky of the covariance, `residual` (reading,) of readings minus level.
    """

    block: Block
    factor: Array
    residual: Array


@dataclass(frozen=True)
class SourceScan:
    """What one source can explain: log evidence of its kept histories.

    `shape` (kept,) rows of Shapes, `kind` (kept,) rows of Library, `log_weight` (kept,) log evidence plus log prior of shape
    and kind against no release; `alpha`, `beta` (substance, kept).
    """

    source: int
    shape: NDArray[np.int64]
    kind: NDArray[np.int64]
    log_weight: Array
    alpha: Array
    beta: Array

    @property
    def log_evidence(self) -> float:
        """Log evidence of this source against no release, histories and kinds summed."""
        return float(np.logaddexp.reduce(self.log_weight)) if len(self.log_weight) else -np.inf


def library_of(fingerprints: Fingerprints, blocks: Sequence[Block], *, kinds: Sequence[str]) -> Library:
    """Return ratios against the first substance for each kind; unknown kinds and determinands get a wide spread.

    An unlisted determinand is centred on the river's own ratio.
    """
    centre = np.empty((len(kinds), len(blocks)))
    spread = np.full((len(kinds), len(blocks)), 0.4)
    for d, block in enumerate(blocks):
        name = block.substance.determinand.id
        column = fingerprints.determinands.index(name) if name in fingerprints.determinands else -1
        for k, kind in enumerate(kinds):
            row = fingerprints.kinds.index(kind) if kind in fingerprints.kinds else -1
            median = fingerprints.median[row, column] if min(row, column) >= 0 else np.nan
            if np.isfinite(median) and median > 0.0:
                centre[k, d], spread[k, d] = np.log(median), fingerprints.log_sd[row, column]
            else:
                centre[k, d], spread[k, d] = np.log(block.level), 2.0 if d else 0.4
    return Library(tuple(kinds), centre - centre[:, :1], np.maximum(spread, 0.15))


def whiten(block: Block, background: Background, covariance: Array) -> Whitened:
    """Return the block with its residual whitened by this covariance, (reading, reading)."""
    factor = np.linalg.cholesky(covariance)
    residual = solve_triangular(factor, block.value - background.level, lower=True, check_finite=False)
    return Whitened(block, factor, residual)


def scan_member(
    matrix: SourceReceptorMatrix,
    whitened: Sequence[Whitened],
    *,
    shapes: Shapes,
    library: Library,
    prior: Prior,
    strength: Strength,
) -> tuple[SourceScan, ...]:
    """Return what each source of the matrix can explain, for sources that show at any reading."""
    kinds = _kinds_of(matrix, prior, library)
    seen = np.flatnonzero(np.abs(matrix.values).sum(axis=(0, 2)) * np.exp(strength.log_rate) > _least_visible(whitened))
    scans: list[SourceScan] = []
    best = 0.0
    for first in range(0, len(seen), SOURCES_AT_ONCE):
        some = seen[first : first + SOURCES_AT_ONCE]
        gram, match = _products(matrix, some, whitened)
        for i, source in enumerate(some):
            alpha, beta = _shape_products(gram[:, i], match[:, i], shapes)
            least = max(best, float(gain_limits(alpha, beta).max())) - KEPT_LOG
            scan = _scan_source(alpha, beta, shapes=shapes, library=library, kinds=kinds[source], strength=strength, least=least)
            scans.append(SourceScan(int(source), *scan))
            best = max(best, scans[-1].log_evidence)
    return tuple(scans)


def _least_visible(whitened: Sequence[Whitened]) -> float:
    first = whitened[0].block
    return float(1e-2 * first.noise_sd.min())


def _kinds_of(matrix: SourceReceptorMatrix, prior: Prior, library: Library) -> list[Array]:
    """Return the log weight of every library kind for each source, (kind,)."""
    common = np.array([dict(prior.kinds).get(kind, 0.0) for kind in library.kinds])
    common = common / common.sum() if common.sum() > 0 else np.full(len(library.kinds), 1.0 / len(library.kinds))
    own = {c.id: kind for c, kind in zip(prior.candidates, prior.kind, strict=True)}
    weights = []
    for source in matrix.sources:
        kind = own.get(source.candidate, "")
        share = np.array([float(kind == k) for k in library.kinds]) if kind in library.kinds else common
        with np.errstate(divide="ignore"):
            weights.append(np.log(share))
    return weights


def _products(
    matrix: SourceReceptorMatrix, sources: NDArray[np.int64], whitened: Sequence[Whitened]
) -> tuple[Array, Array]:
    """Return cumulative G'C^-1 G (substance, source, bin + 1, bin + 1) and G'C^-1 y (substance, source, bin + 1)."""
    bins = matrix.values.shape[2]
    gram = np.zeros((len(whitened), len(sources), bins + 1, bins + 1))
    match = np.zeros((len(whitened), len(sources), bins + 1))
    lag = np.maximum(matrix.lag_s(), 0.0)
    for d, white in enumerate(whitened):
        rows = white.block.receptor
        decay = np.exp(-white.block.substance.decay_per_s * lag[rows]).astype(np.float32)
        response = matrix.values[np.ix_(rows, sources)].astype(np.float32) * decay[:, None, :]
        flat = solve_triangular(
            white.factor.astype(np.float32), response.reshape(len(rows), -1), lower=True, check_finite=False
        )
        solved = np.ascontiguousarray(flat.reshape(len(rows), len(sources), bins).transpose(1, 0, 2))
        product = np.matmul(solved.transpose(0, 2, 1), solved)
        gram[d, :, 1:, 1:] = np.cumsum(np.cumsum(product, axis=1, dtype=float), axis=2)
        match[d, :, 1:] = np.cumsum(np.einsum("rsb,r->sb", flat.reshape(len(rows), len(sources), bins), white.residual), axis=1)
    return gram, match


def _shape_products(gram: Array, match: Array, shapes: Shapes) -> tuple[Array, Array]:
    alpha = np.empty((len(gram), len(shapes.start)))
    beta = np.empty_like(alpha)
    scan_shapes(gram, match, shapes.start, shapes.length, shapes.period, shapes.repeats, alpha, beta)
    return alpha, beta


def _scan_source(
    alpha: Array, beta: Array, *, shapes: Shapes, library: Library, kinds: Array, strength: Strength, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array, Array]:
    used = np.flatnonzero(np.isfinite(kinds))
    centres = library.centre[used] + strength.log_rate
    evidence = log_evidences(alpha, beta, centres, library.spread[used], strength.log_sd, least)
    weight = evidence + shapes.log_prior[None, :] + kinds[used][:, None]
    kind, shape = np.nonzero(np.isfinite(weight) & (weight > weight.max() - KEPT_LOG))
    return shape, used[kind], weight[kind, shape], alpha[:, shape], beta[:, shape]
