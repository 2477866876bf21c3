"""Which candidates have a chance in each flow member, seen at a glance, so that only these are looked at closely.

A glance is the scan of a part of the places along each reach, with few histories of each. It is taken in every member: where
canals part, who can have done it in one flow could not have in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.plume import Claim
from suyuan.tracing.search import Explanations, Plumes, Problem, explain

Array = NDArray[np.float64]
Index = NDArray[np.int64]

APART = 3
"""Of the places along a reach one in so many is glanced at, so that each is one of these or next to one."""

GLANCED = 6
"""Leading histories of each source that are weighed at a glance."""

HOPELESS_LOG = 40.0
"""Candidates this far (log) below the best of a flow member are not looked at in it."""

HOPELESS_SHARE = 0.1
"""But for what is less than this share of the best, where the evidence is large: so large are errors of the scan then."""

MOST_CANDIDATES = 24
"""Nor are more candidates than these, the leading ones of each search, ..."""

CLOSE_SHARE, MOST_CLOSE = 0.6, 64
"""... but for so many that are within this share of what is hopeless: a close look may turn that round."""

IDLE_LOG = -6.0
"""Log evidence below which a further source explains nothing, so that only the LEAST_CANDIDATES leading ones are kept."""

LEAST_CANDIDATES = 6


def narrowed(problem: Problem, claimed: Claim, *, removed: Sequence[Plumes]) -> Problem:
    """Return the problem with only those candidates considered in each flow member that have a chance there.

    Left out is what stays HOPELESS_LOG below the best, or behind MOST_CANDIDATES others (MOST_CLOSE where it is close to the
    best), with every set of plumes `removed`.
    """
    candidate, members = problem.candidate, len(problem.matrices)
    glance = replace(
        problem,
        grid=replace(problem.grid, leading=GLANCED),
        considered=np.tile(glanced(candidate), (members, 1)),
    )
    keep = np.zeros((members, len(candidate)), bool)
    for member in range(members):  # one after another: tables of all at once are large
        for found in explain(glance, claimed, removed=removed, members=[member]):
            keep[member] |= with_a_chance(found, candidate)[candidate]
    return replace(problem, considered=keep)


def glanced(candidate: Index) -> NDArray[np.bool_]:
    """Return which sources are glanced at, (source,): of each `candidate`, whose places stand in their order, one in APART.

    >>> glanced(np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3])).astype(int).tolist()
    [1, 0, 1, 0, 1, 0, 0, 1, 0, 1]
    """
    order = np.argsort(candidate, kind="stable")
    first = np.searchsorted(candidate[order], candidate)
    place = np.empty(len(candidate), np.int64)
    place[order] = np.arange(len(candidate)) - first[order]
    last = place == np.bincount(candidate)[candidate] - 1
    return np.asarray((place % APART == APART // 2) | (last & (place % APART < APART // 2)))


def with_a_chance(found: Explanations, candidate: Index) -> NDArray[np.bool_]:
    """Return which candidates have a chance by what was found in one flow member, (candidate,); `candidate` is (source,)."""
    best = np.full(int(candidate.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(best, candidate[found.source], found.log_weight)
    ranked = np.sort(best)[::-1]
    least = max(ranked[0] - hopeless(found.log_evidence), _least(ranked, found.log_evidence))
    return np.asarray((best > -np.inf) & (best >= least))


def _least(ranked: Array, log_evidence: float) -> float:
    """Return what candidates need to be looked at closely, of their log weights `ranked`, the largest first."""
    behind = np.append(ranked, np.full(MOST_CLOSE, -np.inf))
    if log_evidence <= IDLE_LOG:
        return float(behind[LEAST_CANDIDATES - 1])
    close = CLOSE_SHARE * hopeless(log_evidence)
    return float(min(behind[MOST_CANDIDATES - 1], max(ranked[0] - close, behind[MOST_CLOSE - 1])))


def hopeless(log_evidence: float) -> float:
    """Return how far (log) below the best, of this evidence, nothing has a chance."""
    return max(HOPELESS_LOG, HOPELESS_SHARE * log_evidence)
