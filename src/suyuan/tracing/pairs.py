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
"""Leading explanations, of each of both sources, out of which pairs are made."""

PLUMES_A_SOURCE = 4
"""Of one source no more than these."""

PAIRS_ANEW = 36
"""Leading pairs of a flow member that are weighed anew."""

PAIRS_SETTLED = 18
"""Of these, so many are moved to where they fit best and kept."""

PAIRS_ALIKE = 3
"""Pairs of the same two candidates, with other histories or waters, are no more than these: the leading candidate's own would
leave no room for its rivals."""


def pairs_anew(
    problem: Problem, claimed: Claim, *, tables: Sequence[Explanations], seen: Responses, ground: Ground
) -> tuple[Explanations, Explanations]:
    """Return pairs of the leading explanations in `tables` (of one member), weighed together; row i of both is a pair.

    They are proposed under the covariance of the scan and then settle together. Both plumes must show in the readings.
    """
    pool = to_pair(tables)
    code = _candidates(problem)[pool.source]
    rows = _proposed(problem, claimed, pool=pool, seen=seen)
    each: list[Settled] = []
    for count, rounds in ((PAIRS_ANEW, 1), (PAIRS_SETTLED, ROUNDS)):
        rows = rows[various(np.sort(code[rows], axis=1), count)]
        each = [settled(problem, ground, seen=seen, found=pool.where(pair), rounds=rounds) for pair in rows]
        log_prior = pool.log_prior[rows].sum(axis=1) + np.log(2.0 * len(problem.matrices))
        order = np.argsort([-one.log_gain for one in each] - log_prior, kind="stable")
        rows, log_prior, each = rows[order], log_prior[order], [each[k] for k in order]
    return _half(pool, 0, rows=rows, log_prior=log_prior, each=each), _half(
        pool, 1, rows=rows, log_prior=log_prior, each=each
    )


def _candidates(problem: Problem) -> Index:
    """Return a number for the candidate of each source, (source,)."""
    found = np.unique([s.candidate for s in problem.matrices[0].sources], return_inverse=True)[1]
    return np.asarray(found, dtype=np.int64)


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


def _proposed(problem: Problem, claimed: Claim, *, pool: Explanations, seen: Responses) -> Index:
    """Return pairs of the pool (pair, 2), the best under the covariance of the scan first."""
    code = _candidates(problem)[pool.source]
    rows = np.argwhere(np.triu(code[:, None] != code[None, :]))
    if not len(rows):
        return rows
    alpha, beta, cross = _products(claimed, pool, seen=seen)
    library, strength = problem.grid.library, problem.grid.strength
    water = np.stack([library.centre[pool.kind] + strength.log_rate, library.spread[pool.kind]])
    gain, _, amplitude = pair_evidences(rows, np.stack([alpha, beta]), cross, water, strength.log_sd)
    shows = ((amplitude**2 * alpha[rows]).sum(axis=2) > SHOWS_AT**2).all(axis=1)
    score = np.where(shows, pool.log_prior[rows].sum(axis=1) + gain, -np.inf)
    return np.asarray(rows[np.argsort(-score, kind="stable")[: int(shows.sum())]])


def to_pair(tables: Sequence[Explanations]) -> Explanations:
    """Return the explanations out of which pairs are made: the leading ones of the tables, each once, few of any one source."""
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
