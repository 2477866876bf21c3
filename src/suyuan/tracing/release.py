"""What one candidate released, given that it did: mass, start and history, drawn from the posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.evidence import GRID_HALF, GRID_STEP, amplitude_posterior, evidence_of_kinds
from suyuan.tracing.result import Candidate, Finding, Interval, TimeInterval
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.verdict import Verdict

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Equally likely releases: `rate` (draw,) [g/s while on], `shape` (draw,) rows of the release shapes."""

    rate: Array
    shape: NDArray[np.int64]


def draw_releases(
    problem: Problem, verdict: Verdict, *, candidate: str, count: int, rng: np.random.Generator
) -> Draws | None:
    """Return `count` releases of this candidate from the posterior given that it released; None where none explains."""
    names = np.array([s.candidate for s in problem.matrices[0].sources])
    parts = ((verdict.single, verdict.one), (verdict.first, verdict.two), (verdict.second, verdict.two))
    rows, weights, origin = [], [], []
    for k, (found, share) in enumerate(parts):
        own = np.flatnonzero(names[found.source] == candidate) if len(found.source) else np.empty(0, np.int64)
        rows.append(own)
        weights.append(share * found.weight[own])
        origin.append(np.full(len(own), k))
    weight = np.concatenate(weights)
    if weight.sum() <= 0.0:
        return None
    chosen = rng.choice(len(weight), size=count, p=weight / weight.sum())
    row, part = np.concatenate(rows)[chosen], np.concatenate(origin)[chosen]
    rate, shape = np.empty(count), np.empty(count, np.int64)
    for k, (found, _) in enumerate(parts):
        for explanation in np.unique(row[part == k]):
            here = np.flatnonzero((part == k) & (row == explanation))
            rate[here] = _rates(problem, found, row=int(explanation), size=len(here), rng=rng)
            shape[here] = found.shape[explanation]
    return Draws(rate, shape)


@dataclass(frozen=True)
class KnownStrength:
    """What is known of the amplitudes of one explanation: `chance` (strength,) of each log strength on the grid.

    And for each substance (substance,): `alpha` and `beta`, tempered, and log `centre` and `spread` at strength 0.
    """

    log_strength: Array
    chance: Array
    alpha: Array
    beta: Array
    centre: Array
    spread: Array


def strength_of(problem: Problem, found: Explanations, *, row: int) -> KnownStrength:
    """Return what is known of the amplitudes of one explanation, all substances heeded."""
    library, strength = problem.grid.library, problem.grid.strength
    kind = found.kind[row]
    centre, spread = library.centre[kind] + strength.log_rate, library.spread[kind]
    alpha, beta = found.alpha[:, row] / found.temperature, found.beta[:, row] / found.temperature
    posterior = np.empty((1, 2 * GRID_HALF + 1))
    evidence_of_kinds(alpha, beta, centre[None, :], spread[None, :], strength.log_sd, posterior)
    log_strength = GRID_STEP * np.arange(-GRID_HALF, GRID_HALF + 1, dtype=float)
    return KnownStrength(log_strength, posterior[0] / posterior[0].sum(), alpha, beta, centre, spread)


def _rates(problem: Problem, found: Explanations, *, row: int, size: int, rng: np.random.Generator) -> Array:
    """Return release rates of the first substance [g/s] drawn for one explanation, all substances heeded."""
    known = strength_of(problem, found, row=row)
    drawn = rng.choice(known.log_strength, size=size, p=known.chance)
    rates = np.empty(size)
    for x in np.unique(drawn):
        here = np.flatnonzero(drawn == x)
        log_rate, chance = amplitude_posterior(
            known.alpha[0], known.beta[0], centre=known.centre[0] + x, spread=known.spread[0]
        )
        rates[here] = np.exp(rng.choice(log_rate, size=len(here), p=chance))
    return rates


def finding_of(problem: Problem, candidate: Candidate, *, probability: float, draws: Draws) -> Finding:
    """Return what the draws say of this candidate's mass [kg], start and release history [g/s]."""
    matrix, shapes = problem.matrices[0], problem.grid.shapes
    bin_s = np.diff(matrix.edges)
    histories = {int(s): shapes.history(int(s)) for s in np.unique(draws.shape)}
    release = np.stack([histories[int(s)] for s in draws.shape]) * draws.rate[:, None]
    mass = np.quantile(release @ bin_s / 1000.0, [0.05, 0.5, 0.95])
    begin = matrix.edges[shapes.start[draws.shape]]
    early, middle, late = np.quantile(begin, [0.05, 0.5, 0.95], method="nearest")
    half = 0.5 * float(np.median(bin_s))
    times = [matrix.start + np.timedelta64(round(float(s)), "s") for s in (early - half, middle, late + half)]
    history = np.quantile(release, [0.05, 0.5, 0.95], axis=0)
    return Finding(candidate, probability, Interval(*map(float, mass)), TimeInterval(*times), history)
