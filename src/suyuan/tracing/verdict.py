"""The hypotheses nobody, one source and two sources, weighed against each other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from suyuan.tracing.anew import singles_anew
from suyuan.tracing.pairs import pairs_anew
from suyuan.tracing.plume import Claim, crude_plumes, no_plumes
from suyuan.tracing.prior import Prior
from suyuan.tracing.readings import thinned
from suyuan.tracing.refine import Ground, ground_of
from suyuan.tracing.responses import expected_plumes, responses
from suyuan.tracing.scan import visible_sources
from suyuan.tracing.search import Explanations, Problem, explain, joined, lifted, narrowed

Array = NDArray[np.float64]
Plumes = Sequence[Array]

READINGS_TO_SEEK = 48
"""Readings a station and substance that suffice to find where the plumes are."""

SEEK_ROUNDS = 2
"""How often each of two sources is sought again with the other's plume taken out."""

LEAST_MEMBERS = 3.0
"""Flow members that must carry weight (effective sample size) before probabilities are believed."""

ALIKE = 0.5
"""Correlation of the backgrounds of different substances."""

LEAST_SHARE = 0.6
"""Nor need more than this share of all members, of which there may be few."""

LEAST_TEMPERATURE = 2.0
"""Evidence about who and when never counts more than this part: what model errors are thought to be is itself a guess.

Found on rivers drawn with another transport model (docs/calibration.md): wrong sources that were sure became rare, and the
log score was best between 2 and 3.
"""


@dataclass(frozen=True)
class Verdict:
    """The posterior over how many released, and who they are.

    `nobody`, `one` and `two` are probabilities that sum to 1; `prior_nobody` is what `nobody` was before any reading: that
    nobody released, or nothing that could show. `single` explains by one source; row i of `first` and row i
    of `second` explain by two together, and have the same weight. All were found under `claimed` and weighed on its
    `ground`, nobody under `quiet`, where nothing is claimed.
    """

    nobody: float
    one: float
    two: float
    prior_nobody: float
    single: Explanations
    first: Explanations
    second: Explanations
    claimed: Claim
    quiet: Claim
    ground: Ground


def weigh(problem: Problem) -> Verdict:
    """Return the posterior over nobody, one source and two.

    Candidates are found under one covariance (`scan`); the leading explanations, and pairs of them, are then weighed anew,
    each with the model error of its own plumes (`refine`). Nobody is weighed under its own covariance, in which
    nothing is claimed and so nothing forgiven. That somebody released is judged before the evidence is weakened: flow that is
    wrong hides who it was, not that it was.
    """
    prior = problem.grid.prior
    nothing = no_plumes(problem.blocks)
    quiet = problem.claim(nothing)
    first, second = _sought(problem)
    claimed = problem.claim(_sum(first, second))
    ground = ground_of(claimed, problem.matrices[0].receptors, bin_s=problem.bin_s)
    shown = visible_sources(problem.matrices[0], claimed, grid=problem.grid)
    few = narrowed(problem, claimed, removed=(nothing, second, first))
    found = explain(few, claimed, removed=(nothing, second, first))
    exact = _anew(few, claimed, found=found, ground=ground)
    share = min(1.0, float(np.exp(problem.log_prior[shown]).sum()))
    prior_nobody = prior.nobody + (1.0 - prior.nobody) * (1.0 - share)
    somebody = ground.log_density + np.logaddexp(*_log_counts(exact, prior)) - np.log1p(-prior_nobody)
    log_ratio = _discounted(quiet.log_density() - somebody, substances=len(problem.blocks))
    p_nobody = float(expit(log_ratio + logit(prior_nobody)))
    warm = _tempered(exact, problem)
    log_one, log_two = _log_counts(warm, prior)
    p_two = float(expit(log_two - log_one)) if np.isfinite(log_two) else 0.0
    one, two = (1.0 - p_nobody) * (1.0 - p_two), (1.0 - p_nobody) * p_two
    return Verdict(p_nobody, one, two, prior_nobody, *warm, claimed=claimed, quiet=quiet, ground=ground)


def _discounted(log_ratio: float, *, substances: int) -> float:
    """Return the log evidence of nobody over somebody; against it readings count for as many substances as there are in effect.

    Rain, or another source of water, lifts the backgrounds of several substances together, which are weighed as if each had
    moved by itself: of D substances with a correlation ALIKE of their backgrounds D / (1 + (D - 1) ALIKE) are independent.
    """
    return log_ratio if log_ratio > 0.0 else log_ratio / (1.0 + (substances - 1.0) * ALIKE)


def _log_counts(tables: Sequence[Explanations], prior: Prior) -> tuple[float, float]:
    """Return the log evidence, prior included, of one source and of two."""
    single, first, _ = tables
    one = single.log_evidence + float(np.log(1.0 - prior.nobody - prior.pair))
    return one, first.log_evidence + float(np.log(prior.pair))


def _tempered(
    tables: Sequence[Explanations], problem: Problem
) -> tuple[Explanations, Explanations, Explanations]:
    """Return single, first and second, all weakened by the higher of the temperatures that one source and both ask for.

    Two sources may fit in many flow members what is only one source in the wrong flow.
    """
    prior, members = problem.grid.prior, len(problem.matrices)
    single, first, second = tables
    of_one, of_two = float(np.log(1.0 - prior.nobody - prior.pair)), float(np.log(prior.pair))
    both = joined([lifted(single, of_one), lifted(first, of_two)])
    temperature = max(temperature_of(table, members) for table in (single, both))
    warm = [replace(table, temperature=temperature) for table in (single, first, second)]
    return warm[0], warm[1], warm[2]


def temperature_of(found: Explanations, members: int) -> float:
    """Return by how much the evidence has to be weakened until enough flow members carry weight.

    Where another draw of the flow changes the evidence by much, differences of that size between sources mean little: the
    temperature is the least at which the effective number of members reaches LEAST_MEMBERS.
    """
    for temperature in LEAST_TEMPERATURE * 1.15 ** np.arange(0, 60):
        warm = replace(found, temperature=float(temperature))
        if effective_members(warm, members) >= max(1.0, min(LEAST_MEMBERS, LEAST_SHARE * members)) - 1e-9:
            break
    return float(temperature)


def effective_members(found: Explanations, members: int) -> float:
    """Return the effective sample size of the flow members under these explanations."""
    share = np.bincount(found.member, weights=found.weight, minlength=members)
    return float(share.sum() ** 2 / max((share**2).sum(), 1e-300))


def _anew(
    problem: Problem, claimed: Claim, *, found: Sequence[Explanations], ground: Ground
) -> tuple[Explanations, Explanations, Explanations]:
    """Return single explanations and pairs of all flow members, weighed with the model error of their own plumes."""

    def of_member(member: int) -> tuple[Explanations, Explanations, Explanations]:
        tables = [table.where(np.flatnonzero(table.member == member)) for table in found]
        source = np.concatenate([table.source for table in tables])
        seen = responses(problem, member, source=source)
        alone = singles_anew(problem, tables[0], seen=seen, ground=ground)
        return (alone, *pairs_anew(problem, claimed, tables=(alone, *tables[1:]), seen=seen, ground=ground))

    with ThreadPoolExecutor(problem.workers) as pool:
        parts = list(pool.map(of_member, range(len(problem.matrices))))
    single, first, second = (joined([part[k] for part in parts]) for k in range(3))
    return single, first, second


def _sought(problem: Problem) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return the plumes of two sources, each found in turn with the other taken out.

    Only the first flow member and every few readings are used: this finds where plumes are, not who made them.
    """
    thin = replace(problem, blocks=tuple(thinned(block, READINGS_TO_SEEK) for block in problem.blocks))
    claimed = thin.claim(crude_plumes(thin.blocks), is_crude=True)
    other = no_plumes(thin.blocks)
    for _ in range(SEEK_ROUNDS):
        (found_one,) = explain(thin, claimed, removed=[other], members=1)
        one = expected_plumes(thin, found_one)
        claimed = thin.claim(_sum(one, other))
        (found_other,) = explain(thin, claimed, removed=[one], members=1)
        other = expected_plumes(thin, found_other)
        claimed = thin.claim(_sum(one, other))
    return expected_plumes(problem, found_one), expected_plumes(problem, found_other)


def _sum(one: Plumes, other: Plumes) -> tuple[Array, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
