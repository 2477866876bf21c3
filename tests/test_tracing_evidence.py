"""The evidence of a release, held against slow integration and against what no evidence may exceed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from suyuan.tracing.evidence import (
    AMPLITUDE_ERROR,
    GRID_HALF,
    GRID_STEP,
    SHOWS_AT,
    amplitude_posterior,
    evidence_of_kinds,
    likely_amplitudes,
    log_evidences,
    rough_evidences,
    strength_prior,
)

Array = NDArray[np.float64]


def integrated(alpha: Array, beta: Array, *, centre: Array, spread: Array, log_sd: float) -> float:
    """Return the log evidence as written down in evidence.py, on a grid of 0.005 in both integrals."""
    half = GRID_HALF * GRID_STEP
    w = np.arange(-half, half, 0.005)
    signal = (alpha * np.exp(2.0 * centre)).sum()
    seen = 1.0 - np.exp(-0.5 * np.minimum(signal * np.exp(2.0 * w), 1e6) / SHOWS_AT**2)
    total = np.log(seen + 1e-9) - 0.5 * (w / log_sd) ** 2 - np.log(log_sd * np.sqrt(2.0 * np.pi))
    for a, b, c, s in zip(alpha, beta, centre, spread, strict=True):
        e = np.linspace(-3.5, 3.5, 561) * s
        amplitude = np.exp(c + w[:, None] + e)
        variance = 1.0 / a + (AMPLITUDE_ERROR * amplitude) ** 2
        gain = 0.5 * b * b / a - 0.5 * (amplitude - b / a) ** 2 / variance - 0.5 * np.log(variance * a)
        density = np.exp(-0.5 * (e / s) ** 2) / (s * np.sqrt(2.0 * np.pi))
        top = gain.max(axis=1, keepdims=True)
        total += top[:, 0] + np.log(trapezoid(density * np.exp(gain - top), e, axis=1))
    return float(total.max() + np.log(trapezoid(np.exp(total - total.max()), w)))


@pytest.mark.parametrize("seed", range(12))
def test_evidence_is_the_integral_over_strength_and_departure(seed):
    # a grid of 0.25 sees a peak of width 0.1 to about 8 % (Poisson summation): 0.1 in the log, a substance
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    centre = GRID_STEP * rng.integers(-12, 13, n)
    alpha = np.exp(rng.uniform(-1.0, 6.0, n) - 2.0 * centre)
    beta = alpha * np.exp(centre + rng.normal(0.0, 1.0, n)) + np.sqrt(alpha) * rng.standard_normal(n)
    spread = rng.uniform(0.3, 1.5, n)
    strengths = np.empty((1, 2 * GRID_HALF + 1))
    found = evidence_of_kinds(alpha, beta, centre[None], spread[None], 1.4, strengths)[0]
    expected = integrated(alpha, beta, centre=centre, spread=spread, log_sd=1.4)
    assert found == pytest.approx(expected, abs=0.1 * n)
    assert log_evidences(alpha[None], beta[None], centre[None], spread[None], 1.4)[0] == found


def test_kinds_weighed_together_are_as_if_weighed_alone():
    rng = np.random.default_rng(3)
    alpha, beta = np.array([40.0, 3.0]), np.array([55.0, 2.0])
    centres, spreads = rng.normal(0.0, 1.0, (4, 2)), rng.uniform(0.2, 1.0, (4, 2))
    strengths = np.empty((4, 2 * GRID_HALF + 1))
    together = evidence_of_kinds(alpha, beta, centres, spreads, 1.4, strengths)
    alone = log_evidences(np.tile(alpha, (4, 1)), np.tile(beta, (4, 1)), centres, spreads, 1.4)
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_what_no_reading_can_see_is_no_evidence():
    # a release without any response fits as well as none, but it does not show and so counts as nobody
    nothing, centre, spread = np.zeros(2), np.zeros((1, 2)), np.full((1, 2), 0.5)
    strengths = np.empty((1, 2 * GRID_HALF + 1))
    found = evidence_of_kinds(nothing, nothing, centre, spread, 1.4, strengths)
    assert found[0] == pytest.approx(np.log(1e-9), abs=1e-6)
    assert rough_evidences(nothing[:, None], nothing[:, None], centre, spread, 1.4)[0, 0] == 0.0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.integers(2, 12), lift=st.floats(0.0, 30.0))
def test_no_gain_exceeds_the_whole_misfit(seed, size, lift):
    rng = np.random.default_rng(seed)
    response = np.abs(rng.standard_normal((2, size)))
    residual = lift * response + rng.standard_normal((2, size))
    alpha, beta = (response**2).sum(axis=1), (response * residual).sum(axis=1)
    centre, spread = rng.normal(0.0, 2.0, 2), rng.uniform(0.2, 1.5, 2)
    gain = log_evidences(alpha[None], beta[None], centre[None], spread[None], 1.4)[0]
    assert gain <= 0.5 * (residual**2).sum() + 1e-9


def test_the_rough_evidence_of_a_strong_plume_is_close_to_the_whole():
    # the rounding of centres to the grid and Laplace's approximation leave less than the reach of KEPT_LOG
    rng = np.random.default_rng(11)
    alpha = np.exp(rng.uniform(6.0, 9.0, (3, 40)))
    centre, spread = np.zeros((1, 3)), np.full((1, 3), 0.4)
    log_amplitude = rng.normal(0.0, 1.0, 40) + rng.normal(0.0, 0.4, (3, 40))
    beta = alpha * np.exp(log_amplitude)
    rough = rough_evidences(alpha, beta, centre, spread, 1.4)[0]
    every = [np.repeat(a, 40, axis=0) for a in (centre, spread)]
    whole = log_evidences(np.ascontiguousarray(alpha.T), np.ascontiguousarray(beta.T), *every, 1.4)
    assert np.abs(rough - whole).max() < 1.0
    assert np.abs(rough - whole).mean() < 0.3


def test_a_well_seen_amplitude_is_told_from_the_readings():
    likely = likely_amplitudes(
        np.array([1e4]), np.array([2.5e4]), np.array([0.0]), np.array([0.5]), strength_prior(1.4)
    )
    assert likely[0] == pytest.approx(2.5, rel=AMPLITUDE_ERROR)


@pytest.mark.parametrize(("alpha", "beta"), [(1e4, 2.5e4), (40.0, 90.0), (0.3, -2.0), (0.0, 5.0)])
def test_an_amplitude_is_as_likely_as_prior_and_readings_say(alpha: float, beta: float):
    log_amplitude, weight = amplitude_posterior(alpha, beta, centre=0.4, spread=0.6)
    expected = np.exp(-0.5 * ((log_amplitude - 0.4) / 0.6) ** 2)
    if alpha > 0.0:  # what nothing is known of is told by the prior
        amplitude = np.exp(log_amplitude)
        variance = 1.0 / alpha + (AMPLITUDE_ERROR * amplitude) ** 2
        expected *= np.exp(-0.5 * (amplitude - beta / alpha) ** 2 / variance) / np.sqrt(variance)
    np.testing.assert_allclose(weight, expected / expected.sum(), rtol=1e-9, atol=1e-60)


def test_an_unseen_amplitude_is_told_from_the_prior():
    log_amplitude, weight = amplitude_posterior(0.0, 0.0, centre=1.0, spread=0.5)
    assert weight.sum() == pytest.approx(1.0)
    assert log_amplitude @ weight == pytest.approx(1.0)
    assert np.sqrt((log_amplitude - 1.0) ** 2 @ weight) == pytest.approx(0.5, rel=1e-2)
