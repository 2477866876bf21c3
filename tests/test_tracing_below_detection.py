"""Readings below detection: they neither accuse nor acquit more than a value somewhere below the limit can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tracing_worlds as worlds
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.observations import Observations
from suyuan.tracing.readings import LATENT_S, below_detection, blocks_of

HOUR = 3600.0


def censored(observations: Observations, limit: float, *, name: str = "NH3-N") -> Observations:
    """Return the readings as an instrument with this limit reports them."""
    below = (observations.determinand == name) & (observations.value < limit)
    return replace(
        observations,
        value=np.where(below, limit, observations.value),
        qualifier=np.where(below, "<", observations.qualifier),
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), limit=st.floats(1e-3, 1e3), size=st.integers(1, 40))
def test_a_hidden_value_lies_between_nothing_and_its_limit(seed, limit, size):
    rng = np.random.default_rng(seed)
    value = limit * np.exp(rng.standard_normal(size))
    is_below = value < limit
    given_value = np.where(is_below, limit, value)
    time, station = HOUR * np.arange(size), rng.choice(["S", "T"], size)
    latent, unsure = below_detection(given_value, is_below, time=time, station=station)
    assert (latent[is_below] > 0.0).all()
    assert (latent[is_below] < limit).all()
    assert (unsure[is_below] > 0.0).all()
    np.testing.assert_array_equal(latent[~is_below], value[~is_below])
    assert not unsure[~is_below].any()


def test_a_single_hidden_value_is_put_in_the_middle():
    # normal about half the limit, sd a quarter of it, cut off two sd to either side: sd 0.880 of that
    latent, unsure = below_detection(
        np.array([0.4]), np.array([True]), time=np.zeros(1), station=np.array(["S"])
    )
    assert latent[0] == pytest.approx(0.2, rel=1e-6)
    assert unsure[0] == pytest.approx(0.1 * 0.8796, rel=1e-3)


def test_hidden_values_in_a_high_river_lie_near_their_limit():
    value = np.array([0.2, *np.full(20, 1.0)])
    latent, _ = below_detection(value, value < 0.5, time=HOUR * np.arange(21.0), station=np.repeat("S", 21))
    assert 0.1 < latent[0] < 0.2


def test_hidden_values_of_the_same_hours_say_no_more_than_one():
    n = 13
    value, time = np.full(n, 0.4), np.zeros(n)
    _, unsure = below_detection(value, np.ones(n, bool), time=time, station=np.repeat("S", n))
    _, alone = below_detection(value[:1], np.ones(1, bool), time=time[:1], station=np.array(["S"]))
    mean_sd = np.sqrt((unsure**2).sum()) / n
    assert mean_sd == pytest.approx(alone[0], rel=1e-6)
    apart = (2.1 * LATENT_S) * np.arange(n)
    _, free = below_detection(value, np.ones(n, bool), time=apart, station=np.repeat("S", n))
    np.testing.assert_allclose(free, alone[0])


def test_readings_above_detection_keep_value_and_noise():
    world = worlds.meeting()
    observations = worlds.read(world, {"O1": (worlds.history(48, 6), worlds.rates("industrial", 3.0))})
    block = blocks_of(
        censored(observations, 1.2), world.matrix.receptors, substances=worlds.substances(("NH3-N",))
    )[0]
    seen = ~block.is_below
    assert 0 < seen.sum() < len(seen)
    np.testing.assert_array_equal(block.value[seen], observations.value[block.row[seen]])
    assert np.median(block.noise_sd[~seen]) > np.median(block.noise_sd[seen])


def test_a_reading_of_zero_is_not_trusted_without_end():
    world = worlds.meeting()
    observations = worlds.read(world, {})
    dry = replace(observations, value=np.where(observations.station == "S", 0.0, observations.value))
    for block in blocks_of(dry, world.matrix.receptors, substances=worlds.substances()):
        assert block.noise_sd.min() > 0.0


def test_a_fit_shows_the_limit_that_was_read():
    world = worlds.meeting()
    found = worlds.traced(world, censored(worlds.read(world, {}), 0.7))
    fit = next(f for f in found.fits if f.station == "T" and f.determinand == "NH3-N")
    assert fit.is_below.all()
    assert (fit.observed == 0.7).all()


def test_a_river_below_detection_everywhere_accuses_nobody():
    world = worlds.meeting()
    observations = worlds.read(world, {})
    for name in worlds.NAMES:
        observations = censored(observations, 10.0, name=name)
    assert (observations.qualifier == "<").all()
    found = worlds.traced(world, observations)
    assert found.no_source_probability > 0.8
    assert max(f.probability for f in found.findings) < 0.1


@pytest.mark.parametrize("names", [("NH3-N",), worlds.NAMES])
def test_a_small_plume_below_detection_accuses_nobody(names):
    # raises T from 0.5 to 0.8 where nothing below 2 is seen; other substances are left out or hidden as well
    world = worlds.meeting()
    observations = worlds.read(world, {"O1": (worlds.history(48, 6), worlds.rates("industrial", 0.3))})
    for name, limit in zip(worlds.NAMES, (2.0, 0.5, 20.0), strict=True):
        observations = censored(observations, limit, name=name)
    assert (observations.qualifier == "<").all()
    found = worlds.traced(world, observations, names=names)
    assert found.no_source_probability > 0.5
    assert max(f.probability for f in found.findings) < 0.3


def test_a_plume_above_detection_is_found_though_the_river_is_not_seen():
    world = worlds.meeting()
    observations = worlds.read(world, {"O1": (worlds.history(48, 6), worlds.rates("industrial", 3.0))})
    hidden = censored(observations, 1.2)
    below = hidden.qualifier[hidden.determinand == "NH3-N"] == "<"
    assert below.mean() > 0.8
    found = worlds.traced(world, hidden)
    assert found.findings[0].candidate.id == "O1"
    assert found.findings[0].mass_kg.q05 < 64.8 < found.findings[0].mass_kg.q95
    assert found.no_source_probability < 0.05
