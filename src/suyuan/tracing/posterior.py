"""The trace: who released, when and how much, from readings and source-receptor matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from suyuan.errors import InputError
from suyuan.fingerprints import Fingerprints
from suyuan.observations import Observations
from suyuan.substances import Substance
from suyuan.tracing.background import background_parts
from suyuan.tracing.blind import blind_spots
from suyuan.tracing.counts import LEAST_TEMPERATURE
from suyuan.tracing.fit import fits_of
from suyuan.tracing.goodness import (
    departures,
    fingerprint_notes,
    fit_notes,
    moved_notes,
    shares_outside,
)
from suyuan.tracing.library import Strength, library_of
from suyuan.tracing.prior import Prior
from suyuan.tracing.readings import Block, blocks_of
from suyuan.tracing.release import Draws, draw_releases, finding_of
from suyuan.tracing.result import Finding, Trace
from suyuan.tracing.scan import Grid
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.shapes import release_shapes
from suyuan.tracing.statements import Assumption, Note
from suyuan.tracing.unrest import courses_of
from suyuan.tracing.verdict import Verdict, weigh
from suyuan.tracing.why import why_of
from suyuan.transport.matrix import SourceReceptorMatrix

Array = NDArray[np.float64]

CREDIBLE = 0.9
WORTH_SAYING = 0.005
"""Probability from which a candidate's mass, start and history are worked out."""

DRAWS = 400


def trace(
    observations: Observations,
    matrices: Sequence[SourceReceptorMatrix],
    *,
    substances: Sequence[Substance],
    fingerprints: Fingerprints,
    prior: Prior,
    rng: np.random.Generator,
) -> Trace:
    """Return who released what, when, and with what probability.

    `matrices` are one a flow member, with the same receptors, sources and bins; more members make better-founded
    probabilities. The first of `substances` is the one whose mass is reported. Probabilities hold for releases that show in
    the readings: a release nobody could have seen counts as none (see the blind spots). The assumption that hurts most:
    the travel times of the members bracket the true ones.
    """
    # members run side by side; threads inside each would only get in each other's way
    with threadpool_limits(1):
        problem = problem_of(
            observations, matrices, substances=substances, fingerprints=fingerprints, prior=prior
        )
        notes = left_out(substances, problem.blocks)
        found = _trace(problem, weigh(problem), observations=observations, fingerprints=fingerprints, rng=rng)
        return replace(found, notes=(*notes, *found.notes))


def _trace(
    problem: Problem,
    verdict: Verdict,
    *,
    observations: Observations,
    fingerprints: Fingerprints,
    rng: np.random.Generator,
) -> Trace:
    """Return what the verdict says, candidate by candidate and reading by reading."""
    probability = candidate_probabilities(problem, verdict)
    findings = _findings(problem, verdict, probability=probability, rng=rng)
    outside = shares_outside(problem, verdict)
    first, traced = problem.matrices[0], problem.blocks[0].substance.determinand
    return Trace(
        determinand=traced.id,
        unit=traced.unit,
        start=first.start,
        edges=first.edges,
        findings=findings,
        no_source_probability=verdict.nobody,
        credible_set=credible_set(findings),
        pairs=_pairs(problem, verdict),
        fits=fits_of(problem, verdict, observations=observations),
        blind_spots=blind_spots(problem, verdict.believed),
        members=len(problem.matrices),
        effective_members=verdict.effective_members(len(problem.matrices)),
        assumptions=_assumptions(problem, verdict),
        notes=_notes(problem, verdict, fingerprints=fingerprints, outside=outside, top=findings[0]),
        outside=outside,
        prior_nobody=verdict.prior_nobody,
        why=why_of(problem, verdict),
        member_weights=tuple(verdict.member_shares(len(problem.matrices)).tolist()),
    )


def problem_of(
    observations: Observations,
    matrices: Sequence[SourceReceptorMatrix],
    *,
    substances: Sequence[Substance],
    fingerprints: Fingerprints,
    prior: Prior,
) -> Problem:
    """Return everything that stays fixed in a trace of these readings."""
    first = matrices[0]
    blocks = blocks_of(observations, first.receptors, substances=substances)
    bin_s = float(np.median(np.diff(first.edges)))
    grid = Grid(
        release_shapes(first.values.shape[2], bin_s, dusks=_dusks(first, prior)),
        library_of(fingerprints, blocks),
        _strength(first, blocks[0]),
        prior,
    )
    return Problem(
        tuple(matrices), blocks, background_parts(first), courses_of(first), grid, _log_prior(first, prior)
    )


def _dusks(matrix: SourceReceptorMatrix, prior: Prior) -> Array | None:
    """Return how much likelier than on average a daily repeat begins in each bin, (bin,); None where no hour is likelier."""
    if prior.nights is None:
        return None
    begin = matrix.start + np.round(matrix.edges[:-1]).astype("timedelta64[s]")
    return prior.nights.weight(begin)


def _log_prior(matrix: SourceReceptorMatrix, prior: Prior) -> Array:
    """Return the log prior of each source; the points of one candidate share its weight."""
    weight = {c.id: float(w) for c, w in zip(prior.candidates, prior.weight, strict=True)}
    count: dict[str, int] = {}
    for source in matrix.sources:
        if source.candidate not in weight:
            what = f"source '{source.candidate}' has no prior weight"
            raise InputError("prior", what, "make matrices and prior from the same network")
        count[source.candidate] = count.get(source.candidate, 0) + 1
    share = np.array([weight[s.candidate] / count[s.candidate] for s in matrix.sources])
    return np.asarray(np.log(np.maximum(share, 1e-300)))


def _strength(matrix: SourceReceptorMatrix, block: Block) -> Strength:
    """Return the prior of a release's rate: about what raises the readings by twice their median, from where it shows most.

    The discharge that dilutes a release on its way to a station is read off the matrix: a steady release of 1 g/s raises
    the station by 1/q.
    """
    steady = matrix.values.sum(axis=2).max(axis=0)
    steady = steady[steady > 1e-3 * max(float(steady.max()), 1e-30)]
    diluting = float(np.median(1.0 / steady)) if len(steady) else 1.0
    return Strength(float(np.log(2.0 * block.level * diluting)))


def candidate_probabilities(problem: Problem, verdict: Verdict) -> dict[str, float]:
    """Return the probability that each candidate released, marginal over one and two sources."""
    names = [s.candidate for s in problem.matrices[0].sources]
    total = {c.id: 0.0 for c in problem.grid.prior.candidates}
    parts = ((verdict.one, verdict.single), (verdict.two, verdict.first), (verdict.two, verdict.second))
    for chance, found in parts:
        for name, share in _shares(found, names).items():
            total[name] += chance * share
    return {name: min(1.0, p) for name, p in total.items()}


def _shares(found: Explanations, names: Sequence[str]) -> dict[str, float]:
    share: dict[str, float] = {}
    for source, weight in zip(found.source, found.weight, strict=True):
        share[names[source]] = share.get(names[source], 0.0) + float(weight)
    return share


def _findings(
    problem: Problem, verdict: Verdict, *, probability: dict[str, float], rng: np.random.Generator
) -> tuple[Finding, ...]:
    findings = []
    for candidate in problem.grid.prior.candidates:
        p = probability[candidate.id]
        draws = (
            draw_releases(problem, verdict, candidate=candidate.id, count=DRAWS, rng=rng)
            if p >= WORTH_SAYING
            else None
        )
        findings.append(
            finding_of(problem, candidate, probability=p, draws=draws)
            if isinstance(draws, Draws)
            else Finding(candidate, p)
        )
    return tuple(sorted(findings, key=lambda finding: (-finding.probability, finding.candidate.id)))


def credible_set(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the smallest set of leading candidates that holds the source with 90 % probability if there is one, ties whole."""
    total = sum(finding.probability for finding in findings)
    chosen: list[str] = []
    held, last = 0.0, 0.0
    for finding in findings:
        if held >= CREDIBLE * total and finding.probability < last * (1.0 - 1e-6):
            break
        chosen.append(finding.candidate.id)
        held, last = held + finding.probability, finding.probability
    return tuple(chosen) if total > 0.0 else ()


def _pairs(problem: Problem, verdict: Verdict) -> tuple[tuple[str, str, float], ...]:
    """Return the leading pairs with their probability, those of 1 % or more."""
    names = [s.candidate for s in problem.matrices[0].sources]
    total: dict[tuple[str, str], float] = {}
    for one, other, weight in zip(
        verdict.first.source, verdict.second.source, verdict.first.weight, strict=True
    ):
        a, b = sorted((names[one], names[other]))
        total[a, b] = total.get((a, b), 0.0) + verdict.two * float(weight)
    leading = sorted(((a, b, p) for (a, b), p in total.items() if p >= 0.01), key=lambda row: -row[2])
    return tuple(leading[:10])


def _assumptions(problem: Problem, verdict: Verdict) -> tuple[Assumption, ...]:
    prior, strength, nights = problem.grid.prior, problem.grid.strength, problem.grid.prior.nights
    return (
        Assumption("nobody", {"share": f"{prior.nobody:.3g}"}),
        Assumption("pair", {"share": f"{prior.pair:.2g}"}),
        Assumption("unlisted", {"share": f"{prior.unlisted:.2g}"}),
        *(
            ()
            if nights is None
            else (Assumption("nights", {"share": f"{nights.share:.2g}", "zone": str(nights.zone)}),)
        ),
        Assumption("rate", _range(strength.log_rate, strength.log_sd)),
        Assumption("members", {"count": f"{len(problem.matrices)}"}),
        Assumption("temperature", {"temperature": f"{verdict.temperature:.2f}"}),
        Assumption("count", {"temperature": f"{verdict.count_temperature:.2f}"}),
        *(Assumption("readings", _described(block)) for block in problem.blocks),
    )


def _range(log_median: float, log_sd: float) -> dict[str, str]:
    quantiles = np.exp(log_median + log_sd * np.array([-1.645, 0.0, 1.645]))
    return {name: f"{q:.3g}" for name, q in zip(("low", "middle", "high"), quantiles, strict=True)}


def _described(block: Block) -> dict[str, str]:
    noise = float(np.median(block.noise_sd / np.maximum(np.abs(block.value), 1e-12)))
    return {
        "determinand": block.substance.determinand.id,
        "noise": f"{noise:.1%}",
        "decay": f"{block.substance.decay_per_s * 86400.0:.3g}",
        "count": f"{len(block.value)}",
    }


def left_out(substances: Sequence[Substance], blocks: Sequence[Block]) -> tuple[Note, ...]:
    """Return a note that names the substances which had no usable reading above 0, if there are any."""
    used = {block.substance.determinand.id for block in blocks}
    names = [s.determinand.id for s in substances if s.determinand.id not in used]
    return (Note("not above 0", {"determinands": ", ".join(names)}),) if names else ()


def _decay_notes(problem: Problem) -> tuple[Note, ...]:
    """Return a note that names the substances which are lost on the way but have no rate, if there are any."""
    substances = [block.substance for block in problem.blocks]
    kept = [s.determinand.id for s in substances if s.determinand.is_reactive and s.decay_per_s == 0.0]
    return (Note("no rate", {"determinands": ", ".join(kept)}),) if kept else ()


def _notes(
    problem: Problem,
    verdict: Verdict,
    *,
    fingerprints: Fingerprints,
    outside: tuple[tuple[str, float], ...],
    top: Finding,
) -> tuple[Note, ...]:
    notes = [*fit_notes(outside), *moved_notes(problem, verdict), *_decay_notes(problem)]
    if top.probability >= 0.5:
        found = departures(problem, verdict, candidate=top.candidate.id)
        notes += fingerprint_notes(found, candidate=top.candidate.id)
    if len(problem.matrices) < 4:
        notes.append(Note("few members"))
    if verdict.temperature > 2.0 * LEAST_TEMPERATURE:
        notes.append(Note("members disagree"))
    if len(problem.blocks) > 1 and not fingerprints.kinds:
        notes.append(Note("no fingerprints"))
    if verdict.two > 0.5:
        notes.append(Note("two sources"))
    return tuple(notes)
