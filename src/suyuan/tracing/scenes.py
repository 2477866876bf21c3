"""Scenes in which sources are weighed: which plumes are claimed, and which events the background has beside them.

In the first scene two plumes stand in the readings and the background is as calm as it can be. In the others one plume stands
there, and the background has its events beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.anew import chosen, singles_anew
from suyuan.tracing.narrow import hopeless, narrowed
from suyuan.tracing.pairs import pairs_anew, to_pair
from suyuan.tracing.plume import Claim, crude_plumes, no_plumes
from suyuan.tracing.readings import thinned
from suyuan.tracing.refine import Ground, ground_of
from suyuan.tracing.responses import expected_plumes, responses
from suyuan.tracing.search import Explanations, Problem, explain, joined

Array = NDArray[np.float64]
Plumes = Sequence[Array]
Tables = tuple[Explanations, Explanations, Explanations]

READINGS_TO_SEEK = 48
"""Readings a station and substance that suffice to find where the plumes are."""

SEEK_ROUNDS = 2
"""How often each of two sources is sought again with the other's plume taken out."""

EVENTS_TRIED = 5
"""Events of the background, the likeliest, in place of which a source is tried."""

SCENES_OF_EVENTS = 2
"""So many of these trials, those where the source explains most, become scenes."""


@dataclass(frozen=True)
class Scene:
    """What explains the readings in one scene.

    `single` explains by one source; row i of `first` and row i of `second` explain by two together. All were found under
    `claimed` and weighed on its `ground`.
    """

    claimed: Claim
    ground: Ground
    single: Explanations
    first: Explanations
    second: Explanations

    @property
    def log_density(self) -> float:
        """Log density of the readings under the explanations of the scene, their prior included but for how many they are."""
        return self.ground.log_density + max(self.single.log_evidence, self.first.log_evidence)

    def on(self, ground: Ground, *, number: int) -> Tables:
        """Return single, first and second with their evidence against no release on another ground, as scene `number`."""
        gained = self.ground.log_density - ground.log_density
        single, first, second = (
            replace(table, log_gain=table.log_gain + gained, scene=np.full_like(table.scene, number))
            for table in (self.single, self.first, self.second)
        )
        return single, first, second


def together(scenes: Sequence[Scene], ground: Ground) -> Tables:
    """Return what explains the readings in any of the scenes: single, first and second, against no release on the `ground`."""
    each = [scene.on(ground, number=number) for number, scene in enumerate(scenes)]
    single, first, second = (joined(tables) for tables in zip(*each, strict=True))
    return _each_once(single), first, second


def _each_once(single: Explanations) -> Explanations:
    """Return the explanations, each source of a flow member only in the scene where it explains most.

    Scenes are looked at because they may explain more, not further chances that the source did it.
    """
    scenes = int(single.scene.max(initial=0)) + 1
    key = np.stack([single.member, single.source])
    own = np.unique(key, axis=1, return_inverse=True)[1].ravel()
    log_weight = np.full((int(own.max(initial=-1)) + 1, scenes), -np.inf)
    np.logaddexp.at(log_weight, (own, single.scene), single.log_weight)
    return single.where(np.flatnonzero(log_weight.argmax(axis=1)[own] == single.scene))


def scene_of_two(problem: Problem) -> Scene:
    """Return the scene in which two plumes are claimed.

    Candidates are found under one covariance (`scan`); the leading explanations, and pairs of them, are then weighed anew,
    each with the model error of its own plumes (`refine`).
    """
    first, second = _sought(problem)
    claimed = problem.claim(_sum(first, second))
    removed = (no_plumes(problem.blocks), second, first)
    few = narrowed(problem, claimed, removed=removed)
    found = explain(few, claimed, removed=removed)
    ground = _ground(problem, claimed)

    def of_member(member: int) -> Tables:
        tables = [table.where(np.flatnonzero(table.member == member)) for table in found]
        weighed = chosen(tables[0], few.candidate), to_pair(tables[1:], few.candidate)[0]
        seen = responses(few, member, source=np.concatenate([each.source for each in weighed]))
        alone = singles_anew(few, tables[0], seen=seen, ground=ground)
        return (alone, *pairs_anew(few, claimed, tables=(alone, *tables[1:]), seen=seen, ground=ground))

    with ThreadPoolExecutor(problem.workers) as pool:
        parts = list(pool.map(of_member, range(len(problem.matrices))))
    single, one, other = (joined([part[k] for part in parts]) for k in range(3))
    return Scene(claimed, ground, single, one, other)


def scenes_of_events(problem: Problem, quiet: Claim, *, other: Scene) -> tuple[Scene, ...]:
    """Return scenes in which one source stands beside the background's own events.

    The source is the leading one of the `other` scene, and such as explain most beside all events under `quiet`, or all but
    one in whose place it stands. Scenes that are hopeless beside the other are left out, and those without any event, which
    are as the other is.
    """
    plumes = [expected_plumes(problem, other.single)] if len(other.single.source) else []
    if other.log_density - quiet.log_density() < hopeless(other.log_density - other.ground.log_density):
        plumes += [expected_plumes(problem, found) for found in _beside_events(problem, quiet)]
    with ThreadPoolExecutor(problem.workers) as pool:  # events are sought by one thread
        scenes = pool.map(lambda each: _scene_of_one(problem, each, other=other), plumes)
        return tuple(scene for scene in scenes if scene is not None)


def _beside_events(problem: Problem, quiet: Claim) -> list[Explanations]:
    """Return what one source explains beside the events under `quiet`, or all but one of them: those where it explains most.

    Found in the first flow member and every few readings.
    """
    thin = _thinned(problem)
    nothing = no_plumes(thin.blocks)
    events = quiet.unrest
    beside = [events, *(events.without(i) for i in range(min(len(events.course), EVENTS_TRIED)))]
    tried: list[tuple[float, Explanations]] = []
    for unrest in beside if len(events.course) else []:
        claimed = thin.claim(nothing, unrest=unrest)
        (found,) = explain(thin, claimed, removed=[nothing], members=[0])
        if len(found.source):
            tried.append((claimed.log_density() + found.log_evidence, found))
    tried.sort(key=lambda each: -each[0])
    return [found for _, found in tried[:SCENES_OF_EVENTS]]


def _scene_of_one(problem: Problem, plumes: Plumes, *, other: Scene) -> Scene | None:
    """Return the scene in which one plume is claimed and the background has events beside it; None if none, or if hopeless."""
    claimed = problem.restless(plumes)
    if not len(claimed.unrest.course):
        return None
    nothing = (no_plumes(problem.blocks),)
    few = narrowed(problem, claimed, removed=nothing)
    (found,) = explain(few, claimed, removed=nothing)
    behind = other.log_density - (claimed.log_density() + found.log_evidence)
    if behind > hopeless(other.log_density - other.ground.log_density):
        return None
    ground = _ground(problem, claimed)

    def of_member(member: int) -> Explanations:
        table = found.where(np.flatnonzero(found.member == member))
        seen = responses(few, member, source=chosen(table, few.candidate).source)
        return singles_anew(few, table, seen=seen, ground=ground)

    with ThreadPoolExecutor(problem.workers) as pool:
        single = joined(list(pool.map(of_member, range(len(problem.matrices)))))
    none = single.where(np.empty(0, np.int64))
    return Scene(claimed, ground, single, none, none)


def _ground(problem: Problem, claimed: Claim) -> Ground:
    return ground_of(claimed, problem.matrices[0].receptors, bin_s=problem.bin_s)


def _thinned(problem: Problem) -> Problem:
    return replace(problem, blocks=tuple(thinned(block, READINGS_TO_SEEK) for block in problem.blocks))


def _sought(problem: Problem) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return the plumes of two sources, each found in turn with the other taken out.

    Only the first flow member and every few readings are used: this finds where plumes are, not who made them.
    """
    thin = _thinned(problem)
    claimed = thin.claim(crude_plumes(thin.blocks), is_crude=True)
    other = no_plumes(thin.blocks)
    for _ in range(SEEK_ROUNDS):
        (found_one,) = explain(thin, claimed, removed=[other], members=[0])
        one = expected_plumes(thin, found_one)
        claimed = thin.claim(_sum(one, other))
        (found_other,) = explain(thin, claimed, removed=[one], members=[0])
        other = expected_plumes(thin, found_other)
        claimed = thin.claim(_sum(one, other))
    return expected_plumes(problem, found_one), expected_plumes(problem, found_other)


def _sum(one: Plumes, other: Plumes) -> tuple[Array, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
