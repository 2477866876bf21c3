"""Scores of probabilities, against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from suyuan.errors import InputError
from suyuan.scoring import brier, coverage, crps_members, crps_normal, skill


@settings(deadline=None, max_examples=40)
@given(st.floats(-5.0, 5.0), st.floats(-3.0, 3.0), st.floats(0.1, 4.0))
def test_crps_of_a_normal_is_the_area_between_its_distribution_and_the_step(came, mean, sd):
    """The integral of (F(x) - 1[x >= y])^2 (Matheson and Winkler 1976), by the trapezoidal rule."""
    below = np.linspace(min(came, mean - 10 * sd) - 1, came, 20_001)
    above = np.linspace(came, max(came, mean + 10 * sd) + 1, 20_001)
    area = np.trapezoid(norm.cdf(below, mean, sd) ** 2, below) + np.trapezoid(
        norm.sf(above, mean, sd) ** 2, above
    )
    found = crps_normal(np.array([came]), np.array([mean]), sd=np.array([sd]))
    assert found[0] == pytest.approx(area, abs=1e-5)


def test_many_members_of_a_normal_score_as_the_normal_does():
    members = norm.ppf((np.arange(4000) + 0.5) / 4000)[None]
    for came in (-2.0, 0.0, 0.7):
        want = crps_normal(np.array([came]), np.array([0.0]), sd=np.array([1.0]))[0]
        assert crps_members(np.array([came]), members)[0] == pytest.approx(want, abs=1e-3)


def test_one_member_scores_its_distance():
    assert crps_members(np.array([3.0]), np.array([[1.0]])).tolist() == [2.0]


def test_a_forecast_without_spread_is_refused():
    with pytest.raises(InputError, match="a standard deviation is 0"):
        crps_normal(np.zeros(1), np.zeros(1), sd=np.zeros(1))


def test_the_true_chance_scores_better_than_certainty():
    happened = np.random.default_rng(3).random(2000) < 0.3
    assert brier(happened, np.full(2000, 0.3)) < brier(happened, np.zeros(2000))
    assert skill(brier(happened, np.full(2000, 0.3)), brier(happened, np.zeros(2000))) == pytest.approx(
        0.3, abs=0.04
    )


def test_skill_over_a_perfect_reference_is_not_known():
    assert np.isnan(skill(0.1, 0.0))


def test_both_ends_of_an_interval_belong_to_it():
    assert coverage(np.array([0.0, 1.0, 1.1]), np.zeros(3), high=np.ones(3)) == pytest.approx(2 / 3)
