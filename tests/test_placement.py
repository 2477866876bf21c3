"""Where to put stations: worth that grows ever more slowly, choices that hold what they promise, rivers done by hand."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr
from typer.testing import CliRunner, Result

from suyuan.cli import app
from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.io.flow import read_flow
from suyuan.io.flow_members import write_flow_members
from suyuan.io.places import read_places, written_places
from suyuan.io.project import read_project
from suyuan.network import Network, Node, Outfall, Reach, Station
from suyuan.place_run import PlaceAsk, asked_places, looks_of, place_folder, place_stations, trial_of
from suyuan.plot import placement_map
from suyuan.tracing.members import FlowMember
from suyuan.tracing.placement.choose import choose, exchanged, greedy, substitutes
from suyuan.tracing.placement.places import Places, default_places, places_of
from suyuan.tracing.placement.responses import (
    Sight,
    TrialRelease,
    imagined_sources,
    release_bins,
    sight_of,
    table_of,
    usual_discharge,
    window_of,
)
from suyuan.tracing.placement.result import Placement
from suyuan.tracing.placement.worth import ImpactTable, SeenAndApart, Worth, best_of, total
from suyuan.tracing.prior import Prior, default_prior
from suyuan.transport.matrix import Source
from suyuan.transport.operator import compile_operator

sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks.placement import NET3, PUBLISHED, PUBLISHED_SENSORS, by_integer_programming, read_impact

Array = NDArray[np.float64]
INTEGERS = st.integers(0, 2**32 - 1)


def _impacts(seed: int) -> ImpactTable:
    """Return a random table of up to nine places, ties and scenarios that nobody detects included."""
    rng = np.random.default_rng(seed)
    scenarios, places = int(rng.integers(1, 14)), int(rng.integers(2, 10))
    undetected = rng.integers(0, 21, scenarios).astype(float)
    impact = rng.integers(0, 25, (scenarios, places)).astype(float)
    impact[rng.random(impact.shape) < 0.4] = np.nan
    return ImpactTable(impact, undetected, rng.random(scenarios) + 0.01)


def _seen_and_apart(seed: int) -> SeenAndApart:
    rng = np.random.default_rng(seed)
    looks, sources, places = int(rng.integers(1, 4)), int(rng.integers(2, 7)), int(rng.integers(2, 8))
    hours = np.where(
        rng.random((looks, sources, places)) < 0.3, 48.0, rng.uniform(0.0, 48.0, (looks, sources, places))
    )
    weight = rng.random(sources) + 0.01
    return SeenAndApart(
        hours=hours,
        shows=rng.random((sources, places)),
        weight_of=weight / weight.sum(),
        candidate=rng.integers(0, 4, sources),
        horizon_h=48.0,
        apart_share=float(rng.random()),
    )  # fmt: skip


def _worth(table: Worth, chosen: tuple[int, ...]) -> float:
    return total(table.weight, best_of(table, chosen))


def _optimum(table: Worth, count: int, *, kept: tuple[int, ...] = ()) -> float:
    free = [j for j in range(table.places) if j not in kept]
    return max(_worth(table, (*kept, *chosen)) for chosen in combinations(free, count))


TABLES = st.one_of(INTEGERS.map(_impacts), INTEGERS.map(_seen_and_apart))


@settings(max_examples=150, deadline=None)
@given(TABLES, INTEGERS)
def test_another_station_never_harms_and_adds_the_less_the_more_there_are(table: Worth, seed: int):
    rng = np.random.default_rng(seed)
    order = rng.permutation(table.places).tolist()
    new, rest = order[0], order[1:]
    few = tuple(rest[: int(rng.integers(0, len(rest) + 1))])
    many = (*few, *rest[len(few) : int(rng.integers(len(few), len(rest) + 1))])
    to_few = _worth(table, (*few, new)) - _worth(table, few)
    to_many = _worth(table, (*many, new)) - _worth(table, many)
    assert to_few >= to_many - 1e-12
    assert to_many >= -1e-12


@settings(max_examples=150, deadline=None)
@given(TABLES, INTEGERS)
def test_greedy_keeps_its_guarantee_and_no_choice_exceeds_the_bound(table: Worth, seed: int):
    rng = np.random.default_rng(seed)
    kept = tuple(rng.permutation(table.places)[: int(rng.integers(0, 2))].tolist())
    count = int(rng.integers(1, table.places - len(kept) + 1))
    found, best = greedy(table, count, kept=kept), _optimum(table, count, kept=kept)
    base = _worth(table, kept)
    assert found.worth[0] == pytest.approx(base)
    assert found.worth[-1] - base >= (1.0 - (1.0 - 1.0 / count) ** count) * (best - base) - 1e-9
    assert found.bound >= best - 1e-9
    assert len({*found.chosen, *kept}) == count + len(kept)


@settings(max_examples=100, deadline=None)
@given(TABLES, INTEGERS)
def test_greedy_takes_what_adds_most_each_time(table: Worth, seed: int):
    count = 1 + seed % table.places
    found = greedy(table, count)
    for n, place in enumerate(found.chosen):
        gains = [_worth(table, (*found.chosen[:n], j)) for j in range(table.places)]
        assert _worth(table, found.chosen[: n + 1]) >= max(gains) - 1e-9, place


@settings(max_examples=150, deadline=None)
@given(TABLES, INTEGERS)
def test_search_finds_the_best_of_all_choices_and_knows_it(table: Worth, seed: int):
    rng = np.random.default_rng(seed)
    kept = tuple(rng.permutation(table.places)[: int(rng.integers(0, 2))].tolist())
    count = int(rng.integers(1, table.places - len(kept) + 1))
    found = choose(table, count, kept=kept)
    assert found.worth[-1] == pytest.approx(_optimum(table, count, kept=kept), abs=1e-9)
    assert _worth(table, (*kept, *found.chosen)) == pytest.approx(found.worth[-1], abs=1e-12)
    assert found.is_best
    assert not set(found.chosen) & set(kept)


@settings(max_examples=60, deadline=None)
@given(TABLES, INTEGERS)
def test_without_effort_the_bound_still_holds_and_the_share_assured_is_true(table: Worth, seed: int):
    count = 1 + seed % table.places
    found, best = choose(table, count, effort=0.0), _optimum(table, count)
    assert found.bound >= best - 1e-9
    assert found.worth[-1] >= found.assured * best - 1e-9
    if found.is_best:
        assert found.worth[-1] == pytest.approx(best, rel=1e-5, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(TABLES, INTEGERS)
def test_no_exchange_of_one_station_is_left_that_gains(table: Worth, seed: int):
    count = 1 + seed % (table.places - 1)
    start = tuple(np.random.default_rng(seed).permutation(table.places)[:count].tolist())
    chosen = exchanged(table, start)
    worth = _worth(table, chosen)
    assert worth >= _worth(table, start) - 1e-12
    for leaves in chosen:
        for enters in set(range(table.places)) - set(chosen):
            assert _worth(table, (*set(chosen) - {leaves}, enters)) <= worth + 1e-9


@settings(max_examples=30, deadline=None)
@given(TABLES, INTEGERS)
def test_integer_programming_comes_to_the_same_worth(table: Worth, seed: int):
    count = 1 + seed % table.places
    if max(float(table.column(j).max()) for j in range(table.places)) <= 0.0:
        return
    chosen = by_integer_programming(table, count)
    assert choose(table, count).worth[-1] == pytest.approx(_worth(table, chosen), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(TABLES, INTEGERS)
def test_a_substitute_is_the_best_other_place_and_costs_what_is_said(table: Worth, seed: int):
    count = 1 + seed % (table.places - 1)
    choice = choose(table, count)
    outside = set(range(table.places)) - set(choice.chosen)
    for place, (other, cost) in zip(choice.chosen, substitutes(table, choice), strict=True):
        rest = tuple(set(choice.chosen) - {place})
        best = max(_worth(table, (*rest, j)) for j in outside)
        assert _worth(table, (*rest, other)) == pytest.approx(best, abs=1e-9)
        assert cost == pytest.approx(choice.worth[-1] - best, abs=1e-9)


def test_mean_impact_is_that_of_the_first_to_detect():
    table = ImpactTable(np.array([[4.0, 1.0], [np.nan, 8.0], [np.nan, np.nan]]), np.array([9.0, 9.0, 3.0]))
    assert table.mean_impact([]) == pytest.approx((9 + 9 + 3) / 3)
    assert table.mean_impact([0]) == pytest.approx((4 + 9 + 3) / 3)
    assert table.mean_impact([0, 1]) == pytest.approx((1 + 8 + 3) / 3)
    assert table.mean_impact([]) - table.mean_impact([0, 1]) == pytest.approx(_worth(table, (0, 1)))


@pytest.mark.skipif(
    not NET3.exists(), reason="the Net3 impact table is not beside the repository (../shared/data)"
)
def test_net3_five_sensors_reach_the_published_optimum():
    table, locations = read_impact(NET3)
    found = choose(table, 5)
    assert table.mean_impact(found.chosen) == pytest.approx(PUBLISHED, abs=0.01)
    assert tuple(sorted(locations[list(found.chosen)].tolist())) == PUBLISHED_SENSORS
    assert found.is_best


def test_two_sources_are_told_apart_by_the_place_whose_chance_differs_most():
    # Places: below both (0.9, 0.9), below the first only (0.8, 0.1), below neither.
    shows = np.array([[0.9, 0.8, 0.0], [0.9, 0.1, 0.0]])
    table = SeenAndApart(
        np.full((1, 2, 3), 48.0), shows, np.array([0.5, 0.5]), np.array([0, 1]), 48.0, apart_share=1.0
    )
    assert table.apart([0]) == 0.0
    assert table.apart([1, 2]) == pytest.approx(0.7)
    assert choose(table, 1).chosen == (1,)


def test_points_of_one_stretch_need_not_be_told_apart():
    table = SeenAndApart(
        np.full((1, 2, 1), 48.0), np.array([[1.0], [0.0]]), np.array([0.5, 0.5]), np.array([3, 3]), 48.0
    )
    assert table.apart([0]) == 0.0


def test_unseen_releases_count_as_the_horizon():
    hours = np.array([[[6.0, 48.0], [48.0, 48.0]]])
    table = SeenAndApart(hours, np.zeros((2, 2)), np.array([0.75, 0.25]), np.array([0, 1]), 48.0)
    assert table.mean_hours([0, 1]) == pytest.approx(0.75 * 6.0 + 0.25 * 48.0)
    assert table.seen([0, 1]) == pytest.approx(0.75)
    assert table.seen([]) == 0.0


def _sight(
    network: Network,
    flow: BalancedFlow,
    *,
    places: tuple[Station, ...],
    sources: tuple[Source, ...],
    test: TrialRelease,
) -> Sight:
    return sight_of(compile_operator(network, flow), places=places, sources=sources, test=test)


def test_a_release_is_first_read_at_the_full_hour_after_its_front_arrives():
    # 0.3 m/s: 900 m take 50 min, 2700 m take 2.5 h; of what is let in at 3300 m only exp(-500 / 50) creeps up to 2800 m,
    # with D / u = 50 m.
    network, flow = networks.single_reach(velocity=0.3)
    places = (Station("a", "R", 1000.0), Station("b", "R", 2800.0))
    sources = (Source("O1", "outfall", "R", 100.0), Source("O2", "outfall", "R", 3300.0))
    test = TrialRelease(discharge=3.0, horizon_h=12.0)
    sight = _sight(network, flow, places=places, sources=sources, test=test)
    assert sight.hours.tolist() == [[1.0, 3.0], [12.0, 12.0]]
    assert sight.shows[1].max() < 1e-4


def test_a_plateau_shows_by_the_chance_that_its_size_exceeds_detection():
    # The median release raises 3 m3/s by twice the background: 2 / (3 x 0.1) detections; log-sd 1.4.
    network, flow = networks.single_reach(velocity=0.3)
    test = TrialRelease(discharge=3.0, horizon_h=12.0)
    source = (Source("O1", "outfall", "R", 500.0),)
    shows = _sight(network, flow, places=(Station("a", "R", 1500.0),), sources=source, test=test).shows
    assert shows[0, 0] == pytest.approx(ndtr(np.log(2.0 / 0.3) / 1.4), abs=0.003)


def test_twice_the_discharge_halves_the_rise_and_decay_takes_its_share():
    network, flow = networks.single_reach(velocity=0.3)
    place, source = (Station("a", "R", 3500.0),), (Source("O1", "outfall", "R", 500.0),)
    decay = np.log(2.0) / 10_000.0  # a half-life of the 10,000 s that the water travels
    test = TrialRelease(discharge=3.0, horizon_h=12.0, decay_per_s=decay)
    sight = _sight(network, flow, places=place, sources=source, test=test)
    assert sight.shows[0, 0] == pytest.approx(ndtr(np.log(0.5 * 2.0 / 0.3) / 1.4), abs=0.006)


def test_water_that_enters_at_a_boundary_is_seen_like_an_outfall_below_it():
    network, flow = networks.single_reach(velocity=0.3)
    place, test = (Station("a", "R", 1500.0),), TrialRelease(discharge=3.0, horizon_h=12.0)
    sources = (Source("boundary:A", "boundary", node="A"), Source("O1", "outfall", "R", 500.0))
    sight = _sight(network, flow, places=place, sources=sources, test=test)
    np.testing.assert_allclose(sight.shows[:, 0], ndtr(np.log(2.0 / 0.3) / 1.4), atol=0.003)
    assert sight.hours[:, 0].tolist() == [2.0, 1.0]


def test_nothing_enters_at_a_boundary_while_nothing_flows_in():
    network, flow = networks.tidal(hours=50)
    ebbs = np.flatnonzero(flow.external[:-12, 0] < 0.0)
    first = int(next(b for b in ebbs if np.all(flow.external[b : b + 4, 0] < 0.0)))
    cut = window_of(flow, first=first, hours=12.0)
    source, place = (Source("boundary:A", "boundary", node="A"),), (Station("a", "R", 300.0),)
    sight = _sight(
        network, cut, places=place, sources=source, test=TrialRelease(discharge=2.0, horizon_h=12.0)
    )
    assert sight.hours[0, 0] == 12.0
    assert sight.shows[0, 0] < 1e-6


def test_many_sources_are_followed_in_parts_to_the_same_answer(monkeypatch: pytest.MonkeyPatch):
    network, flow = networks.confluence()
    places, sources = default_places(network), imagined_sources(network)
    test = TrialRelease(discharge=4.0, horizon_h=6.0)
    whole = _sight(network, flow, places=places, sources=sources, test=test)
    monkeypatch.setattr("suyuan.tracing.placement.responses.HELD_BYTES", 8 * 6 * len(places) * 2)
    parts = _sight(network, flow, places=places, sources=sources, test=test)
    np.testing.assert_array_equal(whole.hours, parts.hours)
    np.testing.assert_allclose(whole.shows, parts.shows, atol=1e-12)


def test_a_window_holds_the_flow_of_its_hours_and_lakes_as_full_as_then():
    _, flow = networks.lake()
    cut = window_of(flow, first=12, hours=10.0)
    assert len(cut.edges) == 11
    assert cut.start == flow.start + np.timedelta64(12, "h")
    np.testing.assert_array_equal(cut.discharge_start, flow.discharge_start[12:22])
    np.testing.assert_array_equal(cut.volume, flow.volume[12:23])
    # What came in less what went out in twelve hours: 1 m3/s in, 1 + sin/2 out.
    out = 1.0 + 0.5 * np.sin(2.0 * np.pi * np.arange(12) / 24.0)
    assert cut.lake_volume[0, 1] == pytest.approx(20000.0 + 3600.0 * (12.0 - out.sum()))


def test_release_hours_cover_the_flow_and_leave_room_for_the_horizon():
    _, flow = networks.tidal(hours=50)
    test = TrialRelease(discharge=1.0, horizon_h=20.0)
    bins = release_bins(flow, test, count=6, rng=np.random.default_rng(0))
    assert [int(b // 5.0) for b in bins] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="lasts 50 h"):
        release_bins(flow, TrialRelease(1.0, horizon_h=60.0), count=2, rng=np.random.default_rng(0))


def test_a_release_is_sized_for_where_stations_stand_else_for_the_middle_reach():
    network, flow = networks.confluence()
    assert usual_discharge(network, flow) == pytest.approx(4.0)  # the station is below the confluence
    bare = Network(network.nodes, network.reaches)  # RA 1500 m at 1, RB 2100 m at 3, RC 3000 m at 4 m3/s
    assert usual_discharge(bare, flow) == pytest.approx(3.0)


def _two_arms() -> tuple[Network, BalancedFlow]:
    """Return two equal canals with an outfall each that meet and run on to an outlet."""
    nodes = (Node("A", "boundary"), Node("B", "boundary"), Node("J"), Node("C", "outlet"))
    reaches = (Reach("RA", "A", "J", 3000.0), Reach("RB", "B", "J", 3000.0), Reach("RC", "J", "C", 3000.0))
    outfalls = (Outfall("OA", "RA", 500.0), Outfall("OB", "RB", 500.0))
    network = Network(nodes, reaches, outfalls)
    return network, networks.steady(network, np.array([2.0, 2.0, 4.0]), hours=96)


def _placed(
    network: Network, flow: BalancedFlow, ask: PlaceAsk, *, given: tuple[Station, ...] = ()
) -> Placement:
    places = places_of(network, given, from_scratch=ask.from_scratch)
    test = TrialRelease(usual_discharge(network, flow), horizon_h=24.0)
    return place_stations(network, flow, ask=ask, places=places, test=test, progress=lambda *_: None)


ARMS = (Station("arm-a", "RA", 2500.0), Station("arm-b", "RB", 2500.0), Station("below", "RC", 500.0))


def test_the_first_station_for_early_sight_stands_below_the_confluence():
    network, flow = _two_arms()
    placement = _placed(network, flow, PlaceAsk(1, apart_share=0.0), given=ARMS)
    assert [s.id for s in placement.stations] == ["below"]
    assert placement.seen[-1] > 0.85  # all but what enters the last reach below it


def test_the_first_station_for_telling_apart_stands_on_one_arm():
    network, flow = _two_arms()
    placement = _placed(network, flow, PlaceAsk(1, apart_share=1.0), given=ARMS)
    assert placement.stations[0].id in {"arm-a", "arm-b"}
    other = {"arm-a": "arm-b", "arm-b": "arm-a"}[placement.stations[0].id]
    assert placement.instead == (other,)
    assert placement.choice.is_best


def test_beside_a_station_below_the_confluence_the_new_one_stands_on_an_arm():
    network, flow = _two_arms()
    network = Network(network.nodes, network.reaches, network.outfalls, (ARMS[2],))
    placement = _placed(network, flow, PlaceAsk(1), given=ARMS)
    assert [s.id for s in placement.kept] == ["below"]
    assert placement.stations[0].id in {"arm-a", "arm-b"}
    assert placement.apart[1] > placement.apart[0]
    assert placement.tried == 2


def test_from_scratch_may_choose_a_station_that_stands():
    network, _ = _two_arms()
    network = Network(network.nodes, network.reaches, network.outfalls, (ARMS[2],))
    places = places_of(network, (), from_scratch=True)
    assert places.kept == ()
    assert "below" in [s.id for s in places.stations]


def test_what_no_station_can_see_is_listed_as_blind():
    network, flow = _two_arms()
    placement = _placed(network, flow, PlaceAsk(1), given=(ARMS[0],))
    blind = [c.id for c in placement.blind]
    assert "OB" in blind
    assert "reach:RB" in blind
    assert "OA" not in blind


def test_the_result_prints_and_its_table_has_every_station():
    network, flow = _two_arms()
    network = Network(network.nodes, network.reaches, network.outfalls, (ARMS[2],))
    placement = _placed(network, flow, PlaceAsk(2), given=ARMS)
    assert str(placement).splitlines()[-1].endswith("no other choice is better")
    frame = placement.to_frame()
    assert frame["rank"].tolist() == [0, 1, 2]
    found = placement.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(found["stations"]) == 2
    assert found["worth"] <= found["bound"] + 1e-12
    assert placement_map(placement, network, flow=flow).get_size_inches()[0] > 5.0


def test_where_every_place_gets_a_station_there_is_none_to_take_instead():
    network, flow = _two_arms()
    placement = _placed(network, flow, PlaceAsk(3), given=ARMS)
    assert placement.instead == ("", "", "")
    assert [row["instead_costs"] for row in placement.to_dict()["stations"]] == [None, None, None]
    assert placement.choice.is_best


def test_standing_water_is_refused():
    network, _ = _two_arms()
    still = networks.steady(network, np.zeros(3), hours=96)
    with pytest.raises(InputError, match="discharge of the test release is 0; the flow must move"):
        TrialRelease(usual_discharge(network, still))


def test_a_short_flow_halves_the_horizon(river: Path):
    network, _ = _two_arms()
    flow = networks.steady(network, np.array([2.0, 2.0, 4.0]), hours=20)
    assert trial_of(read_project(river), network, flow=flow).horizon_h == 10.0


@pytest.mark.parametrize(("asked", "used"), [(None, 0.05), (0.6, 0.6)])
def test_unlisted_sources_weigh_what_the_project_or_else_the_caller_says(
    river: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: float | None, used: float
):
    folder = Path(shutil.copytree(river, tmp_path / "river"))
    settings = folder / "suyuan.toml"
    settings.write_text(settings.read_text("utf-8").replace("[trace]", "[trace]\nunlisted = 0.05"), "utf-8")
    heard: list[float] = []

    def listening(network: Network, flow: BalancedFlow, *, unlisted: float) -> Prior:
        heard.append(unlisted)
        return default_prior(network, flow, unlisted=unlisted)

    monkeypatch.setattr("suyuan.place_run.default_prior", listening)
    monkeypatch.setattr("suyuan.place_run.MEMBERS", 1)
    ask = PlaceAsk(1, at=("R1:300",), unlisted=asked)
    place_folder(folder, ask, lang="en", out=tmp_path / "out", progress=lambda *_: None)
    assert heard == [used]


def test_stations_are_placed_in_the_flows_of_an_ensemble(river: Path, tmp_path: Path):
    """Nothing but the members is named; all are looked at, for as many hours in all as where they are drawn."""
    folder = Path(shutil.copytree(river, tmp_path / "river"))
    project = read_project(folder)
    flow = read_flow(project.files.flow, timezone=project.zone)
    names = [f"run{k}" for k in range(3)]
    changed = (
        replace(flow, discharge_start=f * flow.discharge_start, discharge_end=f * flow.discharge_end)
        for f in (1.0, 0.99, 1.02)
    )
    write_flow_members(changed, folder / "members.nc", names=names)
    settings = folder / "suyuan.toml"
    named = f'flow = "{project.files.flow.name}"'
    text = settings.read_text("utf-8")
    assert named in text
    settings.write_text(text.replace(named, 'flow_members = "members.nc"'), "utf-8")
    ask, out = PlaceAsk(1, at=("R1:300",)), tmp_path / "out"
    found = place_folder(folder, ask, lang="en", out=out, progress=lambda *_: None)
    told = json.loads((out / "placement.json").read_text("utf-8"))
    assert (told["flow_members_given"], sorted(told["flow_members"])) == (3, names)
    assert dict(found.placement.assumptions)["flow members"] == "3"
    looks = looks_of([FlowMember(found.flow, 1.0)] * 3, found.placement.test, rng=np.random.default_rng(0))
    assert len(looks) == 24


def test_the_same_seed_gives_the_same_answer():
    network, flow = networks.loop(hours=80)
    one, two = (_placed(network, flow, PlaceAsk(2, seed=7)) for _ in range(2))
    assert one.to_dict() == two.to_dict()


def test_worths_of_the_table_are_those_of_the_choice():
    network, flow = networks.loop(hours=80)
    test = TrialRelease(usual_discharge(network, flow), horizon_h=24.0)
    sources, places = imagined_sources(network), places_of(network, (), from_scratch=False)
    sight = _sight(network, flow, places=places.stations, sources=sources, test=test)
    table = table_of([sight], sources=sources, prior=default_prior(network, flow), test=test, apart_share=0.3)
    left = 1.0 - table.mean_hours(range(table.places)) / 24.0
    everything = 0.7 * left + 0.3 * table.apart(range(table.places))
    assert _worth(table, tuple(range(table.places))) == pytest.approx(everything)


@pytest.mark.parametrize(
    ("length", "expected"), [(400.0, [200.0]), (1499.0, [749.5]), (2000.0, [500.0, 1500.0])]
)
def test_places_lie_in_the_middle_of_about_every_kilometre(length: float, expected: list[float]):
    network = Network((Node("A", "boundary"), Node("B", "outlet")), (Reach("R", "A", "B", length),))
    assert [place.chainage_m for place in default_places(network)] == expected


def _faults(wrong: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [str(fault) for fault in wrong.value.faults]


def test_a_table_of_places_reports_every_fault_with_its_row(tmp_path: Path):
    network, _ = networks.confluence()
    table = tmp_path / "places.csv"
    table.write_text("id,reach,chainage_m\nP1,RA,100\nP2,RX,100\nP3,RA,9999\nP1,RC,5\nS,RA,7\n", "utf-8")
    with pytest.raises(InputError) as wrong:
        read_places(table, network)
    said = _faults(wrong)
    assert len(said) == 4
    assert "row 3: reach 'RX' of place 'P2' is not in the network; known are: RA, RB, RC" in said[0]
    assert "row 4: chainage_m 9999 of place 'P3' lies outside reach 'RA' (0 to 1500 m)" in said[1]
    assert "row 5: place 'P1' is there twice" in said[2]
    assert "row 6: place 'S' has the id of a station that stands elsewhere" in said[3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("id,reach,chainage_m\n", "there is no place"),
        ("id,reach\nP,RA\n", "the column 'chainage_m' is missing"),
        ("id,reach,chainage_m\nP,RA,half way\n", "chainage_m 'half way' is not a number"),
        ("id,reach,chainage_m\nP,RA,\n", "chainage_m is missing"),
        ("id,reach,chainage_m\n,RA,5\n", "id is missing"),
    ],
)
def test_a_table_of_places_that_cannot_be_used_says_why(text: str, said: str, tmp_path: Path):
    network, _ = networks.confluence()
    (tmp_path / "places.csv").write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        read_places(tmp_path / "places.csv", network)


def test_places_are_read_under_chinese_headings_in_gb18030(tmp_path: Path):
    network, _ = networks.confluence()
    (tmp_path / "places.csv").write_bytes("编号,河段,里程,名称\nP1,RA,100,姚巷\n".encode("gb18030"))
    assert read_places(tmp_path / "places.csv", network) == (Station("P1", "RA", 100.0, "姚巷"),)


def test_written_places_name_reach_and_chainage():
    network, _ = networks.confluence()
    assert written_places(["RA:100", "RC:2500.5"], network) == (
        Station("RA+100", "RA", 100.0),
        Station("RC+2500.5", "RC", 2500.5),
    )
    with pytest.raises(InputError, match="'RA' is not a place; write REACH:CHAINAGE"):
        written_places(["RA"], network)
    with pytest.raises(InputError, match="lies outside reach 'RA'"):
        written_places(["RA:1501"], network)


def test_more_stations_than_places_are_refused_before_anything_is_computed():
    network, _ = networks.confluence()
    with pytest.raises(InputError, match="3 stations are to be placed among 2 places; write 1 to 2"):
        asked_places(network, PlaceAsk(3, at=("RA:100", "RB:100")))
    with pytest.raises(InputError, match="--apart: 2 is not a share"):
        asked_places(network, PlaceAsk(1, apart_share=2.0))
    table = ImpactTable(np.ones((1, 2)), np.ones(1))
    for count, said in ((0, "ask for 1 or more"), (3, "there are 2 places")):
        with pytest.raises(InputError, match=said):
            choose(table, count)


@pytest.mark.parametrize(
    ("impact", "undetected", "share", "said"),
    [
        (np.ones((2, 2)), np.ones(3), None, "impact has shape"),
        (np.ones((0, 2)), np.ones(0), None, "impact has shape"),
        (np.ones((2, 2)), np.array([1.0, np.nan]), None, "scenario 1 has no impact"),
        (np.ones((2, 2)), np.ones(2), np.array([1.0, -1.0]), "weights"),
        (np.ones((2, 2)), np.ones(2), np.zeros(2), "weights"),
    ],
)
def test_impact_tables_that_cannot_be_are_refused(
    impact: Array, undetected: Array, share: Array | None, said: str
):
    with pytest.raises(InputError, match=said):
        ImpactTable(impact, undetected, share)


def test_places_count_those_that_are_free():
    assert Places((ARMS[0], ARMS[1], ARMS[2]), kept=(0,)).free == 2


def _suyuan(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def river(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place") / "river"
    assert _suyuan("new", folder).exit_code == 0
    return folder / "example"


def test_suyuan_place_prints_the_stations_and_writes_the_files(river: Path, tmp_path: Path):
    out = tmp_path / "plan"
    result = _suyuan("place", river, "--count", "2", "--out", out, "--lang", "en")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in out.iterdir()) == ["placement.csv", "placement.json", "placement.svg"]
    found = json.loads((out / "placement.json").read_text("utf-8"))
    for station in found["stations"]:
        assert station["id"] in result.stdout
    assert result.stdout.startswith("All data of this project are invented.")
    assert found["invented"] is True
    assert "With 2 new stations" in result.stdout
    assert "new station" in (out / "placement.svg").read_text("utf-8")
    rows = (out / "placement.csv").read_text("utf-8-sig").splitlines()
    assert len(rows) == 1 + len(found["kept"]) + 2


def test_suyuan_place_speaks_chinese_and_prints_json(river: Path, tmp_path: Path):
    out = tmp_path / "plan"
    words = (
        "--count",
        "1",
        "--candidate",
        "R1:500",
        "--candidate",
        "R1:2500",
        "--from-scratch",
        "--out",
        out,
    )
    result = _suyuan("place", river, *words, "--lang", "zh")
    assert "增设 1 个监测点后" in result.stdout
    assert "新增监测点" in (out / "placement.svg").read_text("utf-8")
    again = _suyuan("place", river, *words, "--lang", "zh", "--json")
    found = json.loads(again.stdout)
    assert found["kept"] == []
    assert found["stations"][0]["id"] in {"R1+500", "R1+2500"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--count", "99"), "99 stations are to be placed"),
        (("--count", "1", "--candidate", "R9:5"), "'R9'"),
        (("--count", "1", "--candidate", "R1:99999"), "lies outside reach 'R1'"),
        (("--count", "1", "--candidates", "nowhere.csv"), "nowhere.csv"),
        (("--count", "1", "--apart", "1.5"), "1.5"),
    ],
)
def test_a_wrong_wish_is_one_sentence_and_writes_nothing(
    words: tuple[str, ...], said: str, river: Path, tmp_path: Path
):
    result = _suyuan("place", river, *words, "--out", tmp_path / "never")
    assert result.exit_code == 1, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())
