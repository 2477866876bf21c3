"""One pass over all sources of one flow member: how well each, with each release history, explains the readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from suyuan.tracing.evidence import log_evidences, rough_evidences
from suyuan.tracing.library import Library, Strength
from suyuan.tracing.plume import Claim
from suyuan.tracing.prior import Prior
from suyuan.tracing.shapes import Shapes, cumulative_square, scan_shapes
from suyuan.transport.matrix import SourceReceptorMatrix

Array = NDArray[np.float64]

LEADING = 100
"""Histories of a source that are weighed one by one."""

KEPT_LOG = 12.0
"""Histories this far (log) below the best of their source are not looked at; together they weigh little."""

FAR_LOG = 30.0
"""Nor are histories this far below the best of all sources, even after tempering."""

SOURCES_AT_ONCE = 32

OTHER_WATER = {"storm": 0.4, "other": 0.4}
"""Prior that what comes out of an outfall is not the water of its declared kind: storm sewers are often misconnected."""

RARELY_OTHER = 0.05
"""The same of every other kind."""


def log_sum(values: Array) -> float:
    """Return log(sum(exp(values))), -inf for none."""
    top = float(values.max(initial=-np.inf))
    return top + float(np.log(np.exp(values - top).sum())) if np.isfinite(top) else top


@dataclass(frozen=True)
class SourceScan:
    """What one source can explain.

    `source` is its row in the matrix; `shape` (kept,) rows of Shapes, `kind` (kept,) rows of Library, `log_prior` (kept,)
    the log prior of history and kind, `log_gain` (kept,) the log evidence against no release; `alpha`, `beta` (substance,
    kept).
    """

    source: int
    shape: NDArray[np.int64]
    kind: NDArray[np.int64]
    log_prior: Array
    log_gain: Array
    alpha: Array
    beta: Array

    @property
    def log_evidence(self) -> float:
        """Log evidence of this source against no release, histories and kinds summed."""
        return log_sum(self.log_prior + self.log_gain)


@dataclass(frozen=True)
class Grid:
    """What a source may have done: release histories, fingerprint library, strength and prior.

    Of each source so many histories as `leading` are weighed, and at most as many that stand for the rest.
    """

    shapes: Shapes
    library: Library
    strength: Strength
    prior: Prior
    leading: int = LEADING


def scan_member(
    matrix: SourceReceptorMatrix,
    claimed: Claim,
    *,
    residuals: Sequence[Sequence[Array]],
    grid: Grid,
    considered: NDArray[np.int64] | None = None,
) -> tuple[tuple[SourceScan, ...], ...]:
    """Return what each source of one flow member can explain, of the sources that show at any reading.

    `residuals` holds one or more sets of the claim's whitened readings, (reading,) a block, each with other plumes already
    taken out; there is one tuple of scans for each set. Only the sources `considered` are looked at (rows; None for all).
    """
    kinds = kinds_of(matrix, grid)
    seen = visible_sources(matrix, claimed, grid=grid)
    if considered is not None:
        seen = np.intersect1d(seen, considered)
    scans: list[list[SourceScan]] = [[] for _ in residuals]
    best = np.zeros(len(residuals))
    for first in range(0, len(seen), SOURCES_AT_ONCE):
        some = seen[first : first + SOURCES_AT_ONCE]
        gram, match = _products(matrix, some, claimed=claimed, residuals=residuals)
        for i, source in enumerate(some):
            alpha, beta = _shape_products(gram[:, i], match[:, :, i], shapes=grid.shapes)
            for k, found in enumerate(scans):
                weighed = _weigh(alpha, beta[k], kinds=kinds[source], grid=grid, least=best[k] - FAR_LOG)
                found.append(SourceScan(int(source), *weighed))
                best[k] = max(best[k], found[-1].log_evidence)
    return tuple(map(tuple, scans))


def visible_sources(matrix: SourceReceptorMatrix, claimed: Claim, *, grid: Grid) -> NDArray[np.int64]:
    """Return the rows of the sources whose median release a priori lifts any reading by 1 % of its noise."""
    least_visible = 1e-2 * float(claimed.blocks[0].noise_sd.min())
    steady = matrix.values.sum(axis=2).max(axis=0)
    return np.flatnonzero(steady * np.exp(grid.strength.log_rate) > least_visible)


def kinds_of(matrix: SourceReceptorMatrix, grid: Grid) -> list[Array]:
    """Return the log weight of every library kind for each source, (kind,)."""
    names, prior = grid.library.kinds, grid.prior
    rare = 0.5 * min((share for _, share in prior.kinds), default=1.0)
    common = np.array([dict(prior.kinds).get(kind, rare) for kind in names])
    common = common / common.sum() if common.sum() > 0.0 else np.full(len(names), 1.0 / len(names))
    own = dict(zip((c.id for c in prior.candidates), prior.kind, strict=True))
    weights = []
    for source in matrix.sources:
        kind = source.candidate if source.candidate in names else own.get(source.candidate, "")
        other = 0.0 if kind == source.candidate else OTHER_WATER.get(kind, RARELY_OTHER)
        named = np.array([float(kind == name) for name in names])
        share = (1.0 - other) * named + other * common if kind in names else common
        with np.errstate(divide="ignore"):
            weights.append(np.log(share))
    return weights


def _products(
    matrix: SourceReceptorMatrix,
    sources: NDArray[np.int64],
    *,
    claimed: Claim,
    residuals: Sequence[Sequence[Array]],
) -> tuple[Array, Array]:
    """Return cumulative G'C^-1 G (substance, source, bin + 1, bin + 1) and G'C^-1 y (set, substance, source, bin + 1)."""
    bins = matrix.values.shape[2]
    gram = np.zeros((len(claimed.blocks), len(sources), bins + 1, bins + 1))
    match = np.zeros((len(residuals), len(claimed.blocks), len(sources), bins + 1))
    for d, (block, factor) in enumerate(zip(claimed.blocks, claimed.factors, strict=True)):
        age = matrix.age_s(block.substance).astype(np.float32)
        decay = np.exp(np.float32(-block.substance.decay_per_s) * age)
        response = block.means.of(matrix.values_of(block.substance)[:, sources] * decay[:, None, :])
        response[response < 1e-6 * response.max()] = 0.0  # denormal numbers are slow
        flat = _whitened(factor, response.reshape(len(response), -1)).reshape(response.shape)
        for s in range(len(sources)):
            solved = np.ascontiguousarray(flat[:, s], np.float32)
            cumulative_square(solved.T @ solved, gram[d, s])
        own = np.stack([residual[d] for residual in residuals]).astype(np.float32)
        match[:, d, :, 1:] = np.cumsum(np.tensordot(own, flat, axes=1), axis=2, dtype=float)
    return gram, match


def _whitened(factor: Array, response: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return L^-1 R of the lower `factor` L (reading, reading) and `response` R (reading, column), single precision.

    The inverse is found once, in double precision: a product has twice the multiplications of a triangular solve, takes less
    time, and lets other threads run.
    """
    whiten = solve_triangular(factor, np.eye(len(factor)), lower=True, check_finite=False)
    return np.asarray(whiten.astype(np.float32) @ response.astype(np.float32, copy=False))


def _shape_products(gram: Array, match: Array, *, shapes: Shapes) -> tuple[Array, Array]:
    """Return alpha (substance, shape) and beta (set, substance, shape) of one source."""
    alpha = np.empty((len(gram), len(shapes.start)))
    beta = np.empty((len(match), *alpha.shape))
    scan_shapes(gram, match, shapes.columns, alpha, beta)
    alpha[alpha < 1e-5 * alpha.max(axis=1, keepdims=True)] = (
        0.0  # differences of sums: what is left is rounding
    )
    return alpha, beta


def _weigh(
    alpha: Array, beta: Array, *, kinds: Array, grid: Grid, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array, Array, Array]:
    """Return shape, kind, log prior, log gain, alpha and beta of the histories of one source that are worth keeping."""
    used = np.flatnonzero(np.isfinite(kinds))
    centres, spreads = grid.library.centre[used] + grid.strength.log_rate, grid.library.spread[used]
    prior = grid.shapes.log_prior[None, :] + kinds[used][:, None]
    kind, shape, share = _worth_weighing(
        prior + rough_evidences(alpha, beta, centres, spreads, grid.strength.log_sd),
        least + prior.min(),
        count=grid.leading,
    )
    each_alpha, each_beta = (np.ascontiguousarray(a[:, shape].T) for a in (alpha, beta))
    gain = log_evidences(each_alpha, each_beta, centres[kind], spreads[kind], grid.strength.log_sd)
    return shape, used[kind], prior[kind, shape] + share, gain, alpha[:, shape], beta[:, shape]


def _worth_weighing(
    rough: Array, least: float, *, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Return kind and shape of the histories to weigh, and the log of how many each stands for.

    The leading ones are taken whole; of the rest that is not hopeless every n-th stands for n.
    """
    flat = rough.ravel()
    order = np.flatnonzero(flat >= max(least, flat.max() - KEPT_LOG))
    order = order[np.argsort(flat[order], kind="stable")[::-1]]
    leading, rest = order[:count], order[count:]
    every = max(1, -(-len(rest) // count))
    chosen = np.concatenate([leading, rest[every // 2 :: every]])
    share = np.zeros(len(chosen))
    if len(rest):
        share[len(leading) :] = np.log(len(rest) / (len(chosen) - len(leading)))
    kind, shape = np.unravel_index(chosen, rough.shape)
    return kind, shape, share
