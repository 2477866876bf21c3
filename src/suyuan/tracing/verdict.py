"""The hypotheses nobody, one source and two sources, weighed against each other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from suyuan.tracing.plume import Claim, no_plumes
from suyuan.tracing.prior import Prior
from suyuan.tracing.scan import visible_sources
from suyuan.tracing.scenes import Scene, Tables, scene_of_two, scenes_of_events, together
from suyuan.tracing.search import Explanations, Problem, joined, lifted

Array = NDArray[np.float64]

LEAST_MEMBERS = 3.0
"""Flow members that must carry weight (effective sample size) before probabilities are believed."""

ALIKE = 0.5
"""Correlation of the backgrounds of different substances."""

LEAST_SHARE = 0.6
"""Nor need more than this share of all members, of which there may be few."""

LEAST_TEMPERATURE = 2.0
"""Evidence never counts more than this part, but for nobody: what model errors are thought to be is itself a guess.

Found on rivers drawn with another transport model (docs/calibration.md): wrong sources that were sure became rare, and the
log score was best between 2 and 3.
"""


COUNT_TEMPERATURE = 5.0
"""Evidence that two released rather than one counts so much less: a second plume takes up what the flow gets wrong of one.

And less still in proportion as the evidence of sources is weakened for what flow members differ in.

Found on the same rivers (docs/decisions/024-count.md).
"""


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
    shown = visible_sources(problem.matrices[0], of_two.claimed, grid=problem.grid)
    share = min(1.0, float(np.exp(problem.log_prior[shown]).sum()))
    prior_nobody = prior.nobody + (1.0 - prior.nobody) * (1.0 - share)
    somebody = ground.log_density + np.logaddexp(*_log_counts(exact, prior)) - np.log1p(-prior_nobody)
    log_ratio = quiet.log_density() - somebody
    log_ratio /= discount(len(problem.blocks)) if log_ratio < 0.0 else 1.0
    p_nobody = float(expit(log_ratio + logit(prior_nobody)))
    warm = _tempered(exact, problem)
    p_two = share_of_two(
        exact, prior, temperature=COUNT_TEMPERATURE * warm[0].temperature / LEAST_TEMPERATURE
    )
    one, two = (1.0 - p_nobody) * (1.0 - p_two), (1.0 - p_nobody) * p_two
    return Verdict(p_nobody, one, two, prior_nobody, *warm, scenes=scenes, quiet=quiet)


def share_of_two(tables: Tables, prior: Prior, *, temperature: float) -> float:
    """Return the probability that two released, given that somebody did.

    The Bayes factor of two sources against one, whoever they are, is what is weakened. Were the evidence of each pair weakened
    instead, the prior against each of the many pairs would count whole, and two would be ruled out by their number.
    """
    single, first, _ = tables
    log_bayes = first.log_evidence - single.log_evidence
    log_odds = np.log(prior.pair) - np.log(1.0 - prior.nobody - prior.pair)
    return float(expit(log_bayes / temperature + log_odds))


def discount(substances: int) -> float:
    """Return by how much evidence against nobody is weakened.

    Rain, or another source of water, lifts the backgrounds of several substances together, which are weighed as if each had
    moved by itself: of D substances with a correlation ALIKE of their backgrounds D / (1 + (D - 1) ALIKE) are independent.
    And what rivers do by themselves is a guess as model errors are (LEAST_TEMPERATURE).

    >>> discount(1), discount(3)
    (2.0, 4.0)
    """
    return LEAST_TEMPERATURE * (1.0 + (substances - 1.0) * ALIKE)


def _log_counts(tables: Sequence[Explanations], prior: Prior) -> tuple[float, float]:
    """Return the log evidence, prior included, of one source and of two."""
    single, first, _ = tables
    one = single.log_evidence + float(np.log(1.0 - prior.nobody - prior.pair))
    return one, first.log_evidence + float(np.log(prior.pair))


def _tempered(tables: Tables, problem: Problem) -> Tables:
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
