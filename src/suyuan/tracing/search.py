"""The hypotheses one source, two sources and nobody, weighed against each other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.background import BackgroundParts
from suyuan.tracing.evidence import likely_amplitudes
from suyuan.tracing.plume import Claim, claim, crude_plumes, no_plumes
from suyuan.tracing.readings import Block, thinned
from suyuan.tracing.scan import Grid, SourceScan, log_sum, scan_member, visible_sources
from suyuan.transport.matrix import SourceReceptorMatrix

Array = NDArray[np.float64]
Plumes = Sequence[Array]

PLUME_EXPLANATIONS = 80
"""How many leading explanations make up the expected plume."""

LEAST_MEMBERS_SHARE = 0.5
"""Share of the flow members that must carry weight (effective sample size) before probabilities are believed."""

HOPELESS_LOG = 45.0
"""Sources this far (log) below the best in the first flow member are not tried in the others."""

READINGS_TO_SEEK = 80
"""Readings a station and substance that suffice to find where the plumes are."""

PAIR_ROUNDS = 2
"""How often each of two sources is sought again with the other's plume taken out."""


@dataclass(frozen=True)
class Problem:
    """Everything that is fixed in one trace: flow members, readings, background parts, and what a source may have done.

    `log_prior` (source,) is the log prior of each source of the matrices; the matrices share sources and receptors. Only the
    sources `considered` are looked at (rows; None for all).
    """

    matrices: tuple[SourceReceptorMatrix, ...]
    blocks: tuple[Block, ...]
    parts: BackgroundParts
    grid: Grid
    log_prior: Array
    considered: NDArray[np.int64] | None = None
    workers: int = 2


@dataclass(frozen=True)
class Explanations:
    """Ways in which one source explains the readings, arrays (explanation,).

    `member` and `source` are rows of the matrices and their sources, `shape` and `kind` rows of shapes and library;
    `log_prior` and `log_gain` are the logs of prior and of evidence against no release, divided by `temperature`;
    `alpha`, `beta` (substance, explanation).
    """

    member: NDArray[np.int64]
    source: NDArray[np.int64]
    shape: NDArray[np.int64]
    kind: NDArray[np.int64]
    log_prior: Array
    log_gain: Array
    alpha: Array
    beta: Array
    temperature: float = 1.0

    @property
    def log_weight(self) -> Array:
        """Log of prior times tempered evidence, (explanation,)."""
        return self.log_prior + self.log_gain / self.temperature

    @property
    def log_evidence(self) -> float:
        """Log evidence of "one of all sources did it" against no release, tempered."""
        return log_sum(self.log_weight)

    @property
    def weight(self) -> Array:
        """Posterior weight of each explanation, sum 1."""
        shifted = np.exp(self.log_weight - self.log_weight.max(initial=-np.inf))
        return np.asarray(shifted / shifted.sum()) if len(shifted) else shifted


@dataclass(frozen=True)
class Verdict:
    """The posterior over how many released, and who they are.

    `nobody`, `one` and `two` are probabilities that sum to 1. `single` explains by one source; `first` and `second` explain by
    two, each with the other's expected plume taken out. All three were found under `claimed`.
    """

    nobody: float
    one: float
    two: float
    single: Explanations
    first: Explanations
    second: Explanations
    claimed: Claim


def explain(
    problem: Problem, claimed: Claim, *, removed: Sequence[Plumes], members: int = 0
) -> tuple[Explanations, ...]:
    """Return the ways in which one source explains the readings, once for each set of plumes `removed` beforehand.

    Only the first `members` flow members are looked at; all of them where it is 0.
    """
    matrices = problem.matrices[: members or None]
    residuals = [claimed.residuals(plumes) for plumes in removed]
    with ThreadPoolExecutor(problem.workers) as pool:
        scans = list(
            pool.map(
                lambda matrix: scan_member(
                    matrix, claimed, residuals=residuals, grid=problem.grid, considered=problem.considered
                ),
                matrices,
            )
        )
    return tuple(_joined(problem, [of_member[k] for of_member in scans]) for k in range(len(removed)))


def _joined(problem: Problem, scans: Sequence[Sequence[SourceScan]]) -> Explanations:
    """Return the scans of all members, (member,), as one table."""
    rows = [(m, scan) for m, of_member in enumerate(scans) for scan in of_member if len(scan.shape)]
    if not rows:
        none = np.empty(0, np.int64)
        return Explanations(
            none, none, none, none, np.empty(0), np.empty(0), *np.empty((2, len(problem.blocks), 0))
        )
    count = [len(scan.shape) for _, scan in rows]
    source = np.repeat([scan.source for _, scan in rows], count)
    return Explanations(
        np.repeat([m for m, _ in rows], count),
        source,
        np.concatenate([scan.shape for _, scan in rows]),
        np.concatenate([scan.kind for _, scan in rows]),
        np.concatenate([scan.log_prior for _, scan in rows]) + problem.log_prior[source] - np.log(len(scans)),
        np.concatenate([scan.log_gain for _, scan in rows]),
        np.concatenate([scan.alpha for _, scan in rows], axis=1),
        np.concatenate([scan.beta for _, scan in rows], axis=1),
    )


def tempered(found: Explanations, members: int) -> Explanations:
    """Return the explanations with their evidence weakened until enough flow members carry weight.

    Where a different draw of the flow changes the evidence by much, differences of that size between sources mean little:
    the temperature is the least at which the members' effective sample size reaches LEAST_MEMBERS_SHARE of them.
    """
    temperatures = 1.15 ** np.arange(0, 40)
    for temperature in temperatures:
        warm = replace(found, temperature=float(temperature))
        if effective_members(warm, members) >= max(LEAST_MEMBERS_SHARE * members, min(members, 2)):
            break
    return warm


def effective_members(found: Explanations, members: int) -> float:
    """Return the effective sample size of the flow members under these explanations."""
    share = np.bincount(found.member, weights=found.weight, minlength=members)
    return float(share.sum() ** 2 / max((share**2).sum(), 1e-300))


def response(problem: Problem, member: int, *, source: int, history: Array) -> tuple[Array, ...]:
    """Return the concentration at the readings, (reading,) a block, per g/s released with this history, (bin,)."""
    matrix = problem.matrices[member]
    on = np.flatnonzero(history)
    lag = np.maximum(matrix.lag_s()[:, on], 0.0)
    plumes = []
    for block in problem.blocks:
        decay = np.exp(-block.substance.decay_per_s * lag[block.receptor])
        plumes.append(
            np.asarray((matrix.values[block.receptor, source][:, on] * decay) @ history[on], dtype=float)
        )
    return tuple(plumes)


def expected_plumes(problem: Problem, found: Explanations) -> tuple[Array, ...]:
    """Return the posterior mean plume, (reading,) a block, of the leading explanations."""
    total = no_plumes(problem.blocks)
    leading = np.argsort(found.log_weight)[::-1][:PLUME_EXPLANATIONS]
    weight = found.weight[leading] / max(found.weight[leading].sum(), 1e-300)
    library, strength = problem.grid.library, problem.grid.strength
    for share, i in zip(weight, leading, strict=True):
        if share < 1e-3:
            continue
        kind = found.kind[i]
        centre = library.centre[kind] + strength.log_rate
        amplitude = likely_amplitudes(
            found.alpha[:, i],
            found.beta[:, i],
            log_centre=centre,
            spread=library.spread[kind],
            log_rate_sd=strength.log_sd,
        )
        history = problem.grid.shapes.history(int(found.shape[i]))
        parts = response(problem, found.member[i], source=found.source[i], history=history)
        for d, part in enumerate(parts):
            total[d][:] += share * amplitude[d] * part
    return total


def weigh(problem: Problem) -> Verdict:
    """Return the posterior over nobody, one source and two.

    One and two sources are compared under the same covariance, that of the richer explanation: what the second gains once the
    expected plume of the first is taken out (mean field). Nobody is weighed under its own covariance, in which
    nothing is claimed and so nothing forgiven.
    """
    prior = problem.grid.prior
    nothing = no_plumes(problem.blocks)
    quiet = claim(problem.blocks, problem.parts, plumes=nothing)
    one, other = _sought(problem)
    claimed = claim(problem.blocks, problem.parts, plumes=_sum(one, other))
    shown = visible_sources(problem.matrices[0], claimed, grid=problem.grid)
    found = explain(
        narrowed(problem, claimed, removed=(nothing, other, one)), claimed, removed=(nothing, other, one)
    )
    single, first, second = (tempered(part, len(problem.matrices)) for part in found)
    second = replace(
        second, temperature=max(second.temperature, single.temperature)
    )  # it may be the first's misfit
    t, share = single.temperature, min(1.0, float(np.exp(problem.log_prior[shown]).sum()))
    alone = claimed.log_density() / t + single.log_evidence
    log_weight = np.array(
        [
            quiet.log_density() / t + np.log(prior.nobody + (1.0 - prior.nobody) * (1.0 - share)),
            alone + np.log(1.0 - prior.nobody - prior.pair),
            alone + second.log_evidence + np.log(prior.pair),
        ]
    )
    probability = np.exp(log_weight - np.logaddexp.reduce(log_weight))
    nobody, one_source, two = map(float, probability)
    return Verdict(nobody, one_source, two, single, first, second, claimed)


def narrowed(problem: Problem, claimed: Claim, *, removed: Sequence[Plumes]) -> Problem:
    """Return the problem with the prior of hopeless sources set to nothing, so that no member looks at them again.

    Hopeless is what stays HOPELESS_LOG below the best in the first member, whatever is `removed`.
    """
    keep = np.zeros(len(problem.log_prior), bool)
    for found in explain(problem, claimed, removed=removed, members=1):
        best = np.full(len(keep), -np.inf)
        np.maximum.at(best, found.source, found.log_weight)
        keep |= best > best.max() - HOPELESS_LOG
    return replace(problem, considered=np.flatnonzero(keep))


def _sought(problem: Problem) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return the plumes of two sources, each found in turn with the other taken out.

    Only the first flow member and every few readings are used: this finds where plumes are, not who made them.
    """
    thin = replace(problem, blocks=tuple(thinned(block, READINGS_TO_SEEK) for block in problem.blocks))
    claimed = claim(thin.blocks, thin.parts, plumes=crude_plumes(thin.blocks), is_crude=True)
    other = no_plumes(thin.blocks)
    for _ in range(PAIR_ROUNDS):
        (found_one,) = explain(thin, claimed, removed=[other], members=1)
        one = expected_plumes(thin, found_one)
        claimed = claim(thin.blocks, thin.parts, plumes=_sum(one, other))
        (found_other,) = explain(thin, claimed, removed=[one], members=1)
        other = expected_plumes(thin, found_other)
        claimed = claim(thin.blocks, thin.parts, plumes=_sum(one, other))
    return expected_plumes(problem, found_one), expected_plumes(problem, found_other)


def _sum(one: Plumes, other: Plumes) -> tuple[Array, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
