"""Whether an answer fits at all: a wrong world must show, a right one must not be doubted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import networks
import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.observations import Observations
from suyuan.tracing.goodness import (
    DOUBTED_FROM,
    fit_notes,
    left_out_departures,
    moved_notes,
    shares_outside,
)
from suyuan.tracing.posterior import problem_of
from suyuan.tracing.prior import candidate_sources
from suyuan.tracing.search import Problem
from suyuan.tracing.verdict import Verdict, weigh
from suyuan.transport.operator import compile_operator
from suyuan.transport.source_receptor import source_receptor_matrix

PULSE = {"O1": (worlds.history(48, 6), worlds.rates("industrial", 3.0))}
NIGHTLY = {"O2": (worlds.history(66, 8), worlds.rates("domestic", 8.0))}
HOURS = np.arange(worlds.LAST_HOUR - worlds.FIRST_HOUR)
RESTLESS = {
    "O1": (np.abs(np.sin(HOURS / 3.0)) * (HOURS > 20), worlds.rates("industrial", 3.0)),
    "O3": (np.abs(np.cos(HOURS / 2.0)), worlds.rates("storm", 1.0)),
}
"""Two releases that swell and fade for days: no history that the trace knows is like them."""


def _where_the_water_goes_another_way() -> Observations:
    """Return what the stations read when the model has exchanged the discharges of the two canals."""
    world = worlds.meeting()
    flow = networks.steady(world.network, np.array([3.0, 1.0, 4.0]), hours=worlds.LAST_HOUR + 1)
    matrix = source_receptor_matrix(
        compile_operator(world.network, flow),
        world.matrix.receptors,
        sources=candidate_sources(world.network),
        edges=world.matrix.edges,
    )
    return worlds.read(replace(world, flow=flow, matrix=matrix), PULSE | NIGHTLY)


def _weighed(observations: Observations) -> tuple[Problem, Verdict]:
    world = worlds.meeting()
    problem = problem_of(
        observations,
        (world.matrix,),
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=world.prior,
    )
    return problem, weigh(problem)


@cache
def restless() -> Observations:
    return worlds.read(worlds.meeting(), RESTLESS)


def test_a_reading_is_foretold_from_the_other_group_by_regression():
    # two groups correlated by 0.6: the second's mean is 0.6 of the first, its standard deviation 0.8
    departures = left_out_departures(
        np.array([[1.0, 0.6], [0.6, 1.0]]), np.array([1.0, 3.0]), group=np.array([0, 1])
    )
    assert departures[1] == pytest.approx((3.0 - 0.6) / 0.8)


def test_an_event_excuses_what_others_do_not_foretell_of_it_and_shows_where_it_is():
    """Three groups that share one error of sd 1, beside noise of sd 0.1; an event lifts the third by 3."""
    covariance, events = 1.0 + 0.01 * np.eye(3), np.diag([0.0, 0.0, 9.0])
    above, group = np.array([0.5, 0.5, 3.5]), np.arange(3)
    excused = left_out_departures(covariance + events, above, group=group, events=events)
    assert np.abs(excused[:2]).max() < 0.5
    assert excused[2] > 10.0


def test_readings_left_out_together_do_not_foretell_each_other():
    covariance = np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]])
    departures = left_out_departures(covariance, np.array([2.0, 2.0, 0.0]), group=np.array([0, 0, 1]))
    assert departures[:2] == pytest.approx([2.0, 2.0])


@pytest.mark.parametrize("releases", [{}, PULSE, PULSE | NIGHTLY])
def test_a_right_world_is_not_doubted(releases: dict):
    world = worlds.meeting()
    shares = shares_outside(*_weighed(worlds.read(world, releases)))
    assert [name for name, _ in shares] == list(worlds.NAMES)
    assert max(share for _, share in shares) < 0.12
    assert fit_notes(shares) == ()


def test_releases_unlike_any_history_show_though_the_band_holds_them():
    found = worlds.traced(worlds.meeting(), restless())
    assert min(share for _, share in found.outside) > 1.4 * DOUBTED_FROM
    inside = [((f.fitted[0] <= f.observed) & (f.observed <= f.fitted[2])).mean() for f in found.fits]
    assert np.mean(inside) > 0.85  # the band was fitted to these readings and cannot fail
    assert [note.key for note in found.notes].count("poor fit") == 1


def test_a_model_whose_water_goes_another_way_shows():
    problem, verdict = _weighed(_where_the_water_goes_another_way())
    shares = dict(shares_outside(problem, verdict))
    notes = [*fit_notes(tuple(shares.items())), *moved_notes(problem, verdict)]
    assert {"poor fit", "restless"} & {note.key for note in notes}
    assert shares["NH3-N"] > 0.15
    right = _weighed(worlds.read(worlds.meeting(), PULSE))
    assert "restless" not in [note.key for note in moved_notes(*right)]
    assert max(share for _, share in shares_outside(*right)) < 0.1


def test_water_unlike_its_kind_is_said():
    # three times the phosphorus of domestic sewage for its ammonium, and like no other kind either
    odd = {"O1": (worlds.history(48, 6), np.array([3.0, 2.0, 8.0]))}
    found = worlds.traced(worlds.meeting(), worlds.read(worlds.meeting(), odd))
    assert [n.values["determinands"] for n in found.notes if n.key == "too high for its kind"] == ["TP"]


def test_water_of_its_kind_is_not_said_to_be_odd():
    found = worlds.traced(worlds.meeting(), worlds.read(worlds.meeting(), PULSE))
    assert not any("its kind" in note.key for note in found.notes)
