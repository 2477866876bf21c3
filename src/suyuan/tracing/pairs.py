"""Pairs of explanations of one flow member weighed together, each with the model error of both its plumes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from suyuan.tracing.anew import ROUNDS
from suyuan.tracing.evidence import SHOWS_AT, pair_evidences
from suyuan.tracing.plume import Claim
from suyuan.tracing.refine import Ground, Settled, settled
from suyuan.tracing.responses import Responses
from suyuan.tracing.search import Explanations, Problem, joined

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PLUMES_TO_PAIR = 20
"""Explanations of each table that lead: any two of these may be a pair."""

PLUMES_A_SOURCE = 4
"""Of one source no more than these."""

PAIRS_ANEW = 24
"""Leading pairs of a flow member that are weighed anew, each for itself."""

PAIRS_ALIKE = 3
"""Pairs of the same two candidates, with other histories or waters, are no more than these: the leading candidate's own would
leave no room for its rivals."""

REST_LOG = 12.0
"""Candidates all of whose other pairs together stay so far (log) behind the leading pair are not weighed in any more."""


def pairs_anew(
    problem: Problem, claimed: Claim, *, tables: Sequence[Explanations], seen: Responses, ground: Ground
) -> tuple[Explanations, Explanations]:
    """Return pairs of the explanations in `tables` (of one member), weighed together; row i of both is a pair.

    They are proposed under the covariance of the scan and then settle together: the leading ones, and for every candidate the
    best of its others, which stands for these. Both plumes must show in the readings.
    """
    pool, leads = to_pair(tables, problem.candidate)
    code = problem.candidate[pool.source]
    rows, score = _proposed(problem, claimed, pool=pool, leads=leads, seen=seen)
    kind = np.sort(code[rows], axis=1)
    leading = various(kind, PAIRS_ANEW)
    others = np.setdiff1d(np.arange(len(rows)), leading)
    best, more = standing_for(kind[others], score[others], least=score.max(initial=-np.inf) - REST_LOG)
    stands = np.concatenate([np.zeros(len(leading)), more]) + np.log(2.0 * len(problem.matrices))
    rows = rows[np.concatenate([leading, others[best]])]
    each = [settled(problem, ground, seen=seen, found=pool.where(pair), rounds=ROUNDS) for pair in rows]
    log_prior = pool.log_prior[rows].sum(axis=1) + stands
    return _half(pool, 0, rows=rows, log_prior=log_prior, each=each), _half(
        pool, 1, rows=rows, log_prior=log_prior, each=each
    )


def standing_for(pairs: Index, score: Array, *, least: float) -> tuple[Index, Array]:
    """Return the rows of a pair for each candidate, and the log of how many such as itself it stands for.

    `pairs` (pair, 2) are candidates, the best `score` (pair,) first. Each pair counts with that of its two candidates whose best
    pair is the worse one. Candidates all of whose pairs together stay below `least` are left out.

    >>> best, more = standing_for(np.array([[1, 2], [1, 3], [1, 3]]), np.array([0.0, -1.0, -1.0]), least=-9.0)
    >>> best.tolist(), np.exp(more).round(6).tolist()
    ([0, 1], [1.0, 2.0])
    """
    if not len(pairs):
        return np.empty(0, np.int64), np.empty(0)
    highest = np.full(int(pairs.max()) + 1, -np.inf)
    np.maximum.at(highest, pairs, score[:, None])
    rarer = np.where(highest[pairs[:, 0]] < highest[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    best, group = np.unique(rarer, return_index=True, return_inverse=True)[1:]
    total = np.full(len(best), -np.inf)
    np.logaddexp.at(total, group, score)
    kept = total >= least
    return best[kept], (total - score[best])[kept]


def various(pairs: Index, count: int) -> Index:
    """Return the rows of the first `count` pairs (pair, 2), passing over those of which PAIRS_ALIKE were taken before.

    >>> various(np.array([[1, 2], [1, 2], [1, 2], [1, 2], [1, 3]]), 4).tolist()
    [0, 1, 2, 4]
    """
    kind = np.unique(pairs, axis=0, return_inverse=True)[1].ravel() if len(pairs) else np.empty(0, np.int64)
    taken, rows = Counter[int](), []
    for row, one in enumerate(kind.tolist()):
        if taken[one] < PAIRS_ALIKE:
            rows.append(row)
        taken[one] += 1
    return np.array(rows[:count], np.int64)


def _half(
    pool: Explanations, which: int, *, rows: Index, log_prior: Array, each: Sequence[Settled]
) -> Explanations:
    """Return the first or second plume of every pair."""
    half = pool.where(rows[:, which])
    if not len(rows):
        return half
    return replace(
        half,
        log_prior=log_prior,
        log_gain=np.array([one.log_gain for one in each]),
        alpha=np.array([one.alpha[which] for one in each]).T,
        beta=np.array([one.beta[which] for one in each]).T,
    )


def _proposed(
    problem: Problem, claimed: Claim, *, pool: Explanations, leads: NDArray[np.bool_], seen: Responses
) -> tuple[Index, Array]:
    """Return pairs of the pool (pair, 2) of which one at least leads, and their scores under the covariance of the scan.

    The best comes first. A score is the log of prior and evidence.
    """
    code = problem.candidate[pool.source]
    rows = np.argwhere(np.triu((code[:, None] != code[None, :]) & (leads[:, None] | leads[None, :])))
    if not len(rows):
        return rows, np.empty(0)
    alpha, beta, cross = _products(claimed, pool, seen=seen)
    library, strength = problem.grid.library, problem.grid.strength
    water = np.stack([library.centre[pool.kind] + strength.log_rate, library.spread[pool.kind]])
    gain, _, amplitude = pair_evidences(rows, np.stack([alpha, beta]), cross, water, strength.log_sd)
    shows = ((amplitude**2 * alpha[rows]).sum(axis=2) > SHOWS_AT**2).all(axis=1)
    score = np.where(shows, pool.log_prior[rows].sum(axis=1) + gain, -np.inf)
    order = np.argsort(-score, kind="stable")[: int(shows.sum())]
    return np.asarray(rows[order]), score[order]


def to_pair(tables: Sequence[Explanations], candidate: Index) -> tuple[Explanations, NDArray[np.bool_]]:
    """Return the explanations out of which pairs are made, each once, and which of them lead.

    Of each table these are the leading ones, few of any one source, and the best of every other candidate. They stand for all
    of their candidate in the table: `log_prior` makes up for what is left out. `candidate` (source,) tells them apart.
    """
    chosen, leads = [], []
    for table in tables:
        order, of = np.argsort(-table.log_weight, kind="stable"), candidate[table.source]
        leading = order[_few(table.source[order])][:PLUMES_TO_PAIR]
        others = order[np.unique(of[order], return_index=True)[1]]
        others = others[~np.isin(of[others], of[leading])]
        rows = np.concatenate([leading, others])
        chosen.append(_whole(table, rows, of=of))
        leads.append(np.arange(len(rows)) < len(leading))
    pool = joined(chosen)
    keys = np.stack([pool.source, pool.shape, pool.kind])
    once = np.sort(np.unique(keys, axis=1, return_index=True)[1])
    return pool.where(once), np.concatenate(leads)[once]


def _few(source: Index) -> NDArray[np.bool_]:
    """Return which rows are among the first PLUMES_A_SOURCE of their source, (row,)."""
    order = np.argsort(source, kind="stable")
    first = np.searchsorted(source[order], source[order])
    found = np.empty(len(source), bool)
    found[order] = np.arange(len(source)) - first < PLUMES_A_SOURCE
    return found


def _whole(table: Explanations, rows: Index, *, of: Index) -> Explanations:
    """Return these rows of the table, standing for all rows of their candidates `of` (row,)."""
    every, chosen = np.full((2, int(of.max(initial=-1)) + 1), -np.inf)
    np.logaddexp.at(every, of, table.log_weight)
    np.logaddexp.at(chosen, of[rows], table.log_weight[rows])
    found = table.where(rows)
    return replace(found, log_prior=found.log_prior + every[of[rows]] - chosen[of[rows]])


def _products(claimed: Claim, pool: Explanations, *, seen: Responses) -> tuple[Array, Array, Array]:
    """Return alpha, beta (plume, substance) and cross (substance, plume, plume) under the covariance of the scan."""
    rise = np.stack([seen.rise(int(s), int(h)) for s, h in zip(pool.source, pool.shape, strict=True)])
    alpha, beta, cross = [], [], []
    residuals = claimed.residuals()
    for d, (block, factor) in enumerate(zip(claimed.blocks, claimed.factors, strict=True)):
        white = solve_triangular(factor, block.means.of(rise[:, d].T), lower=True, check_finite=False)
        cross.append(white.T @ white)
        alpha.append(np.diag(cross[-1]).copy())
        beta.append(white.T @ residuals[d])
    return np.stack(alpha, axis=1), np.stack(beta, axis=1), np.stack(cross)
