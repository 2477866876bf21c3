"""Who is looked at closely: nobody who may have done it is passed over, whatever the hour, in whichever flow member."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.tracing.narrow import APART, MOST_CANDIDATES, _least, glanced, narrowed, with_a_chance
from suyuan.tracing.plume import no_plumes
from suyuan.tracing.posterior import problem_of
from suyuan.tracing.search import Explanations, Problem, explain
from suyuan.transport.matrix import SourceReceptorMatrix


def problem(start: int, length: int, matrices: tuple[SourceReceptorMatrix, ...] = ()) -> Problem:
    world = worlds.meeting()
    releases = {"O1": (worlds.history(start, length), worlds.rates("industrial", 2.0))}
    return problem_of(
        worlds.read(world, releases),
        matrices or (world.matrix,),
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=world.prior,
    )


def looked_at(given: Problem) -> np.ndarray:
    few = narrowed(given, given.claim(no_plumes(given.blocks)), removed=[no_plumes(given.blocks)])
    assert few.considered is not None
    return few.considered


def named(given: Problem, name: str) -> int:
    return [s.candidate for s in given.matrices[0].sources].index(name)


def without(matrix: SourceReceptorMatrix, rows: list[int]) -> SourceReceptorMatrix:
    values = matrix.values.copy()
    values[:, rows] = 0.0
    return replace(matrix, values=values)


@pytest.mark.parametrize("start", [39, 40, 41])
@pytest.mark.parametrize("length", [1, 2, 3, 12])
def test_who_did_it_is_looked_at_whatever_the_hour_and_however_short(start: int, length: int):
    given = problem(start, length)
    assert looked_at(given)[0, named(given, "O1")]


def test_who_cannot_have_done_it_in_one_flow_is_looked_at_in_another():
    here = worlds.meeting().matrix
    row = [s.candidate for s in here.sources].index("O1")
    seen = looked_at(problem(40, 6, (without(here, [row]), here)))
    assert seen[:, row].tolist() == [False, True]


def test_a_flow_in_which_nothing_shows_has_nobody_to_look_at():
    here = worlds.meeting().matrix
    given = problem(40, 6, (without(here, list(range(len(here.sources)))), here))
    seen = looked_at(given)
    assert not seen[0].any()
    assert seen[1].any()
    few = replace(given, considered=seen)
    (found,) = explain(few, given.claim(no_plumes(given.blocks)), removed=[no_plumes(given.blocks)])
    assert set(found.member.tolist()) == {1}
    assert np.isfinite(found.log_evidence)


@pytest.mark.parametrize("count", range(1, 12))
def test_every_place_of_a_reach_is_glanced_at_or_next_to_one_that_is(count: int):
    candidate = np.concatenate([np.zeros(1, np.int64), np.full(count, 1), np.full(2, 2)])
    rows = np.flatnonzero(glanced(candidate)[1:-2])
    assert np.abs(np.arange(count)[:, None] - rows).min(axis=1).max() <= 1
    assert len(rows) <= -(-count // APART) + 1


@pytest.mark.parametrize(
    ("step", "evidence", "kept"),
    [(0.1, 5.0, 64), (0.8, 5.0, 31), (3.0, 5.0, 24), (1.0, 1000.0, 61), (0.1, -7.0, 6)],
)
def test_what_is_close_to_the_best_is_looked_at_closely(step: float, evidence: float, kept: int):
    ranked = -step * np.arange(100.0)
    assert (ranked >= _least(ranked, evidence)).sum() == kept
    assert _least(ranked[:5], evidence) == -np.inf


@pytest.mark.parametrize(("step", "kept"), [(1.2, MOST_CANDIDATES), (2.0, 21)])  # 21: within HOPELESS_LOG
def test_candidates_far_behind_are_left_out(step: float, kept: int):
    count = MOST_CANDIDATES + 10
    zero, own = np.zeros(count, np.int64), np.arange(count)
    one = np.ones((1, count))
    found = Explanations(zero, own, zero, zero, zero, np.zeros(count), -step * own, one, one)
    assert with_a_chance(found, own).tolist() == (own < kept).tolist()
