"""Blind spots: what the readings could not have shown, judged as the trace judges what shows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.tracing.blind import blind_spots, signal_to_noise
from suyuan.tracing.evidence import SHOWS_AT
from suyuan.tracing.plume import Claim, no_plumes
from suyuan.tracing.posterior import problem_of
from suyuan.tracing.result import BlindSpot
from suyuan.tracing.search import Problem


@cache
def quiet() -> tuple[Problem, Claim]:
    """Two canals that meet and nobody releases; see `tracing_worlds.meeting` for who is where."""
    world = worlds.meeting()
    problem = problem_of(
        worlds.read(world, {}),
        (world.matrix,),
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=world.prior,
    )
    return problem, problem.claim(no_plumes(problem.blocks))


def spots(problem: Problem, claimed: Claim) -> dict[str, BlindSpot]:
    return {spot.candidate: spot for spot in blind_spots(problem, claimed)}


def with_covariance(claimed: Claim, covariance: np.ndarray) -> Claim:
    first = replace(claimed.backgrounds[0], covariance=covariance)
    return replace(claimed, backgrounds=(first, *claimed.backgrounds[1:]))


def test_many_readings_show_together_what_no_reading_shows_alone():
    """Independent noise: n readings raised by z standard deviations each make z sqrt(n)."""
    assert signal_to_noise(np.full((16, 1), 1.5), np.eye(16))[0] == pytest.approx(6.0)


def test_a_lasting_rise_that_the_background_could_make_itself_hardly_shows():
    """Noise 1 and a common unknown level of sd b: g = 1 everywhere has g'C^-1 g = n / (1 + n b^2), at most 1 / b^2."""
    n, b = 25, 2.0
    factor = np.linalg.cholesky(np.eye(n) + b**2)
    assert signal_to_noise(np.ones((n, 1)), factor)[0] ** 2 == pytest.approx(n / (1.0 + n * b**2))


def test_an_outfall_below_every_station_is_blind_throughout_and_one_above_is_not():
    found = spots(*quiet())
    assert found["O4"].unseen_share == 1.0
    assert "O1" not in found or found["O1"].unseen_share < 0.5


def test_hours_are_blind_where_the_test_release_stays_below_what_shows():
    """The same sum worked out by the inverse of the covariance, for O2 and its test release."""
    problem, claimed = quiet()
    noisy = with_covariance(claimed, 4.0 * claimed.backgrounds[0].covariance)
    found = spots(problem, noisy)["O2"]
    block, matrix = problem.blocks[0], problem.matrices[0]
    rate = found.test_mass_kg * 1000.0 / 3600.0
    rise = (
        rate * matrix.decayed(block.substance.decay_per_s)[block.means.first, worlds.meeting().source("O2")]
    )
    squared = np.einsum("rb,rq,qb->b", rise, np.linalg.inv(noisy.backgrounds[0].covariance), rise)
    np.testing.assert_array_equal(found.is_blind, squared < SHOWS_AT**2)
    assert 0.0 < found.is_blind.mean() < 1.0


def test_a_restless_background_makes_blind_what_a_calm_one_shows():
    problem, claimed = quiet()
    calm = spots(problem, claimed)
    restless = spots(problem, with_covariance(claimed, 1e4 * claimed.backgrounds[0].covariance))
    assert set(calm) <= set(restless)
    for name, spot in calm.items():
        assert (restless[name].unseen >= spot.unseen).all()
    assert sum(s.unseen_share for s in restless.values()) > sum(s.unseen_share for s in calm.values()) + 1.0


def test_a_reach_with_a_station_in_its_midst_is_seen_above_it_and_not_below():
    """S stands at 2000 m of RC. Of the 8 points, 375 m apart, those at 2437 and 2812 m show nowhere; that at 2062 m spreads
    up to S against the flow."""
    found = spots(*quiet())["reach:RC"]
    assert found.is_blind.all()
    np.testing.assert_allclose(found.unseen[:60], 2.0 / 8.0)


def test_a_release_that_no_reading_came_after_is_unseen():
    """What O2 lets out takes more than an hour to S: in the last hour it reaches no reading."""
    found = spots(*quiet())["O2"]
    assert found.is_blind[-1]
    assert not found.is_blind[:60].any()
