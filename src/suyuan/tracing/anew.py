"""The leading explanations of one flow member weighed anew, each with the model error of its own plumes; and pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from suyuan.tracing.evidence import SHOWS_AT, pair_evidences
from suyuan.tracing.plume import Claim
from suyuan.tracing.refine import Ground, Plume, log_density, plume_of
from suyuan.tracing.responses import Responses, amplitudes, responses
from suyuan.tracing.search import Explanations, Problem, joined

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PICKS_NEAR, PICKS_FAR = 14, 5
"""Explanations of a source that are weighed anew: of one near the best of its member, and of any other."""

NEAR_LOG, FAR_LOG = 8.0, 25.0
"""A source is near within the first (log) of the best, and not weighed anew beyond the second."""

PLUMES_TO_PAIR = 30
"""Leading explanations, of each of both sources, out of which pairs are made."""

PLUMES_A_SOURCE = 5
"""Of one source no more than these."""

PAIRS_ANEW = 60
"""Leading pairs of a flow member that are weighed anew."""


def singles_anew(problem: Problem, table: Explanations, *, ground: Ground) -> Explanations:
    """Return a fair selection of one member's explanations, weighed with the model error of their own plumes."""
    found = picked(table)
    if not len(found.source):
        return found
    seen = responses(problem, member=int(found.member[0]), source=found.source, shape=found.shape)
    amplitude = amplitudes(problem, found, rows=np.arange(len(found.source)))
    claimed = (amplitude.T * found.beta - 0.5 * amplitude.T**2 * found.alpha).sum(axis=0)
    own = np.array(
        [log_density((_plume(seen, i, amplitude=a, ground=ground),), ground) for i, a in enumerate(amplitude)]
    )
    return replace(found, log_gain=found.log_gain + own - ground.claimed_log_density - claimed)


def picked(table: Explanations) -> Explanations:
    """Return some explanations of each source, standing for all of it.

    Systematic sampling with chances in proportion to the square root of their weights; `log_prior` makes up for it, so
    that sums over the selection estimate sums over the table without bias.
    """
    chosen, correction = [], []
    best = table.log_weight.max(initial=-np.inf)
    for source in np.unique(table.source):
        rows = np.flatnonzero(table.source == source)
        weight = table.log_weight[rows]
        if weight.max() < best - FAR_LOG:
            continue
        count = PICKS_NEAR if weight.max() > best - NEAR_LOG else PICKS_FAR
        if count < len(rows):
            chance = np.exp(0.5 * (weight - weight.max()))
            chance /= chance.sum()
            times = np.bincount(
                np.searchsorted(np.cumsum(chance), (np.arange(count) + 0.5) / count).clip(max=len(rows) - 1),
                minlength=len(rows),
            )
            rows, times, chance = rows[times > 0], times[times > 0], chance[times > 0]
            correction.append(np.log(times / (count * chance)))
        else:
            correction.append(np.zeros(len(rows)))
        chosen.append(rows)
    rows = np.concatenate([np.empty(0, np.int64), *chosen])
    found = table.where(rows)
    return replace(found, log_prior=found.log_prior + np.concatenate([np.empty(0), *correction]))


def pairs_anew(
    problem: Problem, claimed: Claim, *, tables: Sequence[Explanations], ground: Ground
) -> tuple[Explanations, Explanations]:
    """Return pairs of the leading explanations in `tables` (of one member), weighed together; row i of both is a pair.

    Both plumes must show in the readings: the strength of one that does not is anybody's guess, and mean field then does not
    settle. No pair may gain more than the whole misfit.
    """
    pool = _pool(tables)
    code = np.unique([s.candidate for s in problem.matrices[0].sources], return_inverse=True)[1][pool.source]
    pairs = np.argwhere(np.triu(code[:, None] != code[None, :]))
    if not len(pairs):
        return pool.where(pairs[:, 0]), pool.where(pairs[:, 1])
    seen = responses(problem, member=int(pool.member[0]), source=pool.source, shape=pool.shape)
    alpha, beta, cross = _products(claimed, seen)
    library, strength = problem.grid.library, problem.grid.strength
    water = np.stack([library.centre[pool.kind] + strength.log_rate, library.spread[pool.kind]])
    gain, left, amplitude = pair_evidences(pairs, np.stack([alpha, beta]), cross, water, strength.log_sd)
    log_prior = pool.log_prior[pairs].sum(axis=1) + np.log(2.0 * len(problem.matrices))
    signal = (amplitude**2 * alpha[pairs]).sum(axis=2)
    misfit = 0.5 * sum(float(z @ z) for z in claimed.residuals())
    shows = np.flatnonzero((signal > SHOWS_AT**2).all(axis=1) & (gain < misfit))
    leading = shows[np.argsort((log_prior + gain)[shows])[::-1][:PAIRS_ANEW]]
    one, other = pairs[leading].T
    density = np.array(
        [_density_of_two(seen, pairs[p], amplitude=amplitude[p], ground=ground) for p in leading]
    )
    a, b = amplitude[leading].transpose(1, 2, 0)
    alike = (a * b * cross[:, one, other] + 0.5 * a**2 * alpha[one].T + 0.5 * b**2 * alpha[other].T).sum(
        axis=0
    )
    under_scan = (a * beta[one].T + b * beta[other].T).sum(axis=0) - alike
    total = gain[leading] + density - ground.claimed_log_density - under_scan
    columns = {"log_prior": log_prior[leading], "log_gain": total}
    first, second = (
        replace(pool.where(rows), beta=left[leading, i].T, **columns) for i, rows in enumerate((one, other))
    )
    return first, second


def _density_of_two(seen: Responses, pair: Index, *, amplitude: Array, ground: Ground) -> float:
    plumes = tuple(
        _plume(seen, int(i), amplitude=a, ground=ground) for i, a in zip(pair, amplitude, strict=True)
    )
    return log_density(plumes, ground)


def _plume(seen: Responses, row: int, *, amplitude: Array, ground: Ground) -> Plume:
    return plume_of(
        seen.rise[row],
        amplitude,
        ground=ground,
        travel_s=seen.travel_s[row],
    )


def _pool(tables: Sequence[Explanations]) -> Explanations:
    """Return the leading explanations of the tables, each once, few of any one source."""
    chosen = []
    for table in tables:
        taken: dict[int, int] = {}
        rows: list[int] = []
        for row in np.argsort(table.log_weight)[::-1]:
            source = int(table.source[row])
            taken[source] = taken.get(source, 0) + 1
            if taken[source] <= PLUMES_A_SOURCE:
                rows.append(int(row))
            if len(rows) == PLUMES_TO_PAIR:
                break
        chosen.append(table.where(np.array(rows, np.int64)))
    pool = joined(chosen)
    keys = np.stack([pool.source, pool.shape, pool.kind])
    return pool.where(np.sort(np.unique(keys, axis=1, return_index=True)[1]))


def _products(claimed: Claim, seen: Responses) -> tuple[Array, Array, Array]:
    """Return alpha, beta (plume, substance) and cross (substance, plume, plume) under the covariance of the scan."""
    alpha, beta, cross = [], [], []
    residuals = claimed.residuals()
    for d, (block, factor) in enumerate(zip(claimed.blocks, claimed.factors, strict=True)):
        white = solve_triangular(factor, seen.rise[:, d][:, block.receptor].T, lower=True, check_finite=False)
        cross.append(white.T @ white)
        alpha.append(np.diag(cross[-1]).copy())
        beta.append(white.T @ residuals[d])
    return np.stack(alpha, axis=1), np.stack(beta, axis=1), np.stack(cross)
