"""Readings of 0: an instrument that mostly says 0 still says something, and one that says nothing else is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.errors import InputError
from suyuan.observations import Observations
from suyuan.tracing.readings import blocks_of

PULSE = {"O1": (worlds.history(48, 6), worlds.rates("industrial", 3.0))}


def with_readings(observations: Observations, name: str, value: np.ndarray) -> Observations:
    """Return the readings with others of this determinand; `value` (reading,) counts where it is read."""
    return replace(observations, value=np.where(observations.determinand == name, value, observations.value))


def test_a_river_that_mostly_reads_0_is_traced():
    """The river brings no NH3-N, and what the plume brings is written in steps of 0.1 mg/L."""
    world = worlds.meeting()
    plume = worlds.read(world, PULSE, noise=0.0).value - worlds.read(world, {}, noise=0.0).value
    seen = with_readings(worlds.read(world, PULSE), "NH3-N", np.round(plume, 1))
    here = seen.determinand == "NH3-N"
    assert np.median(seen.value[here]) == 0.0 < seen.value[here].max()
    block = blocks_of(seen, world.matrix.receptors, substances=worlds.substances(("NH3-N",)))[0]
    assert block.level == pytest.approx(0.1)
    assert block.noise_sd.min() == pytest.approx(0.1 / np.sqrt(12.0))
    found = worlds.traced(world, seen)
    assert found.findings[0].candidate.id == "O1"
    assert found.no_source_probability < 0.01


def test_a_substance_that_only_reads_0_is_left_out_and_named():
    world = worlds.meeting()
    seen = with_readings(worlds.read(world, PULSE), "TP", np.zeros(len(world.observations)))
    found = worlds.traced(world, seen)
    without = worlds.traced(world, seen, names=("NH3-N", "CODMn"))
    assert "No usable reading above 0 of TP: not used." in map(str, found.notes)
    assert found.ranking().equals(without.ranking())


def test_a_determinand_to_be_traced_that_only_reads_0_is_refused():
    world = worlds.meeting()
    seen = with_readings(worlds.read(world, {}), "NH3-N", np.zeros(len(world.observations)))
    with pytest.raises(InputError, match=r"no usable reading of NH3-N.* above 0 among 146; choose another"):
        worlds.traced(world, seen)


def test_readings_above_0_keep_their_noise():
    world = worlds.meeting()
    seen = worlds.read(world, {})
    block = blocks_of(seen, world.matrix.receptors, substances=worlds.substances(("TP",)))[0]
    assert block.level == pytest.approx(np.median(block.value))
    assert block.noise_sd.min() < 0.05 * block.level
