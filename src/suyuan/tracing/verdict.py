"""The hypotheses nobody, one source and two sources, weighed against each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.counts import LEAST_TEMPERATURE, Evidence, Shown, count_temperature, counted, shown_of
from suyuan.tracing.plume import Claim, no_plumes
from suyuan.tracing.scan import visible_sources
from suyuan.tracing.scenes import Scene, Tables, scene_of_two, scenes_of_events, together
from suyuan.tracing.search import Explanations, Problem

Array = NDArray[np.float64]

LEAST_MEMBERS = 3.0
"""Flow members that must carry weight (effective sample size) before probabilities are believed."""

LEAST_SHARE = 0.6
"""Nor need more than this share of all members, of which there may be few."""


@dataclass(frozen=True)
class Verdict:
    """The posterior over how many released, and who they are.

    `nobody`, `one` and `two` are probabilities that sum to 1; `prior_nobody` is what `nobody` was before any reading: that
    nobody released, or nothing that could show. `single` explains by one source; row i of `first` and row i of `second` explain
    by two together, and have the same weight. Each was weighed in one of the `scenes`; nobody under `quiet`, where nothing
    is claimed.
    """

    nobody: float
    one: float
    two: float
    prior_nobody: float
    single: Explanations
    first: Explanations
    second: Explanations
    scenes: tuple[Scene, ...]
    quiet: Claim

    @property
    def temperature(self) -> float:
        """By how much the evidence about who and when was weakened, of one source or of two, whichever is likelier."""
        return self.first.temperature if self.two > self.one else self.single.temperature

    @property
    def count_temperature(self) -> float:
        """By how much evidence for a second source was weakened."""
        return count_temperature(self.single.temperature)

    def member_shares(self, members: int) -> Array:
        """Return how likely each flow member is if somebody released, (member,); 0 where no source explains anything."""
        one, two = (self.one, self.two) if self.nobody < 1.0 else (1.0, 0.0)
        parts = ((one, self.single), (two, self.first))
        share = sum(p * np.bincount(t.member, weights=t.weight, minlength=members) for p, t in parts)
        return np.asarray(share, dtype=np.float64)

    def effective_members(self, members: int) -> float:
        """Return how many of the flow members carry weight if somebody released; 0 where no source explains anything."""
        share = self.member_shares(members)
        return effective_size(share) if np.any(share) else 0.0

    @property
    def scene_shares(self) -> Array:
        """Probability that somebody released and each scene holds, (scene,)."""
        shares = np.zeros(len(self.scenes))
        for chance, table in ((self.one, self.single), (self.two, self.first)):
            np.add.at(shares, table.scene, chance * table.weight)
        return shares

    @property
    def claimed(self) -> Claim:
        """The claim of the likeliest scene in which somebody released."""
        return self.scenes[int(np.argmax(self.scene_shares))].claimed

    @property
    def believed(self) -> Claim:
        """The same, or that of nobody where he is the likeliest."""
        return self.quiet if self.nobody >= 0.5 else self.claimed


def weigh(problem: Problem) -> Verdict:
    """Return the posterior over nobody, one source and two.

    Sources are weighed in several scenes (`scenes`), each against its own background. Nobody is weighed under a covariance of
    his own, in which nothing is claimed and so nothing forgiven, and in which the background has events as it has beside
    a source: those found beside a source are tried without it too. That somebody released is judged before the evidence
    is weakened: flow that is wrong hides who it was, not that it was.
    """
    prior, nothing = problem.grid.prior, no_plumes(problem.blocks)
    with ThreadPoolExecutor(1) as aside:
        sought = aside.submit(problem.restless, nothing)
        of_two = scene_of_two(problem)
        quiet = sought.result()
    others = scenes_of_events(problem, quiet, other=of_two)
    scenes = (of_two, *others)
    with ThreadPoolExecutor(problem.workers) as pool:
        again = pool.map(lambda other: problem.restless(nothing, begin=other.claimed.unrest), others)
        quiet = max((quiet, *again), key=lambda claimed: claimed.log_density())
    ground = max(scenes, key=lambda scene: scene.log_density).ground
    exact = together(scenes, ground)
    warm = tempered(exact, len(problem.matrices))
    shown = shown_in(problem, of_two.claimed)
    evidence = evidence_of(exact, on=ground.log_density, nobody=quiet.log_density(), shown=shown)
    counts = counted(
        evidence, prior, shown=shown, substances=len(problem.blocks), temperature=warm[0].temperature
    )
    return Verdict(*counts, *warm, scenes=scenes, quiet=quiet)


def shown_in(problem: Problem, claimed: Claim) -> Shown:
    """Return how much of the prior shows in the readings."""
    candidate = problem.candidate
    weight, rows = np.exp(problem.log_prior), visible_sources(problem.matrices[0], claimed, grid=problem.grid)
    whole, visible = np.zeros((2, int(candidate.max()) + 1))
    np.add.at(whole, candidate, weight)
    np.add.at(visible, candidate[rows], weight[rows])
    return shown_of(whole, visible)


def evidence_of(tables: Tables, *, on: float, nobody: float, shown: Shown) -> Evidence:
    """Return the log densities of the readings by how many released; tables are against no release of log density `on`."""
    single, first, _ = tables
    one, two = (
        on + table.log_evidence - float(np.log(share)) if share > 0.0 else -np.inf
        for table, share in ((single, shown.one), (first, shown.pairs))
    )
    return Evidence(nobody, one, two)


def tempered(tables: Tables, members: int) -> Tables:
    """Return single, first and second, each count weakened by the temperature that its own flow members ask for."""
    of_one, of_two = (temperature_of(table, members) for table in tables[:2])
    single, first, second = (
        replace(table, temperature=temperature)
        for table, temperature in zip(tables, (of_one, of_two, of_two), strict=True)
    )
    return single, first, second


def temperature_of(found: Explanations, members: int) -> float:
    """Return by how much the evidence has to be weakened until enough flow members carry weight.

    Where another draw of the flow changes the evidence by much, differences of that size between sources mean little: the
    temperature is the least at which the effective number of members reaches LEAST_MEMBERS; where nothing explains, the least.
    """
    if not len(found.source):
        return LEAST_TEMPERATURE
    for temperature in LEAST_TEMPERATURE * 1.15 ** np.arange(0, 60):
        warm = replace(found, temperature=float(temperature))
        if effective_members(warm, members) >= max(1.0, min(LEAST_MEMBERS, LEAST_SHARE * members)) - 1e-9:
            break
    return float(temperature)


def effective_members(found: Explanations, members: int) -> float:
    """Return the effective sample size of the flow members under these explanations."""
    share = np.bincount(found.member, weights=found.weight, minlength=members)
    return effective_size(np.asarray(share, dtype=np.float64))


def effective_size(share: Array) -> float:
    """Return how many equal shares tell as much as these, (member,) (Kish, 1965).

    >>> effective_size(np.array([0.5, 0.5, 0.0]))
    2.0
    """
    return float(share.sum() ** 2 / max((share**2).sum(), 1e-300))
