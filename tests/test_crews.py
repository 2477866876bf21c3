"""Crews on the road: what can be reached, what it costs, and that more crews never learn less."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import confluence, single_reach

from suyuan.errors import InputError
from suyuan.network import Network, Node, Outfall, Reach
from suyuan.tracing.crews import Budget, Option, Plan, Prices, Road, Terms, plan
from suyuan.tracing.next_sample import YesNo, hypotheses_of
from suyuan.tracing.places import Place, outfall_named, place_named, road_distances, sampling_places

HOUR = 3600.0
LINE = 6000.0 * np.abs(np.arange(5.0)[:, None] - np.arange(5.0)[None, :])
"""Five places in a row, 6 km apart: 12 minutes at 30 km/h."""

EIGHT = hypotheses_of([f"O{i}" for i in range(8)], is_sampled=False)


def _option(place: int, hour: float, *, shift: int = 0, price: float = 30.0) -> Option:
    return Option(place, HOUR * hour, "kit", price, shift=shift)


def _kit(rng: np.random.Generator) -> YesNo:
    return YesNo(np.where(rng.random(8) < 0.5, 0.95, 0.03))


def _planned(options: list[Option], *, crews: int = 1, road: Road | None = None, **terms) -> Plan:
    rng = np.random.default_rng(5)
    outcomes = [_kit(rng) for _ in options]
    return plan(
        options,
        outcomes,
        hypotheses=EIGHT,
        road=road or Road(LINE),
        prices=Prices(),
        terms=Terms(crews, **terms),
    )


def test_twelve_minutes_of_road_and_fifteen_at_the_stop_do_not_fit_in_twenty():
    road = Road(LINE)
    assert road.travel_s(0, 1) == pytest.approx(720.0)
    assert not road.can_reach((_option(0, 1.0), _option(1, 1.0 + 20.0 / 60.0)))
    assert road.can_reach((_option(0, 1.0), _option(1, 1.0 + 28.0 / 60.0)))


def test_a_crew_that_starts_at_its_base_needs_time_to_the_first_stop():
    road = Road(LINE, base=4, now_s=0.0)  # 48 minutes to place 0
    assert not road.can_reach((_option(0, 0.5),))
    assert road.can_reach((_option(0, 1.0),))
    assert road.duty_s((_option(0, 1.0),)) == pytest.approx(900.0 + 2.0 * 2880.0)


def test_waiting_counts_as_duty_but_the_night_between_two_shifts_does_not():
    road = Road(LINE)
    first = _option(0, 10.0)
    assert road.duty_s((first, _option(1, 14.0))) == pytest.approx(4.0 * HOUR + 900.0)
    assert road.duty_s((first, _option(1, 32.0, shift=1))) == pytest.approx(900.0 + 720.0 + 900.0)


def test_every_route_can_be_driven_and_no_place_is_visited_twice():
    options = [_option(p, h) for p in range(5) for h in (1.0, 1.4, 2.0, 2.3, 3.0)]
    found = _planned(options, crews=3)
    assert len(found.choices) == 5
    assert len({options[c.option].place for c in found.choices}) == 5
    for crew in range(3):
        times = sorted(
            (options[c.option] for c in found.choices if c.crew == crew), key=lambda option: option.time_s
        )
        for a, b in pairwise(times):
            assert b.time_s - a.time_s >= 900.0 + abs(a.place - b.place) * 720.0


def test_a_budget_of_hours_ends_the_day():
    options = [_option(p, 1.0 + p) for p in range(5)]
    short = _planned(options, budget=Budget(crew_s=2.5 * HOUR), road=Road(LINE, stops=5))
    times = sorted(options[c.option].time_s for c in short.choices)
    assert times[-1] - times[0] + 900.0 <= 2.5 * HOUR
    assert len(short.choices) < len(_planned(options, road=Road(LINE, stops=5)).choices)


def test_a_budget_of_money_is_not_overspent():
    options = [_option(p, 1.0 + p, price=100.0) for p in range(5)]
    found = _planned(options, budget=Budget(money=500.0), road=Road(LINE, stops=5))
    route = [options[c.option] for c in found.choices]
    route.sort(key=lambda option: option.time_s)
    assert 100.0 * len(route) + 200.0 * Road(LINE).duty_s(route) / HOUR <= 500.0
    assert route


def test_the_same_knowledge_is_bought_where_it_is_cheap_and_early():
    options = [_option(0, 9.0), _option(0, 2.0), _option(0, 2.0, price=90.0)]
    kit = YesNo(np.array([0.95] * 4 + [0.03] * 4))
    found = plan(options, [kit] * 3, hypotheses=EIGHT, road=Road(LINE), prices=Prices(), terms=Terms())
    assert [c.option for c in found.choices] == [1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_another_crew_never_lowers_what_is_learned(seed: int):
    rng = np.random.default_rng(seed)
    options = [_option(int(rng.integers(5)), float(rng.uniform(1.0, 6.0))) for _ in range(12)]
    outcomes = [_kit(rng) for _ in options]
    gains = [
        plan(
            options,
            outcomes,
            hypotheses=EIGHT,
            road=Road(LINE, stops=2),
            prices=Prices(),
            terms=Terms(crews),
        ).gain
        for crews in (1, 2, 3)
    ]
    assert gains[0] <= gains[1] <= gains[2] <= 3.0 + 1e-9
    assert all(gain >= 0.0 for gain in gains)


def _canal(*, is_drawn: bool) -> Network:
    points = [(0.0, 0.0), (3000.0, 4000.0)] if is_drawn else [None, None]
    nodes = (Node("A", "boundary", point=points[0]), Node("B", "outlet", point=points[1]))
    outfalls = (Outfall("O1", "R", 1000.0), Outfall("O2", "R", 3000.0, name="染厂"))
    return Network(nodes, (Reach("R", "A", "B", 5000.0),), outfalls)


def test_open_water_is_sampled_between_outfalls_and_outfalls_at_their_mouths():
    places = sampling_places(_canal(is_drawn=True))
    assert [(p.id, p.kind) for p in places] == [
        ("R+500", "river"),
        ("R+2000", "river"),
        ("R+4000", "river"),
        ("O1", "mouth"),
        ("O2", "mouth"),
    ]


def test_pipes_are_sampled_at_their_manholes_only():
    network = _canal(is_drawn=True)
    pipe = replace(network, reaches=(replace(network.reaches[0], kind="storm_sewer"),))
    assert [(p.id, p.kind) for p in sampling_places(pipe)][:2] == [("R+0", "manhole"), ("R+5000", "manhole")]


def test_roads_are_longer_than_the_straight_line():
    places = (Place("R+0", "river", "R", 0.0), Place("R+5000", "river", "R", 5000.0))
    far = road_distances(_canal(is_drawn=True), places, road_factor=1.4)
    assert far == pytest.approx(np.array([[0.0, 7000.0], [7000.0, 0.0]]))


def test_degrees_become_metres():
    network = replace(
        _canal(is_drawn=True),
        crs="EPSG:4490",
        nodes=(Node("A", "boundary", point=(120.0, 31.0)), Node("B", "outlet", point=(120.0, 31.01))),
    )
    places = (Place("R+0", "river", "R", 0.0), Place("R+5000", "river", "R", 5000.0))
    assert road_distances(network, places, road_factor=1.0)[0, 1] == pytest.approx(1113.2)


def test_a_network_that_is_not_drawn_is_travelled_along_its_water():
    network, _ = confluence()
    places = tuple(
        Place(f"{r}+{x}", "river", r, x) for r, x in (("RA", 500.0), ("RB", 2000.0), ("RA", 900.0))
    )
    way = road_distances(network, places, road_factor=1.4)
    assert way[0, 1] == pytest.approx(1000.0 + 100.0)
    assert way[0, 2] == pytest.approx(400.0)


def test_metres_along_a_reach_are_a_place():
    network, _ = single_reach()
    assert place_named(network, "R+1200").chainage_m == 1200.0
    assert place_named(_canal(is_drawn=True), "O2").kind == "mouth"
    assert outfall_named(_canal(is_drawn=True), "染厂") == "O2"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Terms(0), "0 crews"),
        (lambda: Budget(money=0.0), "budget of 0"),
        (lambda: Prices(crew_h=-1.0), "-1"),
        (lambda: Road(LINE, speed=0.0), "speed 0"),
        (lambda: place_named(single_reach()[0], "R+4001"), "beyond the end"),
        (lambda: place_named(single_reach()[0], "Q+10"), "'Q\\+10' is not in the network"),
        (lambda: outfall_named(_canal(is_drawn=True), "O3"), "known are: O1, O2"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_value(make, said: str):
    with pytest.raises(InputError, match=said):
        make()
