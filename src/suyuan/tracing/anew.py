"""The leading explanations of one flow member weighed anew, each with the model error of its own plume.

The scan weighs thousands of histories of every source under one covariance, which makes differences that are none. So it only
proposes: some histories of each source that may have done it are weighed anew, and of the sources that then lead, the
neighbours of the best histories, until nothing better is near.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.refine import Ground, settled
from suyuan.tracing.responses import Responses
from suyuan.tracing.scan import kinds_of, log_sum
from suyuan.tracing.search import Explanations, Problem, joined, log_sums
from suyuan.tracing.shapes import Neighbourhood

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PICKS = 5
"""Explanations of a source that are weighed anew at first."""

SOURCES_ANEW = 24
"""Sources of a flow member of which that is done, the leading ones of the scan; of every other candidate one is weighed."""

NEAR_LOG = 9.0
"""Sources within this (log) of the best have the neighbours of their best histories weighed too."""

SOURCES_SEARCHED = 6
"""But of no more sources than these."""

NEIGHBOURS = 24
"""Neighbours of a source that are weighed, at least where there are so many worth it."""

WORTH_FOLLOWING = 5.0
"""The neighbours of a history this far (log) below the best of its source are not weighed."""

ROUNDS = 2
"""How often plumes are moved to where they fit best before they are weighed."""


def singles_anew(problem: Problem, table: Explanations, *, seen: Responses, ground: Ground) -> Explanations:
    """Return explanations of one member, weighed with the model error of their own plumes, standing for all of them."""
    choice = chosen(table, problem.candidate)
    found = weighed(problem, some_of(table, choice), seen=seen, ground=ground)
    if not len(found.source):
        return found
    total = log_sums(found.source, found.log_weight, size=len(problem.candidate))
    leading = np.argsort(-total, kind="stable")[:SOURCES_SEARCHED]
    near = choice.of(leading[total[leading] > total[leading[0]] - NEAR_LOG])
    search = Search(problem, seen, ground, Neighbourhood.of_shapes(problem.grid.shapes), _log_prior(problem))
    parts = [found.where(np.flatnonzero(~np.isin(found.source, near.source)))]
    for source, count, beyond in zip(*near, strict=True):
        own = found.where(np.flatnonzero(found.source == source))
        if count < PICKS:  # one history is no beginning of a search
            one = Choice(np.array([source]), np.array([PICKS]), np.array([beyond]))
            own = weighed(problem, some_of(table, one), seen=seen, ground=ground)
        parts.append(search.around(own, beyond=beyond))
    return joined(parts)


def _log_prior(problem: Problem) -> Array:
    """Return the log prior of each source being of each kind in one member, (source, kind)."""
    kinds = np.stack(kinds_of(problem.matrices[0], problem.grid))
    return np.asarray(kinds + problem.log_prior[:, None] - np.log(len(problem.matrices)))


def weighed(problem: Problem, found: Explanations, *, seen: Responses, ground: Ground) -> Explanations:
    """Return these explanations of one member, weighed with the model error of their own plumes."""
    rows = np.arange(len(found.source))
    if not len(rows):
        return found
    each = [
        settled(problem, ground, seen=seen, found=found.where(rows[i : i + 1]), rounds=ROUNDS) for i in rows
    ]
    return replace(
        found,
        log_gain=np.array([one.log_gain for one in each]),
        alpha=np.concatenate([one.alpha for one in each]).T,
        beta=np.concatenate([one.beta for one in each]).T,
    )


@dataclass(frozen=True)
class Search:
    """A search among the histories of single sources, in one flow member."""

    problem: Problem
    seen: Responses
    ground: Ground
    neighbourhood: Neighbourhood
    log_prior: Array

    def alone(self, found: Explanations, *, beyond: float) -> Array:
        """Return the log prior of each explanation, standing for itself and what is left out `beyond` its source."""
        prior = self.problem.grid.shapes.log_prior[found.shape] + self.log_prior[found.source, found.kind]
        return np.asarray(prior + beyond)

    def around(self, found: Explanations, *, beyond: float) -> Explanations:
        """Return the explanations of one source with the neighbours of the best, until these are no better.

        What is weighed because a neighbour is good stands for itself alone, what was picked for the rest of the source too; all
        of them for the sources left out `beyond` this one, as of Choice.
        """
        table, is_open = found, np.ones(len(found.source), bool)
        alone, log_prior = self.alone(found, beyond=beyond), found.log_prior.copy()
        while len(table.source) < len(found.source) + NEIGHBOURS:
            weight = alone + table.log_gain
            best = int(np.argmax(np.where(is_open, weight, -np.inf)))
            if not is_open[best] or weight[best] < weight.max() - WORTH_FOLLOWING:
                break
            is_open[best], log_prior[best] = False, alone[best]
            shape = np.setdiff1d(
                self.neighbourhood.of(int(table.shape[best])), table.shape[table.kind == table.kind[best]]
            )
            more = replace(table.where(np.full(len(shape), best)), shape=shape)
            more = weighed(self.problem, more, seen=self.seen, ground=self.ground)
            table = joined([table, more])
            alone, log_prior = (
                np.concatenate([part, self.alone(more, beyond=beyond)]) for part in (alone, log_prior)
            )
            is_open = np.concatenate([is_open, np.ones(len(shape), bool)])
        return replace(table, log_prior=log_prior)


class Choice(NamedTuple):
    """Sources of which explanations are weighed anew, arrays (chosen,).

    Of each `source` so many `picks`; `beyond` is the log of how many sources such as itself it stands for, of its candidate.
    """

    source: Index
    picks: Index
    beyond: Array

    def of(self, source: Index) -> Choice:
        """Return the part of the choice that is these sources."""
        rows = np.isin(self.source, source)
        return Choice(self.source[rows], self.picks[rows], self.beyond[rows])


def chosen(table: Explanations, candidate: Index) -> Choice:
    """Return the leading sources, and the best source of every other candidate; `candidate` (source,) tells them apart."""
    of_source = log_sums(table.source, table.log_weight, size=len(candidate))
    best = np.full(len(candidate), -np.inf)
    np.maximum.at(best, table.source, table.log_weight)
    order = np.argsort(-best, kind="stable")
    order = order[np.isfinite(best[order])]
    leading, others = order[:SOURCES_ANEW], order[np.unique(candidate[order], return_index=True)[1]]
    others = others[~np.isin(candidate[others], candidate[leading])]
    source = np.concatenate([leading, others])
    every, some = (
        log_sums(candidate[rows], of_source[rows], size=int(candidate.max(initial=-1)) + 1)
        for rows in (order, source)
    )
    picks = np.where(np.arange(len(source)) < len(leading), PICKS, 1)
    return Choice(source, picks, every[candidate[source]] - some[candidate[source]])


def some_of(table: Explanations, choice: Choice) -> Explanations:
    """Return some explanations of each chosen source, standing for all of its candidate.

    `log_prior` makes up for what is left out, so that sums over the selection estimate sums over the table, under the scan.
    """
    picks, stands = [np.empty(0, np.int64)], [np.empty(0)]
    for source, count, beyond in zip(*choice, strict=True):
        rows = np.flatnonzero(table.source == source)
        rows = rows[np.argsort(-table.log_weight[rows], kind="stable")]  # alike ones stand for each other
        place, each = sampled(table.log_weight[rows], int(count))
        picks.append(rows[place])
        stands.append(each + beyond)
    found = table.where(np.concatenate(picks))
    return replace(found, log_prior=found.log_prior + np.concatenate(stands))


def sampled(log_weight: Array, count: int) -> tuple[Index, Array]:
    """Return at most `count` places in `log_weight` and the log of how many such as itself each stands for.

    `log_weight` has the largest first. One stands for all in proportion to its weight; of several, systematic sampling with
    chances in proportion to the square root of the weights, nearly without bias.

    >>> [part.round(3).tolist() for part in sampled(np.log([0.5, 0.25, 0.25]), 1)]
    [[0], [0.693]]
    """
    if len(log_weight) <= count:
        return np.arange(len(log_weight)), np.zeros(len(log_weight))
    if count == 1:
        return np.zeros(1, np.int64), np.array([log_sum(log_weight - log_weight[0])])
    chance = np.exp(0.5 * (log_weight - log_weight.max()))
    chance /= chance.sum()
    places = np.searchsorted(np.cumsum(chance), (np.arange(count) + 0.5) / count)
    times = np.bincount(places.clip(max=len(chance) - 1), minlength=len(chance))
    taken = np.flatnonzero(times)
    return taken, np.log(times[taken] / (count * chance[taken]))
