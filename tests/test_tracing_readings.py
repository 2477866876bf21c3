"""Readings at the ends of the range: of 0, where an instrument mostly says 0 or nothing else, and above the highest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.errors import InputError
from suyuan.observations import Observations
from suyuan.tracing.readings import blocks_of
from suyuan.tracing.result import Trace

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


def _with_kits(world: worlds.World, seen: Observations, *, limit: float, count: int) -> Observations:
    """Return what S reads, and at T in the plume only `count` kits, an hour apart, that say yes from the limit on."""
    in_plume = (seen.station == "T") & (seen.determinand == "NH3-N") & (seen.value > 2.4)
    kits = np.flatnonzero(in_plume)[:count]
    assert len(kits) == count
    kept = seen.station == "S"
    kept[kits] = True
    is_kit = seen.station == "T"
    value, qualifier = np.where(is_kit, limit, seen.value), np.where(is_kit, ">", seen.qualifier)
    return replace(seen, value=value, qualifier=qualifier).where(kept)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("limit", [0.5, 1.0])
def test_kits_that_say_yes_do_not_turn_against_a_plume_far_above_their_limit(limit: float, count: int):
    """The river brings 0.5 to T and O1 adds 2.2; traced as exactly 0.5, three kits leave O1 less than 1 %."""
    world = worlds.meeting()
    seen = worlds.read(world, {"O1": (worlds.history(48, 6), worlds.rates("industrial", 2.2))})
    kits = _with_kits(world, seen, limit=limit, count=count)
    found = worlds.traced(world, kits)
    exact = worlds.traced(world, replace(kits, qualifier=np.full(len(kits), "")))
    alone = worlds.traced(world, seen.where(seen.station == "S"))
    assert found.findings[0].candidate.id == "O1"
    assert _probability(found, "O1") > 0.9 * _probability(alone, "O1")
    assert _probability(found, "O1") > 1.2 * _probability(exact, "O1")


def _probability(found: Trace, candidate: str) -> float:
    return next(f.probability for f in found.findings if f.candidate.id == candidate)


def test_a_reading_above_the_range_is_not_what_its_noise_is_judged_by():
    world = worlds.meeting()
    seen = worlds.read(world, {})
    row = np.flatnonzero((seen.determinand == "TP") & (seen.station == "T"))[10]
    high = replace(seen, qualifier=np.where(np.arange(len(seen)) == row, ">", seen.qualifier))
    blocks = [
        blocks_of(each, world.matrix.receptors, substances=worlds.substances(("TP",)))[0]
        for each in (seen, high)
    ]
    at = np.flatnonzero(blocks[1].row == row)[0]
    assert blocks[1].value[at] == pytest.approx(3.0 * seen.value[row])
    assert blocks[1].noise_sd[at] == pytest.approx(2.0 * seen.value[row])
    others = np.arange(len(blocks[0].row)) != at
    np.testing.assert_allclose(blocks[1].value[others], blocks[0].value[others])
    np.testing.assert_allclose(blocks[1].noise_sd[others], blocks[0].noise_sd[others], rtol=0.2)
