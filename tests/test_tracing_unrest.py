"""The background's own events: found where they are, absent where nothing happens, and not taken for a release."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import networks
import numpy as np
import pytest
import tracing_worlds as worlds
from scipy import sparse
from scipy.stats import multivariate_normal
from tracing_worlds import problem

from suyuan.observations import Observations
from suyuan.tracing.goodness import moved_notes
from suyuan.tracing.plume import no_plumes
from suyuan.tracing.unrest import ROUGH, SIZES, Course, Courses, courses_of, unrest_of
from suyuan.tracing.verdict import weigh
from suyuan.transport.matrix import Means

PULSE = {"O1": (worlds.history(48, 6), worlds.rates("industrial", 3.0))}
EACH = Means(sparse.csr_array(np.eye(24)))
CALM = worlds.read(worlds.meeting(), {})


def moved(observations: Observations, station: str, hour: int, **by: float) -> Observations:
    """Return readings in which some determinands (`-` written `_`) jump by a factor at a station, from an hour on."""
    value = observations.value.copy()
    since = observations.time >= networks.START + np.timedelta64(hour, "h")
    for name, factor in by.items():
        value[
            since & (observations.station == station) & (observations.determinand == name.replace("_", "-"))
        ] *= factor
    return replace(observations, value=value)


@cache
def courses() -> Courses:
    return courses_of(worlds.meeting().matrix)


def test_an_event_in_the_water_of_a_boundary_is_carried_as_its_water_is():
    matrix = worlds.meeting().matrix
    step = matrix.fraction[:, 0].sum(
        axis=1
    )  # water of the first boundary that was there from the beginning on
    apart = np.abs(courses().course - step).max(axis=1)
    assert apart.min() < 1e-9


def test_events_at_a_station_leave_the_others_alone():
    receptors = worlds.meeting().matrix.receptors
    at_s = receptors.station == "S"
    alone = courses().course[(courses().course[:, ~at_s] == 0.0).all(axis=1)]
    single = (alone > 0.0).sum(axis=1) == 1
    assert single.sum() >= at_s.sum()
    assert alone.max() == 1.0


def test_a_calm_background_has_no_events():
    given = problem(CALM)
    assert len(given.restless(no_plumes(given.blocks)).unrest.course) == 0


def test_a_jump_is_found_at_its_station_and_hour_in_its_determinands():
    given = problem(moved(CALM, "S", 60, NH3_N=2.5, CODMn=0.6))
    unrest = given.restless(no_plumes(given.blocks)).unrest
    receptors = given.matrices[0].receptors
    assert len(unrest.course) >= 1
    on = unrest.course[0] > 0.0
    assert set(receptors.station[on]) == {"S"}
    began = receptors.time[on].min()
    assert abs(began - (networks.START + np.timedelta64(60, "h"))) <= np.timedelta64(1, "h")
    assert unrest.size[:, 0].nonzero()[0].tolist() == [0, 2]


def test_events_make_the_readings_denser_by_what_the_normal_says():
    given = problem(moved(CALM, "S", 60, NH3_N=2.5))
    nothing = no_plumes(given.blocks)
    found = given.restless(nothing)
    expected = found.unrest.log_prior
    for d, (block, background) in enumerate(zip(found.blocks, found.backgrounds, strict=True)):
        course, size = block.means.of(found.unrest.course.T).T, found.unrest.size[d]
        lag = np.abs(block.time[:, None] - block.time[None, :])
        same = block.station[:, None] == block.station[None, :]
        like = 1.0 + ROUGH**2 * same * np.exp(-lag / (12.0 * 3600.0))
        events = sum(s**2 * np.outer(c, c) * like for s, c in zip(size, course, strict=True))
        assert found.unrest.covariance(d, block.means) == pytest.approx(np.asarray(events), abs=1e-9)
        n = len(block.value)
        density = multivariate_normal(np.full(n, background.level), background.covariance).logpdf(block.value)
        expected += density + 0.5 * n * np.log(2.0 * np.pi) + background.log_prior
    assert found.log_density() == pytest.approx(float(expected), abs=1e-5)
    assert found.log_density() > given.claim(nothing).log_density() + 20.0


def test_the_first_event_is_the_one_of_the_highest_bayes_factor():
    rng = np.random.default_rng(5)
    course = (np.arange(24)[None, :] >= np.arange(0, 24, 6)[:, None]).astype(float)
    given = Courses(course, 1.0, np.ones((24, 24)))
    covariance = 0.01 * np.eye(24)
    residual = 0.1 * rng.standard_normal(24) + course[2]
    found = unrest_of(given, [Course(covariance, residual, EACH, 1.0)], begin=given.none(1))
    none = multivariate_normal(np.zeros(24), covariance).logpdf(residual)
    factors = [
        [
            multivariate_normal(np.zeros(24), covariance + size**2 * np.outer(c, c)).logpdf(residual) - none
            for size in SIZES
        ]
        for c in course
    ]
    best = np.unravel_index(np.argmax(factors), (4, len(SIZES)))
    assert found.course[0] == pytest.approx(course[best[0]])
    assert found.size[0, 0] == SIZES[best[1]]
    mean = [np.logaddexp(np.log(0.5), np.log(0.5 / len(SIZES)) + np.logaddexp.reduce(f)) for f in factors]
    prior = np.logaddexp.reduce(mean) - np.log(4.0) - np.max(factors)
    assert found.log_prior == pytest.approx(float(prior)) or len(found.course) > 1


def test_no_events_add_nothing():
    given = Courses(np.ones((3, 24)), 1.0, np.ones((24, 24)))
    assert not given.none(2).covariance(1, EACH).any()


def test_a_river_that_moves_by_itself_accuses_nobody():
    observations = moved(CALM, "T", 50, NH3_N=0.6, TP=1.8, CODMn=0.7)
    # no real water is as clean a step as that: it wobbles by a fifth for half a day
    rng = np.random.default_rng(3)
    since = (observations.time - networks.START) / np.timedelta64(1, "h")
    late = (since >= 50) & (observations.station == "T")
    value = observations.value.copy()
    for name in worlds.NAMES:
        knots = np.exp(0.2 * rng.standard_normal(6))
        rows = late & (observations.determinand == name)
        value[rows] *= np.interp(since[rows], 50 + 12.0 * np.arange(6), knots)
    verdict = weigh(problem(replace(observations, value=value)))
    assert verdict.nobody > 0.5


def test_a_release_beside_an_event_is_still_found():
    world = worlds.meeting()
    given = problem(moved(worlds.read(world, PULSE), "S", 30, TP=0.5))
    verdict = weigh(given)
    names = np.array([s.candidate for s in world.matrix.sources])
    (note,) = moved_notes(given, verdict)
    assert "TP @ S +" in note.values["events"]
    share = verdict.single.weight[names[verdict.single.source] == "O1"].sum() * verdict.one
    assert verdict.nobody < 0.05
    assert share > 0.5
