"""Which sources have a chance in each flow member, seen at a glance, so that only these are looked at closely.

A glance is the scan with release histories of merged bins. It is taken in every member: where canals part, who can have done
it in one flow could not have in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.plume import Claim
from suyuan.tracing.search import Explanations, Plumes, Problem, explain
from suyuan.tracing.shapes import release_shapes

Array = NDArray[np.float64]

MERGED = 3
"""Release bins that a glance takes as one."""

GLANCED = 6
"""Leading histories of each source that are weighed at a glance."""

HOPELESS_LOG = 40.0
"""Sources this far (log) below the best of a flow member are not looked at in it."""

HOPELESS_SHARE = 0.1
"""But for what is less than this share of the best, where the evidence is large: so large are errors of the scan then."""

MOST_CANDIDATES = 24
"""Nor are the sources of more candidates than these, the leading ones of each search, ..."""

CLOSE_SHARE, MOST_CLOSE = 0.6, 64
"""... but for so many that are within this share of what is hopeless: a glance may be wrong by as much."""

IDLE_LOG = -6.0
"""Log evidence below which a further source explains nothing, so that only the LEAST_CANDIDATES leading ones are kept."""

LEAST_CANDIDATES = 6


def narrowed(
    problem: Problem, claimed: Claim, *, removed: Sequence[Plumes]
) -> tuple[Problem, tuple[float, ...]]:
    """Return the problem with only those sources considered in each flow member that have a chance there.

    Left out is what stays HOPELESS_LOG below the best, or whose candidate stays behind MOST_CANDIDATES others (MOST_CLOSE where
    it is close to the best), with every set of plumes `removed`. And the log evidence at a glance, of each set.
    """
    glance, members = glanced(problem), len(problem.matrices)
    keep, evidence = np.zeros((members, len(problem.log_prior)), bool), np.empty((members, len(removed)))
    for member in range(members):  # one after another: tables of all at once are large
        for k, found in enumerate(explain(glance, claimed, removed=removed, members=[member])):
            keep[member] |= with_a_chance(found, problem.candidate)
            evidence[member, k] = found.log_evidence
    mean = np.logaddexp.reduce(evidence, axis=0) - np.log(members)
    return replace(problem, considered=keep), tuple(mean.tolist())


def glanced(problem: Problem) -> Problem:
    """Return the problem with release histories of merged bins."""
    bins = -(-problem.grid.shapes.bins // MERGED)
    shapes = release_shapes(bins, MERGED * problem.bin_s)
    return replace(problem, grid=replace(problem.grid, shapes=shapes, leading=GLANCED))


def with_a_chance(found: Explanations, candidate: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which sources have a chance by what was found in one flow member, (source,)."""
    best, of_candidate = np.full(len(candidate), -np.inf), np.full(int(candidate.max()) + 1, -np.inf)
    np.maximum.at(best, found.source, found.log_weight)
    np.maximum.at(of_candidate, candidate, best)
    out = hopeless(found.log_evidence)
    least = max(best.max() - out, _least(np.sort(of_candidate)[::-1], found.log_evidence))
    return np.asarray((best > -np.inf) & (of_candidate[candidate] >= least) & (best >= best.max() - out))


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
