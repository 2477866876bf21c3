"""What may have happened: scenarios drawn from the posterior of a trace.

All that advice on samples knows of the inside of a trace is in this file: `draw_scenarios`, `expected_water`, `substances_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.substances import Substance
from suyuan.tracing.evidence import amplitude_posterior
from suyuan.tracing.next_sample import systematic
from suyuan.tracing.plume import MODEL_ERROR, TIMING_BINS
from suyuan.tracing.release import strength_of
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.verdict import Verdict

Array = NDArray[np.float64]

NOBODY = "nobody"


@dataclass(frozen=True)
class Release:
    """One release of a scenario: `candidate`, row of the matrices' `source`, `rate` (bin,) [g/s] of the first substance and
    `ratio` (substance,) of each substance's rate to it. Bins are those of the matrices and, after them, as many as were
    asked for."""

    candidate: str
    source: int
    rate: Array
    ratio: Array


@dataclass(frozen=True)
class Scenario:
    """One thing that may have happened: the flow member it happened in and its releases; none where nobody released."""

    member: int
    releases: tuple[Release, ...]

    @property
    def who(self) -> tuple[str, ...]:
        """The candidates that released, in order."""
        return tuple(sorted({release.candidate for release in self.releases}))

    @property
    def label(self) -> str:
        """Who released, in words: 'nobody', 'O8' or 'O3 + O8'."""
        return " + ".join(self.who) or NOBODY


def draw_scenarios(
    problem: Problem, verdict: Verdict, *, count: int, ahead: int, rng: np.random.Generator
) -> tuple[Scenario, ...]:
    """Return `count` scenarios, equally likely under the posterior, nobody and pairs among them.

    Histories run on for `ahead` bins after the window: a release that is on at its end goes on, one that came back every night
    until then comes back again. Chosen evenly (systematic resampling), so that each candidate has its share.
    """
    number = _numbers(verdict, count)
    members = len(problem.matrices)
    scenarios = [Scenario(int(m), ()) for m in np.arange(number[0]) % members]
    for row in _rows(verdict.single, number[1]):
        release = _release(problem, verdict.single, row=row, ahead=ahead, rng=rng)
        scenarios.append(Scenario(int(verdict.single.member[row]), (release,)))
    for row in _rows(verdict.first, number[2]):
        scenarios.append(_pair(problem, verdict, row=row, ahead=ahead, rng=rng))
    return tuple(scenarios)


def substances_of(problem: Problem) -> tuple[Substance, ...]:
    """Return the substances that were traced, in the order of every ratio."""
    return tuple(block.substance for block in problem.blocks)


@dataclass(frozen=True)
class Expected:
    """River water at a place nobody watches: `level` and `sd` (substance,) without any release; `plume_share` is the error of a
    modelled plume as a share of it, `plume_shift_s` that of its time [s], for each substance as if it erred alone."""

    level: Array
    sd: Array
    plume_share: float
    plume_shift_s: float


def expected_water(problem: Problem, verdict: Verdict) -> Expected:
    """Return what a sample anywhere would hold beside the plume, and how wrong the plume itself may be."""
    found = verdict.believed.backgrounds
    level = np.array([background.level for background in found])
    share = np.array([np.sqrt((background.shares**2).sum()) for background in found])
    root = float(
        np.sqrt(len(problem.blocks))
    )  # one error shared by all substances, told as if each had its own
    return Expected(level, level * share, MODEL_ERROR * root, TIMING_BINS * problem.bin_s * root)


def _numbers(verdict: Verdict, count: int) -> list[int]:
    """Return how many scenarios hold nobody, one and two sources, in proportion to their probabilities."""
    one = verdict.one if len(verdict.single.source) else 0.0
    two = verdict.two if len(verdict.first.source) and len(verdict.second.source) else 0.0
    share = np.array([max(verdict.nobody, 1e-12), one, two])
    kind = systematic(share / share.sum(), count)
    return [int(n) for n in np.bincount(kind, minlength=3)]


def _rows(found: Explanations, count: int) -> Sequence[int]:
    """Return explanations chosen evenly, in the order of their sources."""
    if not count:
        return []
    order = np.lexsort((found.shape, found.member, found.source))
    return [int(i) for i in order[systematic(found.weight[order], count)]]


def _pair(problem: Problem, verdict: Verdict, *, row: int, ahead: int, rng: np.random.Generator) -> Scenario:
    """Return a scenario of two: the same row of first and second is one pair."""
    both = (verdict.first, verdict.second)
    releases = tuple(_release(problem, table, row=row, ahead=ahead, rng=rng) for table in both)
    return Scenario(int(verdict.first.member[row]), releases)


def _release(
    problem: Problem, found: Explanations, *, row: int, ahead: int, rng: np.random.Generator
) -> Release:
    amplitude = _amplitudes(problem, found, row=row, rng=rng)
    on = _continued(problem, shape=int(found.shape[row]), ahead=ahead)
    source = int(found.source[row])
    candidate = problem.matrices[0].sources[source].candidate
    return Release(candidate, source, on * amplitude[0], amplitude / amplitude[0])


def _amplitudes(problem: Problem, found: Explanations, *, row: int, rng: np.random.Generator) -> Array:
    """Return the rate of each substance while on [g/s], (substance,), drawn for one explanation."""
    known = strength_of(problem, found, row=row)
    w = known.log_strength[int(rng.choice(len(known.chance), p=known.chance))]
    drawn = []
    for a, b, c, s in zip(known.alpha, known.beta, known.centre, known.spread, strict=True):
        log_rate, chance = amplitude_posterior(float(a), float(b), centre=float(c + w), spread=float(s))
        drawn.append(float(np.exp(rng.choice(log_rate, p=chance))))
    return np.array(drawn)


def _continued(problem: Problem, *, shape: int, ahead: int) -> Array:
    """Return a history of rate 1, (bin + ahead,), as it goes on after the window."""
    shapes = problem.grid.shapes
    on = np.concatenate([shapes.history(shape), np.zeros(ahead)])
    start, length = int(shapes.start[shape]), int(shapes.length[shape])
    period, repeats = int(shapes.period[shape]), int(shapes.repeats[shape])
    end = start + (repeats - 1) * period + length
    if repeats == 1 and end == shapes.bins:
        on[shapes.bins :] = 1.0
    if repeats > 1 and end + period > shapes.bins:
        for first in range(start + repeats * period, len(on), period):
            on[max(first, shapes.bins) : first + length] = 1.0
    return on
