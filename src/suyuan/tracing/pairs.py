"""Pairs of explanations of one flow member weighed together, each with the model error of both its plumes."""

from __future__ import annotations

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
from suyuan.tracing.search import Explanations, Problem, joined, log_sums

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PLUMES_TO_PAIR = 20
"""Explanations of each table that lead: one half at least of a pair does."""

PLUMES_A_SOURCE = 4
"""Of one source no more than these."""

PAIRS_ANEW = 24
"""Leading pairs of candidates of a flow member that are weighed anew, and beside them the best pair of every other candidate."""

LEADERS = 12
"""Of these the first so many have their two best pairs of histories weighed, the others one."""


def pairs_anew(
    problem: Problem, claimed: Claim, *, tables: Sequence[Explanations], seen: Responses, ground: Ground
) -> tuple[Explanations, Explanations]:
    """Return pairs of the explanations in `tables` (of one member), weighed together; row i of both is a pair.

    They are proposed under the covariance of the scan and then settle together; those that settle stand for all that were
    proposed. The halves come from different tables, and both plumes must show in the readings.
    """
    pool, leads, origin = to_pair(tables, problem.candidate)
    allowed = (origin[:, None] != origin[None, :]) & (leads[:, None] | leads[None, :])
    code = problem.candidate[pool.source]
    rows, score = _proposed(problem, claimed, pool=pool, rows=_apart(code, allowed), seen=seen)
    kind = np.sort(code[rows], axis=1)
    once = from_one_search(kind, np.sort(origin[rows], axis=1), score=score)
    kind, rows, score = kind[once], rows[once], score[once]
    best, stands = standing_for(kind, score)
    rows = rows[best]
    each = [settled(problem, ground, seen=seen, found=pool.where(pair), rounds=ROUNDS) for pair in rows]
    log_prior = pool.log_prior[rows].sum(axis=1) + stands + np.log(2.0 * len(problem.matrices))
    return _half(pool, 0, rows=rows, log_prior=log_prior, each=each), _half(
        pool, 1, rows=rows, log_prior=log_prior, each=each
    )


def _apart(code: Index, allowed: NDArray[np.bool_]) -> Index:
    """Return the allowed pairs (pair, 2) of two candidates, `code` (plume,), each pair once."""
    return np.argwhere(np.triu((code[:, None] != code[None, :]) & allowed))


def from_one_search(kind: Index, origin: Index, *, score: Array) -> Index:
    """Return the pairs of histories that count, as rows: of each two candidates those from the two tables that explain most.

    `kind` (pair, 2) are candidates, `origin` (pair, 2) tables. Other tables are looked at because they may explain more, not as
    further chances that these two did it.

    >>> kind, origin = np.array([[1, 2], [1, 2], [1, 3]]), np.array([[0, 1], [0, 2], [0, 2]])
    >>> from_one_search(kind, origin, score=np.array([0.0, -1.0, -2.0])).tolist()
    [0, 2]
    """
    if not len(kind):
        return np.empty(0, np.int64)
    two, of_two = np.unique(kind, axis=0, return_inverse=True)
    both, of_both = np.unique(origin, axis=0, return_inverse=True)
    total = np.full((len(two), len(both)), -np.inf)
    np.logaddexp.at(total, (of_two.ravel(), of_both.ravel()), score)
    return np.flatnonzero(total.argmax(axis=1)[of_two.ravel()] == of_both.ravel())


def standing_for(kind: Index, score: Array) -> tuple[Index, Array]:
    """Return the rows that are weighed anew, and the log of how many such as itself each stands for.

    `kind` (pair, 2) are candidates, the best `score` (pair,) first. Weighed are the leading PAIRS_ANEW pairs of candidates and
    the best of every other candidate. They stand for all histories of their two candidates; and for those pairs of
    candidates that are not weighed, the ones that share the candidate which is the rarer of the two.

    >>> score = np.array([0.0, -1.0, -1.0, -2.0])
    >>> best, stands = standing_for(np.array([[1, 2], [1, 2], [1, 2], [1, 3]]), score)
    >>> best.tolist(), round(float(np.exp(score[best] + stands).sum() / np.exp(score).sum()), 9)
    ([0, 1, 3], 1.0)
    """
    if not len(kind):
        return np.empty(0, np.int64), np.empty(0)
    first, two = np.unique(kind, axis=0, return_index=True, return_inverse=True)[1:]
    two = two.ravel()
    total = log_sums(two, score, size=len(first))
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(-total, kind="stable")] = np.arange(len(first))
    highest = np.full(int(kind.max()) + 1, -np.inf)
    np.maximum.at(highest, kind[first], total[:, None])
    a, b = kind[first].T
    rarer = np.where(highest[a] < highest[b], a, b)
    lead = np.full(len(highest), -np.inf)
    np.maximum.at(lead, rarer, total)
    weighed = (rank < PAIRS_ANEW) | (total == lead[rarer])
    best = _first_of(two, np.where(weighed, np.where(rank < LEADERS, 2, 1), 0))
    stands = total - log_sums(two[best], score[best], size=len(first))
    every, some = (
        log_sums(rarer, total, size=len(lead)),
        log_sums(rarer[weighed], total[weighed], size=len(lead)),
    )
    stands += every[rarer] - some[rarer]
    return best, stands[two[best]]


def _first_of(group: Index, count: Index) -> Index:
    """Return the first `count` (group,) rows of each group, in their order."""
    order = np.argsort(group, kind="stable")
    place = np.empty(len(group), np.int64)
    place[order] = np.arange(len(group)) - np.searchsorted(group[order], group[order])
    return np.flatnonzero(place < count[group])


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
    problem: Problem, claimed: Claim, *, pool: Explanations, rows: Index, seen: Responses
) -> tuple[Index, Array]:
    """Return those pairs of the pool, `rows` (pair, 2), of which both plumes show, and their scores under the scan's covariance.

    The best comes first. A score is the log of prior and evidence.
    """
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


def to_pair(
    tables: Sequence[Explanations], candidate: Index
) -> tuple[Explanations, NDArray[np.bool_], Index]:
    """Return the explanations out of which pairs are made, which of them lead, and which table each comes from.

    Of each table these are the leading ones, few of any one source, and the best of every other candidate. They stand for all
    of their candidate in the table: `log_prior` makes up for what is left out. `candidate` (source,) tells them apart.
    """
    chosen, leads, few = [], [], np.full(len(candidate), PLUMES_A_SOURCE)
    for table in tables:
        order, of = np.argsort(-table.log_weight, kind="stable"), candidate[table.source]
        leading = order[_first_of(table.source[order], few)][:PLUMES_TO_PAIR]
        others = order[np.unique(of[order], return_index=True)[1]]
        others = others[~np.isin(of[others], of[leading])]
        rows = np.concatenate([leading, others])
        chosen.append(_whole(table, rows, of=of))
        leads.append(np.arange(len(rows)) < len(leading))
    origin = np.repeat(np.arange(len(tables)), [len(each) for each in leads])
    return joined(chosen), np.concatenate(leads), origin


def _whole(table: Explanations, rows: Index, *, of: Index) -> Explanations:
    """Return these rows of the table, standing for all rows of their candidates `of` (row,)."""
    size = int(of.max(initial=-1)) + 1
    every, chosen = (
        log_sums(part, weight, size=size)
        for part, weight in ((of, table.log_weight), (of[rows], table.log_weight[rows]))
    )
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
