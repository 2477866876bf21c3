"""Explanations weighed anew: against the whole normal density, written out; and fair selections of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tracing_worlds as worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from suyuan.tracing.anew import PICKS_NEAR, picked
from suyuan.tracing.evidence import evidence_of_kinds, pair_evidence
from suyuan.tracing.posterior import problem_of
from suyuan.tracing.refine import Ground, Plume, ground_of, log_density, plume_of, slopes
from suyuan.tracing.responses import responses
from suyuan.tracing.search import Explanations, Problem

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


def plumes_of(given: Problem, ground: Ground) -> tuple[Plume, ...]:
    sources = np.array([0, 1])
    seen = responses(given, member=0, source=sources, shape=np.array([SHAPE, SHAPE + 300]))
    amplitude = np.array([[1.5, 0.1, 3.0], [0.7, 0.2, 1.0]])
    return tuple(
        plume_of(seen.rise[i], amplitude[i], ground=ground, travel_s=seen.travel_s[i]) for i in sources
    )


@pytest.mark.parametrize("count", [1, 2])
def test_the_density_of_a_plume_with_errors_is_that_of_one_normal_over_all_substances(count):
    given = problem()
    claimed = given.claim([np.zeros(len(b.value)) for b in given.blocks])
    receptors = given.matrices[0].receptors
    ground = ground_of(claimed, receptors, bin_s=given.bin_s)
    plumes = plumes_of(given, ground)[:count]
    sizes = [len(b.value) for b in given.blocks]
    at = np.cumsum([0, *sizes])
    covariance, above = np.zeros((at[-1], at[-1])), np.zeros(at[-1])
    spread = []
    for plume in plumes:  # the error of one plume: E at its rows, carried over to every substance's readings
        carried = np.zeros((at[-1], len(plume.rows)))
        for d, block in enumerate(given.blocks):
            here = np.equal.outer(block.receptor, plume.rows)
            carried[at[d] : at[d + 1]] = plume.amplitude[d] * plume.ratio[d] * here
        spread.append(carried @ plume.root)
    for d, (block, background) in enumerate(zip(given.blocks, claimed.backgrounds, strict=True)):
        part = slice(at[d], at[d + 1])
        covariance[part, part] = background.covariance
        passed = sum(p.amplitude[d] * p.response[d] for p in plumes)
        above[part] = block.value - background.level - passed[block.receptor]
    covariance += sum(s @ s.T for s in spread)
    normal = multivariate_normal(np.zeros(at[-1]), covariance).logpdf(above)
    expected = normal + 0.5 * at[-1] * np.log(2.0 * np.pi) + sum(b.log_prior for b in claimed.backgrounds)
    assert log_density(plumes, ground) == pytest.approx(expected, abs=1e-6 * abs(expected))


def test_a_plume_errs_nowhere_but_where_it_is():
    given = problem()
    claimed = given.claim([np.zeros(len(b.value)) for b in given.blocks])
    ground = ground_of(claimed, given.matrices[0].receptors, bin_s=given.bin_s)
    plume = plumes_of(given, ground)[0]
    highest = plume.response[0].max()
    assert (plume.response[0][plume.rows] > 0.02 * highest).all()
    deviation = np.sqrt((plume.root**2).sum(axis=1))
    assert (deviation < highest).all()
    assert deviation.max() > 0.1 * highest


def test_slopes_are_those_of_a_parabola():
    time = np.array([0.0, 1.0, 2.5, 4.0, 0.0, 3.0])
    station = np.array([0, 0, 0, 0, 1, 1])
    slope = slopes(time**2, station, time)
    np.testing.assert_allclose(slope[1:3], 2.0 * time[1:3])
    assert slope[4] == slope[5] == pytest.approx(3.0)


def test_responses_are_histories_multiplied_out():
    given = problem()
    matrix, block = given.matrices[0], given.blocks[0]
    found = responses(given, member=0, source=np.array([0, 3, 0]), shape=np.array([5, 900, 1500]))
    for i, (source, shape) in enumerate([(0, 5), (3, 900), (0, 1500)]):
        by_hand = matrix.decayed(block.substance.decay_per_s)[:, source] @ given.grid.shapes.history(shape)
        np.testing.assert_allclose(found.rise[i, 0], by_hand, atol=1e-6 * by_hand.max(initial=1.0))


def test_two_plumes_that_touch_no_common_reading_are_two_single_ones():
    rng = np.random.default_rng(3)
    alpha, beta = rng.uniform(5.0, 50.0, (2, 3)), rng.uniform(5.0, 50.0, (2, 3))
    centre, spread = rng.normal(size=(2, 3)), np.full((2, 3), 0.4)
    both, left, _ = pair_evidence(alpha, beta, np.zeros(3), centre, spread, 1.4)
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
    both, _, amplitude = pair_evidence(alpha, beta, np.array([100.0]), centre, spread, 1.4)
    strengths = np.empty((1, 49))
    alone = evidence_of_kinds(alpha[0], beta[0], centre[:1], spread[:1], 1.4, strengths)[0]
    assert both < alone
    assert amplitude.sum() == pytest.approx(2.0, rel=0.1)


def table(log_gain: np.ndarray) -> Explanations:
    n = len(log_gain)
    zero = np.zeros(n, np.int64)
    return Explanations(
        zero, zero, np.arange(n), zero, np.zeros(n), log_gain, np.ones((1, n)), np.ones((1, n))
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(PICKS_NEAR + 1, 300), st.floats(0.0, 3.0), st.integers(0, 2**32 - 1))
def test_a_selection_stands_for_the_whole_source(size: int, spread: float, seed: int):
    whole = table(spread * np.random.default_rng(seed).standard_normal(size))
    some = picked(whole)
    assert len(some.source) <= PICKS_NEAR
    # systematic sampling: what each row stands for differs from its share by at most one step
    assert np.exp(some.log_evidence) == pytest.approx(np.exp(whole.log_evidence), rel=0.75)


def test_a_few_explanations_are_all_kept_as_they_are():
    few = table(np.array([1.0, 0.5, -3.0]))
    assert picked(few).log_evidence == pytest.approx(few.log_evidence)


def test_a_source_far_behind_is_not_weighed_anew():
    near = table(np.zeros(3))
    far = replace(table(np.full(3, -60.0)), source=np.ones(3, np.int64))
    both = Explanations(
        *(
            np.concatenate([getattr(near, n), getattr(far, n)], axis=-1)
            for n in ("member", "source", "shape", "kind", "log_prior", "log_gain", "alpha", "beta")
        )
    )
    assert set(picked(both).source.tolist()) == {0}
