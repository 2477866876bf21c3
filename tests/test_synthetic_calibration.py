"""What calibration asks of invented events: anyone may release, counties of a size, dead zones that keep mass."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.network import Network, Node, Reach
from suyuan.synthetic import CountySize, DeadZones, Family, draw_county, draw_event
from suyuan.synthetic.forcing import START, Weather, draw_forcing
from suyuan.synthetic.quality import PointSource, simulate
from suyuan.synthetic.releases import BOUNDARY, UNLISTED, Scene, places_of_anyone
from suyuan.synthetic.water import run_water
from suyuan.synthetic.waters import draw_noise
from suyuan.tracing.prior import default_prior

STILL = DeadZones(share=0.25, per_s=5e-5)
SMALL = CountySize(columns=5, loops=0, gates=0, side_canals=4, sewers=2, outfalls=10, stations=2)


def dice(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def tidal() -> tuple[Network, FlowField]:
    county = draw_county(dice(), CountySize(6, 2, 1, 4, 2, 12, 2))
    return county, run_water(county, draw_forcing(county, dice(), weather=Weather(days=5, tide=2.0)))


# --- dead zones ---


def test_dead_zones_lose_no_mass_when_canals_turn(tidal: tuple[Network, FlowField]):
    network, flow = tidal
    source = PointSource("R3", 200.0, np.full((120, 1), 2.0))
    waters = simulate(
        network,
        flow,
        inflowing=np.full((120, len(network.nodes), 1), 0.4),
        sources=(source,),
        decay_per_s=np.array([0.1 / 86400.0]),
        dead_zones=STILL,
    )
    accounted = waters.left + waters.decayed + waters.held_last - waters.held_first
    assert accounted == pytest.approx(waters.entered, rel=1e-12)
    assert waters.concentration.min() >= 0.0


def test_dead_zones_leave_water_alone_that_is_the_same_everywhere(tidal: tuple[Network, FlowField]):
    network, flow = tidal
    inflowing = np.full((120, len(network.nodes), 1), 0.4)
    waters = simulate(network, flow, inflowing=inflowing, decay_per_s=np.zeros(1), dead_zones=STILL)
    np.testing.assert_allclose(waters.concentration, 0.4, rtol=1e-12)


def straight(hours: int = 240) -> tuple[Network, FlowField]:
    """Return 5 km of canal, 50 cells of 1,000 m3 each, 2 m3/s."""
    network = Network(
        (Node("A", "boundary"), Node("B", "outlet")),
        (Reach("R1", "A", "B", 5000.0, width_m=10.0, depth_m=1.0),),
    )
    steady, volume = np.full((hours, 1), 2.0), np.full((hours + 1, 1), 50000.0)
    return network, FlowField(START, 3600.0 * np.arange(hours + 1.0), ("R1",), steady, steady, volume)


def passage(dead_zones: DeadZones | None) -> tuple[float, float]:
    """Return the mass [g] that passes 4,050 m and the mean time [s] at which it does, of 3,600 g in hour 0 at 50 m."""
    network, flow = straight()
    rate = np.zeros((240, 1))
    rate[0] = 1.0
    waters = simulate(
        network,
        flow,
        inflowing=np.zeros((240, 2, 1)),
        sources=(PointSource("R1", 50.0, rate),),
        decay_per_s=np.zeros(1),
        dead_zones=dead_zones,
    )
    load = 2.0 * waters.at(network, ("R1", 4050.0))[:, 0]
    return float(load.sum()) * 3600.0, float(load @ (3600.0 * np.arange(241.0)) / load.sum())


def test_a_cloud_takes_longer_by_the_share_of_still_water_and_arrives_whole():
    # mean residence in canal and dead zones is (1 + share) V / Q whatever the exchange (Nordin and Troutman 1980)
    mass, late = passage(STILL)
    _, early = passage(None)
    middle_of_release = 1800.0
    assert mass == pytest.approx(3600.0, rel=1e-3)
    assert (late - middle_of_release) / (early - middle_of_release) == pytest.approx(1.25, rel=0.01)


def test_sewers_have_no_dead_zones():
    network, flow = straight()
    sewer = replace(network, reaches=(replace(network.reaches[0], kind="storm_sewer"),))
    inflowing = np.zeros((240, 2, 1))
    inflowing[30:] = 1.0
    with_zones, without = (
        simulate(sewer, flow, inflowing=inflowing, decay_per_s=np.zeros(1), dead_zones=zones)
        for zones in (STILL, None)
    )
    np.testing.assert_array_equal(with_zones.concentration, without.concentration)


@pytest.mark.parametrize(("share", "per_s"), [(0.0, 1e-5), (0.3, -1e-5), (np.nan, 1e-5), (0.3, np.inf)])
def test_a_dead_zone_without_water_or_exchange_is_refused(share: float, per_s: float):
    with pytest.raises(InputError, match="do not make a dead zone"):
        DeadZones(share, per_s)


# --- who releases ---


def test_the_tracer_thinks_of_more_unlisted_sources_than_are_drawn_and_else_of_as_many():
    default = {name: p.default for name, p in inspect.signature(default_prior).parameters.items()}
    assert default["unlisted"] == 0.3 > UNLISTED  # decision 038
    assert default["boundary"] == BOUNDARY


def test_anyone_is_listed_unlisted_or_at_a_boundary_as_often_as_the_prior_says(
    tidal: tuple[Network, FlowField],
):
    network, flow = tidal
    heavy = replace(network.outfalls[0], prior_weight=5.0)
    weighted = replace(network, outfalls=(heavy, *network.outfalls[1:]))
    places = places_of_anyone(Scene(weighted, flow, 0.0, draw_noise(dice())), dice(), count=4000)
    kinds = Counter(p.kind for p in places)
    # binomial: four standard errors are 0.021 and less
    assert kinds["unlisted"] / 4000 == pytest.approx(UNLISTED, abs=0.022)
    assert kinds["boundary"] / 4000 == pytest.approx(BOUNDARY, abs=0.022)
    listed = Counter(p.id for p in places if p.kind == "outfall")
    assert listed["O1"] / kinds["outfall"] == pytest.approx(5.0 / 16.0, abs=0.035)
    longest = max(network.reaches, key=lambda r: r.length_m)
    share = sum(p.reach == longest.id for p in places if p.kind == "unlisted") / kinds["unlisted"]
    assert share == pytest.approx(longest.length_m / sum(r.length_m for r in network.reaches), abs=0.06)
    largest = flow.boundaries[int(np.argmax(flow.inflow.mean(axis=0)))]
    share = sum(p.id == largest for p in places if p.kind == "boundary") / kinds["boundary"]
    assert share == pytest.approx(
        float(flow.inflow.mean(axis=0).max() / flow.inflow.mean(axis=0).sum()), abs=0.09
    )


def test_an_unlisted_place_lies_on_its_reach_and_is_nobodys_outfall(tidal: tuple[Network, FlowField]):
    network, flow = tidal
    places = places_of_anyone(Scene(network, flow, 0.0, draw_noise(dice())), dice(), count=400)
    unlisted = [p for p in places if p.kind == "unlisted"]
    assert unlisted
    for place in unlisted:
        assert 0.0 <= place.chainage_m <= network.reach(place.reach).length_m
        assert place.candidate == f"reach:{place.reach}"
        assert place.id not in {o.id for o in network.outfalls}


def test_two_that_release_are_two_candidates_and_all_outfalls_stay_listed():
    family = Family("anyone", pool="anyone", releases=2, days=9, every_h=4)
    for seed in range(4):
        event = draw_event(dice(seed), family=family, size=SMALL)
        assert len({event.truth.candidate(r) for r in event.truth.releases}) == 2
        assert event.network.outfalls == event.truth.network.outfalls


# --- a family and a size of one's own ---


def test_a_county_of_a_given_size_and_family_is_as_asked():
    family = Family("mine", pool="anyone", days=9, every_h=4, tide=(0.02, 0.2))
    event = draw_event(dice(3), family=family, size=SMALL)
    nodes, canals = set(), [r for r in event.network.reaches if r.kind == "canal"]
    for reach in canals:
        nodes |= {reach.from_node, reach.to_node}
    assert len(canals) == len(nodes) - 1  # a tree
    assert (len(event.network.outfalls), len(event.network.stations)) == (10, 2)
    assert event.truth.family == "mine"
    assert (event.until - event.since) / np.timedelta64(1, "h") == 120.0
    hours = (event.observations.time - event.since) / np.timedelta64(1, "h")
    assert not (hours % 4).any()


def test_dead_zones_of_a_family_reach_the_readings():
    family = Family("mine", releases=0, days=9, every_h=4)
    calm = draw_event(dice(3), family=family, size=SMALL)
    still = draw_event(dice(3), family=replace(family, dead_zones=STILL), size=SMALL)
    assert calm.network == still.network
    assert np.abs(calm.truth.waters.concentration - still.truth.waters.concentration).max() > 0.01


def test_a_metre_of_sewer_has_as_many_more_outfalls_as_it_pulls():
    def odds(pull: float) -> tuple[float, float]:
        """Return outfalls in sewers per one in canals, and metres of sewer per metre of canal where outfalls may be."""
        counties = [draw_county(dice(s), replace(SMALL, outfalls=6, sewer_pull=pull)) for s in range(60)]
        sewer = [c.reach(o.reach).kind == "storm_sewer" for c in counties for o in c.outfalls]
        lengths = [(r.kind == "storm_sewer", r.length_m) for c in counties for r in c.reaches]
        metres = [sum(length for is_sewer, length in lengths if is_sewer is kind) for kind in (True, False)]
        return sum(sewer) / (len(sewer) - sum(sewer)), metres[0] / metres[1]

    for pull in (1.0, 5.0):  # few outfalls: further ones are crowded out where they would lie within 100 m
        outfalls, metres = odds(pull)
        # 360 outfalls, some 50 to 150 of them in sewers: standard error of the log odds 0.11 to 0.15
        assert np.log(outfalls / metres / pull) == pytest.approx(0.0, abs=0.45)


def test_a_flow_too_short_for_a_release_is_refused():
    with pytest.raises(InputError, match=r"family 'mine'.*8 days.*at least 9 days"):
        Family("mine", days=8)
