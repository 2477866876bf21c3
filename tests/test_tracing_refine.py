"""Explanations weighed anew: against the whole normal density, written out; lateness and amplitudes; fair selections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tracing_worlds as worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from suyuan.tracing.anew import (
    PICKS,
    SOURCES_ANEW,
    Search,
    _log_prior,
    chosen,
    singles_anew,
    some_of,
    weighed,
)
from suyuan.tracing.evidence import (
    amplitude_posterior,
    evidence_of_kinds,
    pair_evidence,
    strength_prior,
)
from suyuan.tracing.plume import no_plumes
from suyuan.tracing.posterior import problem_of
from suyuan.tracing.refine import Ground, doubt_of, ground_of
from suyuan.tracing.responses import responses
from suyuan.tracing.search import Explanations, Problem, explain
from suyuan.tracing.settle import (
    Amplitudes,
    Plumes,
    Releases,
    error_covariance,
    errors_of,
    likely_logs,
    moved,
    released,
    settle,
    weigh_plumes,
)
from suyuan.tracing.shapes import Neighbourhood

SHAPE = 1000


def problem() -> Problem:
    world = worlds.meeting()
    releases = {"O1": (worlds.history(40, 12), worlds.rates("industrial", 2.0))}
    return problem_of(
        worlds.read(world, releases),
        (world.matrix,),
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=world.prior,
    )


def ground_for(given: Problem) -> Ground:
    return ground_of(given.claim(no_plumes(given.blocks)), given.matrices[0].receptors, bin_s=given.bin_s)


def plumes_of(given: Problem, *, late_s: float) -> Plumes:
    sources, shapes = [0, 1], [SHAPE, SHAPE + 300]
    seen = responses(given, 0, source=np.array(sources))
    response = np.stack([seen.rise(s, h) for s, h in zip(sources, shapes, strict=True)])
    doubt = np.stack(
        [doubt_of(*seen.travel_s(s, h), bin_s=given.bin_s) for s, h in zip(sources, shapes, strict=True)]
    )
    slope = np.stack([np.gradient(each[0]) / given.bin_s for each in response])
    bend = np.stack([slope, np.stack([np.gradient(each) / given.bin_s for each in slope])], axis=1)
    return Plumes(response, bend, np.full((2, 2), late_s), doubt)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("late_s", [0.0, 1800.0])
def test_the_density_of_plumes_with_errors_is_that_of_one_normal_over_all_substances(count, late_s):
    problem_ = problem()
    ground, substances = ground_for(problem_), len(problem_.blocks)
    whole = plumes_of(problem_, late_s=late_s)
    plumes = Plumes(*(part[:count] for part in whole))
    amplitude = np.array([[1.5, 0.1, 3.0], [0.7, 0.2, 1.0]])[:count]
    fixed = 1e10 * np.eye(count * substances)  # a prior that leaves no freedom
    logs = np.log(amplitude).ravel()
    gain, x, _, _ = weigh_plumes(plumes, Amplitudes(logs, logs, fixed), ground.readings)
    np.testing.assert_allclose(x, logs, atol=1e-6)
    assert gain == pytest.approx(by_hand(problem_, ground, plumes, amplitude), abs=1e-4)


def by_hand(given: Problem, ground: Ground, plumes: Plumes, amplitude: np.ndarray) -> float:
    """Return the log density ratio from the whole covariance over all readings of all substances."""
    mean, ratio = moved(plumes, ground.readings.station)
    errors_at = errors_of(plumes, ground.readings)
    rows, owner = errors_at.rows, errors_at.owner
    claimed = given.claim(no_plumes(given.blocks))
    at = np.cumsum([0, *(len(b.value) for b in given.blocks)])
    covariance, above, passed = np.zeros((at[-1], at[-1])), np.zeros(at[-1]), np.zeros(at[-1])
    for d, (block, background) in enumerate(zip(given.blocks, claimed.backgrounds, strict=True)):
        part = slice(at[d], at[d + 1])
        covariance[part, part] = background.covariance
        above[part] = block.value - background.level
        for p in range(len(amplitude)):
            passed[part] += amplitude[p, d] * mean[p, d][block.means.first]
    errors = np.zeros_like(covariance)
    for p in range(len(amplitude)):
        own = rows[owner == p]
        error = error_covariance(plumes, p, own, ground.readings)
        highest = plumes.response[p, 0].max()
        error[np.diag_indices_from(error)] += 1e-6 * np.diag(error) + 1e-12 * highest**2  # as for its root
        carried = np.zeros((at[-1], len(own)))
        for d, block in enumerate(given.blocks):
            carried[at[d] : at[d + 1]] = (
                amplitude[p, d] * ratio[p, d] * np.equal.outer(block.means.first, own)
            )
        errors += carried @ error @ carried.T
    return log_normal(above - passed, covariance + errors) - log_normal(above, covariance)


def log_normal(off: np.ndarray, covariance: np.ndarray) -> float:
    return float(-0.5 * off @ np.linalg.solve(covariance, off) - 0.5 * np.linalg.slogdet(covariance)[1])


@pytest.mark.parametrize(("information", "score"), [(50.0, 120.0), (3.0, 2.0), (400.0, 20.0)])
def test_one_amplitude_is_integrated_out_as_well_as_laplace_can(information, score):
    centre, precision = 0.3, 1.0 / 1.4**2

    def density(x: float) -> float:
        a = np.exp(x)
        return float(np.exp(score * a - 0.5 * information * a * a - 0.5 * precision * (x - centre) ** 2))

    x, value = likely_logs(
        np.array([[information]]),
        np.array([score]),
        Amplitudes(np.array([0.0]), np.array([centre]), np.array([[precision]])),
    )
    a = np.exp(x[0])
    slope = score * a - information * a * a - precision * (x[0] - centre)
    assert abs(slope) < 0.02 * (1.0 + information * a * a)
    laplace = value + 0.5 * np.log(precision / (precision + information * a * a))
    exact, _ = quad(density, -12.0, 6.0, points=[x[0]], limit=300)
    assert laplace == pytest.approx(np.log(exact * np.sqrt(precision / (2.0 * np.pi))), abs=0.25)


def test_a_release_moved_by_whole_bins_is_the_later_history():
    rng = np.random.default_rng(2)
    total = np.concatenate([np.zeros((2, 5, 1)), np.cumsum(rng.uniform(size=(2, 5, 30)), axis=2)], axis=2)
    by = np.full(5, 3.0)
    early, late = np.array([4, 6, 24, 1]), np.array([7, 6, 24, 1])
    np.testing.assert_allclose(released(total, early, by), released(total, late, np.zeros(5)))
    between = released(total, early, by + 0.25)
    later = released(total, np.array([8, 6, 24, 1]), np.zeros(5))
    np.testing.assert_allclose(between, 0.75 * released(total, late, np.zeros(5)) + 0.25 * later)


def test_a_release_that_goes_on_goes_on_however_late():
    total = np.tile(np.arange(31.0), (1, 2, 1))
    goes_on = np.array([20, 10, 24, 1])
    np.testing.assert_allclose(released(total, goes_on, np.array([0.0, 4.0])), [[10.0, 6.0]])
    np.testing.assert_allclose(released(total, goes_on, np.array([-4.0, 0.0])), [[14.0, 10.0]])


def test_responses_are_histories_multiplied_out():
    given = problem()
    matrix, block = given.matrices[0], given.blocks[0]
    found = responses(given, 0, source=np.array([0, 3]))
    for source, shape in [(0, 5), (3, 900), (0, 1500)]:
        by_hand = matrix.decayed(block.substance.decay_per_s)[:, source] @ given.grid.shapes.history(shape)
        np.testing.assert_allclose(
            found.rise(source, shape)[0], by_hand, atol=1e-6 * by_hand.max(initial=1.0)
        )


def test_water_that_comes_late_is_seen_to_be_late():
    given = problem()
    ground, sources = ground_for(given), np.array([0])
    seen = responses(given, 0, source=sources)
    history = np.array([[16, 12, 24, 1]])
    truly = released(seen.total[0], history[0], np.full(len(ground.readings.station), 1.2))
    amplitude = np.array([6.0, 0.2, 12.0])
    score = np.stack([ground.readings.precision[d] @ (amplitude[d] * truly[d]) for d in range(3)])
    doubt = np.stack([doubt_of(*seen.travel_s(0, SHAPE), bin_s=given.bin_s)])
    doubt[:, 0] = 2.0 * 3600.0
    releases = Releases(seen.total[:1], history, doubt)
    amplitudes = Amplitudes(np.log(amplitude), np.log(amplitude), np.eye(3))
    read = ground.readings._replace(score=score)
    gains, lates = zip(*(settle(releases, amplitudes, read, rounds)[::3] for rounds in (1, 4)), strict=True)
    assert (lates[0] == 0.0).all()
    assert (lates[1] > 0.5 * 3600.0).all()  # not all of it: the share of the plume may err too
    assert (lates[1] < 1.5 * 3600.0).all()
    assert gains[1] > gains[0]


def test_two_plumes_that_touch_no_common_reading_are_two_single_ones():
    rng = np.random.default_rng(3)
    alpha, beta = rng.uniform(5.0, 50.0, (2, 3)), rng.uniform(5.0, 50.0, (2, 3))
    centre, spread = rng.normal(size=(2, 3)), np.full((2, 3), 0.4)
    both, left, _ = pair_evidence(alpha, beta, np.zeros(3), centre, spread, strength_prior(1.4))
    strengths = np.empty((1, 49))
    alone = [
        evidence_of_kinds(alpha[i], beta[i], centre[i : i + 1], spread[i : i + 1], 1.4, strengths)[0]
        for i in range(2)
    ]
    assert both == pytest.approx(sum(alone), rel=1e-9)
    np.testing.assert_allclose(left, beta)


def test_a_second_plume_like_the_first_explains_nothing_more():
    # both have the same shape: g1 = g2, so alpha, beta and cross are all of one plume of size 2
    alpha, beta = np.full((2, 1), 100.0), np.full((2, 1), 200.0)
    centre, spread = np.full((2, 1), np.log(2.0)), np.full((2, 1), 0.3)
    both, _, amplitude = pair_evidence(alpha, beta, np.array([100.0]), centre, spread, strength_prior(1.4))
    strengths = np.empty((1, 49))
    alone = evidence_of_kinds(alpha[0], beta[0], centre[:1], spread[:1], 1.4, strengths)[0]
    assert both < alone
    assert amplitude.sum() == pytest.approx(2.0, rel=0.1)


ONE = np.zeros(1, np.int64)
"""One source, of one candidate."""


def picked(whole: Explanations, candidate: np.ndarray) -> Explanations:
    return some_of(whole, chosen(whole, candidate))


def table(log_gain: np.ndarray) -> Explanations:
    n = len(log_gain)
    zero = np.zeros(n, np.int64)
    return Explanations(
        zero, zero, np.arange(n), zero, zero, np.zeros(n), log_gain, np.ones((1, n)), np.ones((1, n))
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(PICKS + 1, 300), st.floats(0.0, 3.0), st.integers(0, 2**32 - 1))
def test_a_selection_stands_for_the_whole_source(size: int, spread: float, seed: int):
    whole = table(spread * np.random.default_rng(seed).standard_normal(size))
    some = picked(whole, ONE)
    assert len(some.source) <= PICKS
    # systematic sampling: what each row stands for differs from its share by at most one step
    assert np.exp(some.log_evidence) == pytest.approx(np.exp(whole.log_evidence), rel=0.6)


def test_a_few_explanations_are_all_kept_as_they_are():
    few = table(np.array([1.0, 0.5, -3.0]))
    assert picked(few, ONE).log_evidence == pytest.approx(few.log_evidence)


def test_sources_far_behind_many_others_stand_by_one_of_their_candidate():
    count = SOURCES_ANEW + 6
    each = replace(table(-0.1 * np.arange(float(count))), source=np.arange(count))
    candidate = np.minimum(np.arange(count), SOURCES_ANEW + 1)  # the last five are places of one
    some = picked(each, candidate)
    assert set(some.source.tolist()) == set(range(SOURCES_ANEW + 2))
    assert some.log_evidence == pytest.approx(each.log_evidence)
    last = each.where(np.flatnonzero(candidate == SOURCES_ANEW + 1)).log_evidence
    assert some.log_weight[-1] == pytest.approx(last)


def test_places_behind_leading_ones_of_their_candidate_count_with_these():
    count = SOURCES_ANEW + 6
    each = replace(table(-0.1 * np.arange(float(count))), source=np.arange(count))
    some = picked(each, np.where(np.arange(count) < SOURCES_ANEW - 1, np.arange(count), SOURCES_ANEW - 1))
    assert set(some.source.tolist()) == set(range(SOURCES_ANEW))
    assert some.log_evidence == pytest.approx(each.log_evidence)


def scanned() -> tuple[Problem, Explanations]:
    """Return the problem and what the scan says of its first source."""
    given = problem()
    (found,) = explain(given, given.claim(no_plumes(given.blocks)), removed=[no_plumes(given.blocks)])
    return given, found.where(np.flatnonzero(found.source == 0))


def test_what_a_source_stands_for_beyond_itself_is_not_forgotten_in_the_search():
    given, own = scanned()
    ground = ground_for(given)
    seen = responses(given, 0, source=own.source)
    search = Search(given, seen, ground, Neighbourhood.of_shapes(given.grid.shapes), _log_prior(given))
    some = weighed(
        given, some_of(own, chosen(own, given.candidate).of(np.zeros(1, np.int64))), seen=seen, ground=ground
    )
    alone = search.around(some, beyond=0.0)
    with_others = search.around(replace(some, log_prior=some.log_prior + 1.5), beyond=1.5)
    assert len(alone.source) > len(some.source)
    assert with_others.log_weight == pytest.approx(alone.log_weight + 1.5)


def test_a_source_that_stood_by_one_history_is_searched_as_a_leading_one(monkeypatch: pytest.MonkeyPatch):
    given, own = scanned()
    ground = ground_for(given)
    seen = responses(given, 0, source=own.source)
    leading = singles_anew(given, own, seen=seen, ground=ground)
    monkeypatch.setattr("suyuan.tracing.anew.SOURCES_ANEW", 0)
    assert chosen(own, given.candidate).picks.tolist() == [1]
    behind = singles_anew(given, own, seen=seen, ground=ground)
    assert behind.log_weight == pytest.approx(leading.log_weight)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(0.0, 0.9999))
def test_a_pair_never_explains_more_than_its_best_fit(seed: int, substances: int, alike: float):
    rng = np.random.default_rng(seed)
    alpha = np.exp(rng.normal(4.0, 4.0, (2, substances)))
    beta = np.sqrt(alpha) * rng.normal(0.0, 30.0, (2, substances))
    cross = alike * np.sqrt(alpha[0] * alpha[1]) * rng.choice([-1.0, 1.0], substances)
    centre, spread = rng.normal(0.0, 2.0, (2, substances)), np.full((2, substances), 0.4)
    found = pair_evidence(alpha, beta, cross, centre, spread, strength_prior(1.4))[0]
    most = 0.0
    for d in range(substances):
        both = np.array([[alpha[0, d], cross[d]], [cross[d], alpha[1, d]]])
        most += 0.5 * beta[:, d] @ np.linalg.solve(both, beta[:, d])
    assert found <= most * (1.0 + 1e-6) + 1e-6


def test_of_an_amplitude_that_the_readings_do_not_show_the_prior_is_believed():
    log_amplitude, weight = amplitude_posterior(1e-13, 0.0, centre=np.log(1e6), spread=0.5)
    assert weight @ log_amplitude == pytest.approx(np.log(1e6))
    assert weight @ (log_amplitude - np.log(1e6)) ** 2 == pytest.approx(0.25, rel=0.01)


def test_the_search_finds_what_weighing_every_history_finds():
    given, own = scanned()
    ground = ground_for(given)
    seen = responses(given, 0, source=own.source)
    quick = singles_anew(given, own, seen=seen, ground=ground)
    shapes = np.flatnonzero(given.grid.shapes.repeats == 1)
    kind = own.kind[np.argmax(own.log_weight)]
    every = replace(own.where(np.zeros(len(shapes), np.int64)), shape=shapes, kind=np.full(len(shapes), kind))
    whole = weighed(given, every, seen=seen, ground=ground)
    best = whole.log_gain + given.grid.shapes.log_prior[shapes]
    ours = quick.log_gain + given.grid.shapes.log_prior[quick.shape]
    assert ours.max() > best.max() - 1.0
