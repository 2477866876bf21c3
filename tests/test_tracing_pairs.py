"""Who is weighed in pairs, and what is believed of the hours at which daily releases begin."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import tracing_worlds as worlds

from suyuan.tracing.posterior import problem_of
from suyuan.tracing.scenes import scene_of_two
from suyuan.tracing.search import Problem
from suyuan.tracing.shapes import Nights


def problem(*releases: str, zone: str = "") -> Problem:
    world, kinds = worlds.meeting(), {"O1": "industrial", "O2": "domestic"}
    released = {
        name: (worlds.history(40 + 6 * k, 8), worlds.rates(kinds[name], 3.0))
        for k, name in enumerate(releases)
    }
    nights = Nights(0.8, ZoneInfo(zone)) if zone else None
    return problem_of(
        worlds.read(world, released),
        (world.matrix,),
        substances=worlds.substances(),
        fingerprints=worlds.FINGERPRINTS,
        prior=replace(world.prior, nights=nights),
    )


@pytest.mark.parametrize(("zone", "hours"), [("Asia/Shanghai", 8), ("UTC", 0)])
def test_bins_begin_when_clocks_of_the_zone_say(zone: str, hours: int):
    given = problem("O1", zone=zone)
    shapes, matrix = given.grid.shapes, given.matrices[0]
    daily = np.flatnonzero(shapes.repeats > 1)
    begin = matrix.start + matrix.edges[shapes.start[daily]].astype("timedelta64[s]")
    hour = (begin - begin.astype("datetime64[D]")) / np.timedelta64(3600, "s") + hours
    at_night = (hour % 24 >= 18) | (hour % 24 < 4)
    share = np.bincount(shapes.start[daily], np.exp(shapes.log_prior[daily]))[shapes.start[daily]]
    assert share[at_night].min() == pytest.approx(share[at_night].max())
    assert share[~at_night].min() == pytest.approx(share[~at_night].max())
    assert share[at_night][0] / share[~at_night][0] == pytest.approx((0.8 / 10) / (0.2 / 14))


def test_of_two_that_released_both_lead_and_everybody_who_shows_is_weighed_beside_them():
    given = problem("O1", "O2")
    scene = scene_of_two(given)
    names = np.array([source.candidate for source in given.matrices[0].sources])
    one, other = names[scene.first.source], names[scene.second.source]
    assert np.all(one != other)
    best = int(np.argmax(scene.first.log_weight))
    assert {one[best], other[best]} == {"O1", "O2"}
    assert {"O1", "O2", "O3", "boundary:A", "boundary:B"} <= {*one, *other}
    assert scene.first.log_evidence > scene.single.log_evidence + 10.0
