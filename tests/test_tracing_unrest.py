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
from suyuan.tracing.fit import fits_of
from suyuan.tracing.goodness import moved_notes
from suyuan.tracing.plume import no_plumes
from suyuan.tracing.scenes import scene_of_two, together
from suyuan.tracing.unrest import ROUGH, SIZES, Courses, Sought, courses_of, unrest_of
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


def possible(course: np.ndarray, expected: float) -> Courses:
    """Return events of these courses (event, receptor), any as likely as the other, which do not err."""
    count, receptors = course.shape
    each = np.full(count, expected / count)
    return Courses(course, each, np.full(count, "S"), np.zeros(count), np.ones((receptors, receptors)))


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


def test_every_event_at_a_station_begins_at_the_hour_that_it_says():
    receptors = worlds.meeting().matrix.receptors
    hours = (receptors.time - receptors.time.min()) / np.timedelta64(1, "h")
    own = np.isin(courses().name, np.unique(receptors.station))
    began = [hours[course > 0.0].min() for course in courses().course[own]]
    assert courses().begin[own].tolist() == pytest.approx(began)
    others = {"*", *(f"boundary:{name}" for name in worlds.meeting().matrix.boundaries)}
    assert set(courses().name[~own].tolist()) <= others
    assert own.any()


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
    assert unrest.name[0] == "S"
    assert unrest.begin[0] == (began - receptors.time.min()) / np.timedelta64(1, "h")
    assert unrest.size[:, 0].nonzero()[0].tolist() == [0, 2]


def test_events_make_the_readings_denser_by_what_the_normal_says():
    given = problem(moved(CALM, "S", 60, NH3_N=2.5))
    nothing = no_plumes(given.blocks)
    found = given.restless(nothing)
    expected = found.unrest.log_prior.sum()
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
    given = possible(course, 1.0)
    covariance = 0.01 * np.eye(24)
    residual = 0.1 * rng.standard_normal(24) + course[2]
    found = unrest_of(given, [Sought(covariance, residual, EACH, 1.0)], begin=given.none(1))
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
    mean = [np.logaddexp.reduce(f) - np.log(len(SIZES)) for f in factors]
    # steps that begin 6 readings apart are much alike (a cosine above one half), but for the last beside the first
    here = [c for c in range(4) if min(c, best[0]) > 0 or max(c, best[0]) < 3]
    chance = 1.0 - np.exp(-len(here) / 4.0)
    prior = (
        np.log(chance) + np.logaddexp.reduce([mean[c] for c in here]) - np.log(len(here)) - np.max(factors)
    )
    assert found.log_prior[0] == pytest.approx(float(prior))


def test_calm_rivers_gain_nothing_from_events():
    """Ten stations for a week, three substances, drawn as a background without events is: a log Bayes factor is no profit."""
    rng = np.random.default_rng(11)
    hours = np.tile(np.arange(0.0, 168.0, 4.0), 10)
    station = np.repeat(np.arange(10), 42)
    begins = np.arange(0.0, 168.0, 4.0)
    course = np.concatenate(
        [
            (station == s) * np.where(hours >= b, np.exp(-(np.maximum(hours - b, 0.0)) / fade), 0.0)
            for s in range(10)
            for b in begins
            for fade in (6.0, 18.0, 48.0, 1e9)
        ]
    ).reshape(-1, len(hours))
    given = possible(course, 10.0)
    lag = np.abs(hours[:, None] - hours[None, :])
    covariance = (
        0.05**2 * np.exp(-lag / 24.0) * (station[:, None] == station) + 0.03**2 * np.eye(len(hours)) + 0.2**2
    )
    factor = np.linalg.cholesky(covariance)
    each = Means(sparse.csr_array(np.eye(len(hours))))
    gains = []
    for _ in range(6):
        readings = [Sought(covariance, factor @ rng.standard_normal(len(hours)), each, 1.0) for _ in range(3)]
        found = unrest_of(given, readings, begin=given.none(3))
        gain = found.log_prior.sum()
        for d, of in enumerate(readings):
            after = multivariate_normal(np.zeros(len(hours)), covariance + found.covariance(d, each))
            gain += after.logpdf(of.residual) - multivariate_normal(np.zeros(len(hours)), covariance).logpdf(
                of.residual
            )
        assert (found.size > 0.0).any(axis=0).all()
        gains.append(gain)
    assert np.exp(gains).mean() < 2.0


def test_where_no_event_is_expected_none_is_found():
    given = possible(np.ones((3, 24)), 0.0)
    jump = Sought(0.01 * np.eye(24), np.full(24, 3.0), EACH, 1.0)
    assert len(unrest_of(given, [jump], begin=given.none(1)).course) == 0


def test_without_an_event_its_prior_is_gone_too():
    given = problem(moved(CALM, "S", 60, NH3_N=2.5))
    unrest = given.restless(no_plumes(given.blocks)).unrest
    assert len(unrest.log_prior) == len(unrest.course) >= 1
    assert unrest.without(0).log_prior.tolist() == unrest.log_prior[1:].tolist()


def test_a_scene_looked_at_twice_changes_nothing():
    scene = scene_of_two(problem(worlds.read(worlds.meeting(), PULSE)))
    once, twice = (together(scenes, scene.ground)[0] for scenes in ((scene,), (scene, scene)))
    assert once.log_evidence == pytest.approx(twice.log_evidence)
    assert len(once.source) == len(twice.source)


def test_the_fit_follows_a_river_that_jumps():
    observations = moved(CALM, "S", 60, NH3_N=2.5)
    given = problem(observations)
    verdict = replace(weigh(given), nobody=1.0, one=0.0, two=0.0)
    each = fits_of(given, verdict, observations=observations)
    (fit,) = [f for f in each if (f.station, f.determinand) == ("S", "NH3-N")]
    used = np.isfinite(fit.fitted[0])
    inside = (fit.observed >= fit.fitted[0]) & (fit.observed <= fit.fitted[2])
    assert inside[used].mean() > 0.85
    np.testing.assert_allclose(fit.fitted[1][used], fit.background[used])


def test_no_events_add_nothing():
    given = possible(np.ones((3, 24)), 1.0)
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
