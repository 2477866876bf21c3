"""The search for single sources: what is fixed in a trace, and which histories of which sources explain the readings."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.background import BackgroundParts
from suyuan.tracing.plume import Claim, claim
from suyuan.tracing.readings import Block
from suyuan.tracing.scan import Grid, SourceScan, log_sum, scan_member
from suyuan.tracing.unrest import Courses, Sought, Unrest, unrest_of
from suyuan.transport.matrix import SourceReceptorMatrix

Array = NDArray[np.float64]
Plumes = Sequence[Array]

UNREST_ROUNDS = 2
"""How often the background's events are sought, each time with the shares found beside the last ones."""


@dataclass(frozen=True)
class Problem:
    """Everything that is fixed in one trace: flow members, readings, background parts, and what a source may have done.

    `log_prior` (source,) is the log prior of each source of the matrices; the matrices share sources and receptors. Only the
    sources `considered` are looked at, a mask (member, source); all where it is None.
    """

    matrices: tuple[SourceReceptorMatrix, ...]
    blocks: tuple[Block, ...]
    parts: BackgroundParts
    courses: Courses
    grid: Grid
    log_prior: Array
    considered: NDArray[np.bool_] | None = None
    workers: int = 2

    @property
    def bin_s(self) -> float:
        """Length of a release bin [s]."""
        return float(np.median(np.diff(self.matrices[0].edges)))

    @property
    def candidate(self) -> NDArray[np.int64]:
        """A number for the candidate of each source, (source,)."""
        return np.unique([s.candidate for s in self.matrices[0].sources], return_inverse=True)[1]

    def claim(self, plumes: Plumes, *, unrest: Unrest | None = None, is_crude: bool = False) -> Claim:
        """Return the readings whitened for a search in which plumes of about this size, (reading,) a block, are claimed.

        And in which the background has these events, none if left out.
        """
        events = unrest or self.courses.none(len(self.blocks))
        return claim(
            self.blocks, self.parts, plumes=plumes, unrest=events, bin_s=self.bin_s, is_crude=is_crude
        )

    def restless(self, plumes: Plumes, *, begin: Unrest | None = None) -> Claim:
        """Return the same where the background may have events beside the plumes.

        Events and the background's shares depend on each other, and are found in turn; those to `begin` with are kept.
        """
        first = begin or self.courses.none(len(self.blocks))
        found = best = self.claim(plumes, unrest=first)
        for _ in range(UNREST_ROUNDS):
            unrest = unrest_of(self.courses, _sought_in(found, plumes), begin=first)
            found = self.claim(plumes, unrest=unrest)
            best = max(best, found, key=lambda each: each.log_density(plumes))
        return best


def _sought_in(claimed: Claim, plumes: Plumes) -> list[Sought]:
    """Return the readings less the plumes as events are sought in them, events found before forgotten."""
    courses = []
    for d, (block, background, plume) in enumerate(
        zip(claimed.blocks, claimed.backgrounds, plumes, strict=True)
    ):
        factor = claimed.factors[d]
        covariance = factor @ factor.T - claimed.unrest.covariance(d, block.means)
        courses.append(
            Sought(covariance, block.value - plume - background.level, block.means, background.level)
        )
    return courses


COLUMNS = ("member", "source", "shape", "kind", "scene", "log_prior", "log_gain", "alpha", "beta")


@dataclass(frozen=True)
class Explanations:
    """Ways in which one source explains the readings, arrays (explanation,).

    `member` and `source` are rows of the matrices and their sources, `shape` and `kind` rows of shapes and library, `scene` of
    the scenes in which they are weighed;
    `log_prior` and `log_gain` are the logs of prior and of evidence against no release, divided by `temperature`;
    `alpha`, `beta` (substance, explanation).
    """

    member: NDArray[np.int64]
    source: NDArray[np.int64]
    shape: NDArray[np.int64]
    kind: NDArray[np.int64]
    scene: NDArray[np.int64]
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

    def where(self, rows: NDArray[np.int64]) -> Explanations:
        """Return these rows of the table."""
        columns = {name: getattr(self, name)[..., rows] for name in COLUMNS}
        return replace(self, **columns)


def explain(
    problem: Problem, claimed: Claim, *, removed: Sequence[Plumes], members: Sequence[int] | None = None
) -> tuple[Explanations, ...]:
    """Return the ways in which one source explains the readings, once for each set of plumes `removed` beforehand.

    Only these flow `members` are looked at, as if there were no others; all of them where it is None.
    """
    residuals = [claimed.residuals(plumes) for plumes in removed]
    some = range(len(problem.matrices)) if members is None else members
    parts = problem.workers if len(some) == 1 else 1
    jobs = [
        (m, rows[part::parts]) for m in some for rows in [_looked_at(problem, m)] for part in range(parts)
    ]

    def scans(job: tuple[int, NDArray[np.int64]]) -> list[Explanations]:
        member, part = job
        found = scan_member(
            problem.matrices[member], claimed, residuals=residuals, grid=problem.grid, considered=part
        )
        return [_table(problem, member, scans=each) for each in found]

    with ThreadPoolExecutor(problem.workers) as pool:
        tables = list(pool.map(scans, jobs))
    return tuple(lifted(joined(of_all), -float(np.log(len(some)))) for of_all in zip(*tables, strict=True))


def _looked_at(problem: Problem, member: int) -> NDArray[np.int64]:
    """Return the sources that are looked at in a flow member, as rows."""
    every = np.ones(len(problem.log_prior), bool)
    return np.flatnonzero(every if problem.considered is None else problem.considered[member])


def _table(problem: Problem, member: int, *, scans: Sequence[SourceScan]) -> Explanations:
    """Return the scans of one flow member as a table, the prior of each source included."""
    count = [len(scan.shape) for scan in scans]
    source = np.repeat(np.array([scan.source for scan in scans], np.int64), count)
    none, nothing = np.empty(0, np.int64), np.empty((len(problem.blocks), 0))
    return Explanations(
        np.full(len(source), member, np.int64),
        source,
        np.concatenate([none, *(scan.shape for scan in scans)]),
        np.concatenate([none, *(scan.kind for scan in scans)]),
        np.zeros(len(source), np.int64),
        np.concatenate([np.empty(0), *(scan.log_prior for scan in scans)]) + problem.log_prior[source],
        np.concatenate([np.empty(0), *(scan.log_gain for scan in scans)]),
        np.concatenate([nothing, *(scan.alpha for scan in scans)], axis=1),
        np.concatenate([nothing, *(scan.beta for scan in scans)], axis=1),
    )


def joined(tables: Sequence[Explanations]) -> Explanations:
    """Return several tables as one."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(table, name) for table in tables], axis=-1) for name in COLUMNS
    }
    return replace(tables[0], **columns)


def log_sums(group: NDArray[np.int64], values: Array, *, size: int) -> Array:
    """Return the log of the sum of exp(values) of each group, (group,); -inf of those without any.

    >>> log_sums(np.array([0, 0, 2]), np.log([0.5, 0.25, 1.0]), size=3).round(3).tolist()
    [-0.288, -inf, 0.0]
    """
    total = np.full(size, -np.inf)
    np.logaddexp.at(total, group, values)
    return total


def lifted(table: Explanations, log_factor: float) -> Explanations:
    """Return the table with its prior multiplied by exp(`log_factor`)."""
    return replace(table, log_prior=table.log_prior + log_factor)
