"""What the evidence is made of, against slow and obvious ways to reckon the same."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from suyuan.errors import InputError
from suyuan.tracing.background import noise_of
from suyuan.tracing.evidence import (
    AMPLITUDE_ERROR,
    GRID_HALF,
    GRID_STEP,
    evidence_of_kinds,
    likelihood_table,
    log_evidences,
    rough_evidences,
    shown,
)
from suyuan.tracing.pairs import PAIRS_ANEW, PLUMES_TO_PAIR, from_one_search, standing_for, to_pair
from suyuan.tracing.posterior import credible_set
from suyuan.tracing.result import Candidate, Finding
from suyuan.tracing.scan import log_sum
from suyuan.tracing.search import Explanations
from suyuan.tracing.shapes import Nights, cumulative_square, release_shapes, scan_shapes


def test_release_histories_share_one_prior_and_stay_in_the_window():
    shapes = release_shapes(96, 3600.0)
    assert np.exp(shapes.log_prior).sum() == pytest.approx(1.0, abs=1e-12)
    last = shapes.start + (shapes.repeats - 1) * shapes.period + shapes.length
    assert last.max() <= 96
    assert shapes.start.min() == 0
    assert shapes.history(0).sum() == shapes.length[0]


def test_of_releases_that_come_again_every_day_the_share_begins_at_night():
    """From 18:00 to 04:00 in Shanghai, 10:00 to 20:00 UTC; pulses and steps begin at any hour."""
    hours = np.datetime64("2024-07-20T00:00:00") + np.arange(72) * np.timedelta64(3600, "s")
    dusks = Nights(0.8, ZoneInfo("Asia/Shanghai")).weight(hours)
    assert dusks.reshape(3, 24).mean(axis=1) == pytest.approx(1.0, abs=1e-12)
    shapes = release_shapes(72, 3600.0, dusks=dusks)
    alike = release_shapes(72, 3600.0)
    prior, before = np.exp(shapes.log_prior), np.exp(alike.log_prior)
    assert prior.sum() == pytest.approx(1.0, abs=1e-12)
    first_day = (shapes.repeats > 1) & (shapes.start < 24)
    at_night = first_day & (shapes.start >= 10) & (shapes.start < 20)
    assert prior[at_night].sum() / prior[first_day].sum() == pytest.approx(0.8)
    once = shapes.repeats == 1
    assert (prior / before)[once].max() == pytest.approx((prior / before)[once].min())


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, float("nan")])
def test_a_share_of_nights_is_between_none_and_all(share: float):
    with pytest.raises(InputError, match=r"share of nights.*above 0 and below 1"):
        Nights(share, ZoneInfo("UTC"))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.integers(2, 12), st.integers(0, 10_000))
def test_pairs_that_stand_for_others_keep_what_speaks_for_each_two_candidates(
    count: int, candidates: int, seed: int
):
    """All together, and of the leading pairs of candidates each, weigh what they did; each candidate keeps a pair."""
    rng = np.random.default_rng(seed)
    kind = np.sort([rng.permutation(candidates)[:2] for _ in range(count)], axis=1)
    score = -np.sort(rng.exponential(5.0, count))
    best, stands = standing_for(kind, score)
    weight = score[best] + stands
    assert log_sum(weight) == pytest.approx(log_sum(score))
    assert set(kind[best].ravel()) == set(kind.ravel())
    two, of = np.unique(kind, axis=0, return_inverse=True)
    before = np.array([log_sum(score[of.ravel() == k]) for k in range(len(two))])
    after = np.array([log_sum(weight[of.ravel()[best] == k]) for k in range(len(two))])
    leading = np.argsort(-before)[:PAIRS_ANEW]
    assert np.all(after[leading] >= before[leading] - 1e-9)
    if len(two) <= PAIRS_ANEW:
        np.testing.assert_allclose(after, before, atol=1e-9)


def test_two_candidates_that_three_searches_found_count_once():
    """Of the same two, histories from tables 0 and 1 have 2 and 1 in all, from tables 1 and 2 together 2.5: these count."""
    kind = np.tile([3, 7], (4, 1))
    origin = np.array([[0, 1], [1, 2], [1, 2], [0, 2]])
    score = np.log([2.0, 1.5, 1.0, 1.0])
    assert from_one_search(kind, origin, score=score).tolist() == [1, 2]


def test_every_candidate_goes_into_pairs_with_all_that_speaks_for_it():
    """Of 300 histories of 30 sources of 10 candidates 20 lead; the other candidates have one each, which stands for all."""
    rng = np.random.default_rng(4)
    size, candidate = 300, np.arange(30) // 3
    source, none = rng.integers(0, 30, size), np.zeros(size, np.int64)
    gain = 3.0 * rng.standard_normal(size) - 4.0 * candidate[source]
    table = Explanations(
        none, source, np.arange(size), none, none, np.zeros(size), gain, *np.zeros((2, 1, size))
    )
    pool, leads, origin = to_pair([table, table.where(np.arange(100))], candidate)
    assert leads[origin == 0].sum() == PLUMES_TO_PAIR
    for number, each in enumerate((table, table.where(np.arange(100)))):
        part = pool.where(np.flatnonzero(origin == number))
        for one in np.unique(candidate[each.source]):
            whole = log_sum(each.log_weight[candidate[each.source] == one])
            assert log_sum(part.log_weight[candidate[part.source] == one]) == pytest.approx(whole)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_every_history_is_matched_as_if_it_were_multiplied_out(seed: int):
    rng = np.random.default_rng(seed)
    shapes = release_shapes(60, 3600.0)
    response, reading = rng.standard_normal((30, 60)), rng.standard_normal((2, 30))
    gram, match = np.zeros((1, 61, 61)), np.zeros((2, 1, 61))
    cumulative_square((response.T @ response).astype(np.float32), gram[0])
    match[:, 0, 1:] = np.cumsum(reading @ response, axis=1)
    alpha, beta = np.empty((1, len(shapes.start))), np.empty((2, 1, len(shapes.start)))
    scan_shapes(gram, match, shapes.columns, alpha, beta)
    for s in rng.integers(0, len(shapes.start), 40):
        plume = response @ shapes.history(int(s))
        assert alpha[0, s] == pytest.approx(plume @ plume, rel=1e-4, abs=1e-3)
        assert beta[:, 0, s] == pytest.approx(reading @ plume, rel=1e-9, abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.integers(-24, 24), st.floats(1e-3, 1e4), st.floats(-50, 50))
def test_no_gain_exceeds_the_whole_misfit(first: int, alpha: float, score: float):
    assert likelihood_table(alpha, score * np.sqrt(alpha), first, np.empty(49)) <= 0.5 * score**2 + 1e-9


def test_a_release_that_touches_no_reading_is_neither_proved_nor_disproved():
    assert likelihood_table(1.0, 0.0, -80, np.empty(1)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("alpha", "amplitude"), [(4.0, 1.5), (100.0, 0.7), (30.0, 3.0)])
def test_evidence_is_the_integral_over_strength_and_departure(alpha: float, amplitude: float):
    beta, centre, spread, sd = alpha * amplitude, 0.25, 0.5, 1.4

    def likelihood(log_a: float) -> float:
        a = np.exp(log_a)
        variance = 1.0 / alpha + (AMPLITUDE_ERROR * a) ** 2
        gain = 0.5 * beta * amplitude - 0.5 * (a - amplitude) ** 2 / variance - 0.5 * np.log(variance * alpha)
        return float(np.exp(gain))

    def at_strength(w: float) -> float:
        def inside(e: float) -> float:
            return (
                likelihood(centre + w + e) * np.exp(-0.5 * (e / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
            )

        seen = 1.0 - np.exp(-0.5 * alpha * np.exp(2 * (centre + w)) / 16.0)
        prior = np.exp(-0.5 * (w / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
        return float(seen * prior * quad(inside, -3 * spread, 3 * spread, limit=200)[0])

    exact = np.log(quad(at_strength, -6.0, 6.0, limit=200)[0])
    one = np.array([[centre]]), np.array([[spread]])
    found = log_evidences(np.array([[alpha]]), np.array([[beta]]), *one, sd)
    assert found[0] == pytest.approx(exact, abs=0.08)


def test_a_rough_evidence_finds_the_same_leader_as_the_integral():
    rng = np.random.default_rng(3)
    alpha = rng.uniform(20.0, 200.0, (3, 40))
    beta = alpha * np.exp(rng.normal(0.0, 0.6, (3, 40)))
    centre, spread = np.zeros((1, 3)), np.full((1, 3), 0.4)
    rough = rough_evidences(alpha, beta, centre, spread, 1.4)[0]
    each = np.repeat(centre, 40, axis=0), np.repeat(spread, 40, axis=0)
    exact = log_evidences(np.ascontiguousarray(alpha.T), np.ascontiguousarray(beta.T), *each, 1.4)
    assert np.abs(rough - exact).max() < 1.5
    assert np.argmax(rough) == np.argmax(exact)


def test_strengths_that_do_not_show_carry_no_weight():
    share = shown(np.array([1.0]), np.array([0.0]))
    assert share[0] < 1e-4
    assert share[-1] == pytest.approx(1.0, abs=1e-6)
    assert np.all(np.diff(share) >= 0.0)


def test_the_strength_found_is_that_of_the_readings():
    strengths = np.empty((1, 2 * GRID_HALF + 1))
    evidence_of_kinds(
        np.array([1e4]), np.array([1e4 * np.exp(2.0)]), np.zeros((1, 1)), np.full((1, 1), 0.3), 1.4, strengths
    )
    w = (np.argmax(strengths[0]) - GRID_HALF) * GRID_STEP
    assert w == pytest.approx(2.0, abs=0.3)


def test_a_step_in_the_readings_is_not_taken_for_noise():
    rng = np.random.default_rng(5)
    level = np.where(np.arange(200) < 120, 1.0, 4.0)
    value = level * (1.0 + 0.05 * rng.standard_normal(200))
    noise = noise_of(value, np.arange(200) * 3600.0, series=np.zeros(200, int), kind=np.zeros(200, int))
    assert np.median(noise / level) == pytest.approx(0.05, rel=0.3)


def test_a_credible_set_is_never_cut_through_ties():
    names = [Candidate(f"O{i}", "outfall", "R1", 10.0 * i) for i in range(4)]
    findings = [Finding(c, p) for c, p in zip(names, (0.4, 0.2, 0.2, 0.2), strict=True)]
    assert credible_set(findings) == ("O0", "O1", "O2", "O3")
    assert credible_set([Finding(names[0], 0.95), Finding(names[1], 0.05)]) == ("O0",)
