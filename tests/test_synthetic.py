"""Invented counties: their water closes, runs backwards and keeps its mass; same seed, same county."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from suyuan.errors import InputError
from suyuan.flow import FlowField, balanced
from suyuan.io.fingerprints import read_fingerprints
from suyuan.io.flow import read_flow
from suyuan.io.network import read_network
from suyuan.io.observations import read_observations
from suyuan.io.project import read_project
from suyuan.io.synthetic_project import NOTICE, write_event
from suyuan.network import Network, Node, Reach
from suyuan.synthetic import CountySize, Event, demo_event, draw_county, draw_event, draw_flow
from suyuan.synthetic.forcing import START, Weather, blurred, draw_forcing
from suyuan.synthetic.quality import PointSource, Waters, cells_of, simulate
from suyuan.synthetic.releases import HEAVIEST_KG, RICHEST, WARM_UP_H, draw_history
from suyuan.synthetic.water import hourly, run_water
from suyuan.synthetic.waters import LIBRARY
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import compile_operator
from suyuan.transport.source_receptor import source_receptor_matrix


def dice(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def county() -> Network:
    return draw_county(dice())


@pytest.fixture(scope="module")
def tidal(county: Network) -> FlowField:
    return draw_flow(county, dice(), weather=Weather(tide=2.0))


@pytest.fixture(scope="module")
def demo() -> Event:
    return demo_event(dice(1))


# --- the map ---


def test_a_county_has_loops_a_lake_a_gate_sewers_outfalls_of_all_kinds_and_a_section(county: Network):
    canals = [r for r in county.reaches if r.kind == "canal"]
    sewers = [r for r in county.reaches if r.kind == "storm_sewer"]
    on_canals = {n for r in canals for n in (r.from_node, r.to_node)}
    assert len(canals) - len(on_canals) + 1 >= 3  # independent loops
    assert [n.id for n in county.nodes if n.kind == "outlet"] == ["LAKE"]
    assert [s.kind for s in county.structures] == ["gate"]
    assert sewers
    assert any(n.kind == "manhole" for n in county.nodes)
    assert len({o.kind for o in county.outfalls}) >= 5
    assert len(county.outfalls) == 40
    assert [s.target_class for s in county.stations] == ["III", "", ""]


def test_every_sewer_and_every_side_canal_begins_at_a_boundary(county: Network):
    kinds = {n.id: n.kind for n in county.nodes}
    ends = [node for r in county.reaches for node in (r.from_node, r.to_node)]
    heads = [node for node in kinds if ends.count(node) == 1 and node != "LAKE"]
    assert heads
    assert all(kinds[head] == "boundary" for head in heads)


def test_every_kind_of_outfall_occurs():
    kinds = {o.kind for seed in range(4) for o in draw_county(dice(seed)).outfalls}
    assert kinds == set(LIBRARY)


def test_names_of_outfalls_and_stations_are_their_own(county: Network):
    names = [item.name for item in (*county.outfalls, *county.stations)]
    assert len(set(names)) == len(names)
    canals = {r.name for r in county.reaches}
    assert all(any(ord(letter) > 0x4E00 for letter in name) and name[-1].isascii() for name in canals)


def test_outfalls_on_a_reach_lie_100_m_apart(county: Network):
    for reach in county.reaches:
        along = sorted(o.chainage_m for o in county.outfalls if o.reach == reach.id)
        assert all(b - a >= 100.0 for a, b in itertools.pairwise(along))


@pytest.mark.parametrize("seed", range(12))
def test_drawn_canals_meet_only_at_their_nodes(seed: int):
    network = draw_county(dice(seed), CountySize(columns=6 + seed % 4, loops=seed % 4))
    drawn = [(r, shapely.LineString(r.line)) for r in network.reaches]
    for (a, line_a), (b, line_b) in itertools.combinations(drawn, 2):
        shared = {a.from_node, a.to_node} & {b.from_node, b.to_node}
        met = shapely.intersection(line_a, line_b)
        assert met.is_empty if not shared else met.geom_type == "Point", f"{a.id} crosses {b.id}"


@pytest.mark.parametrize("size", [CountySize(6, 0, 0, 4, 1, 18, 2), CountySize(9, 3, 1, 12, 6, 60, 3)])
def test_small_and_large_counties_pass_the_networks_own_checks(size: CountySize):
    network = draw_county(dice(), size)
    assert len(network.outfalls) == size.outfalls
    assert len(network.stations) == size.stations


# --- the flow ---


def test_flow_closes_to_rounding_without_being_corrected(county: Network, tidal: FlowField):
    closed = balanced(tidal, county)
    assert closed.balance.residual_share < 1e-13
    assert closed.balance.reach_residual.max() < 1e-12
    assert closed.balance.dry == ()
    np.testing.assert_allclose(closed.discharge_start, tidal.discharge_start, atol=1e-10)


def test_what_flows_in_flows_out_or_is_stored(county: Network, tidal: FlowField):
    into_lake = [i for i, r in enumerate(county.reaches) if r.to_node == "LAKE"]
    seconds = np.diff(tidal.edges)[:, None]
    came = float((tidal.inflow * seconds).sum())
    went = float((tidal.discharge_end[:, into_lake] * seconds).sum())
    stored = float(tidal.volume[-1].sum() - tidal.volume[0].sum())
    assert came == pytest.approx(went + stored, rel=1e-12)


def test_canals_near_a_tidal_lake_run_backwards_for_hours(county: Network, tidal: FlowField):
    last = next(i for i, r in enumerate(county.reaches) if r.to_node == "LAKE")
    backwards = tidal.discharge_start[:, last] < 0.0
    spells = [len(list(group)) for back, group in itertools.groupby(backwards) if back]
    assert max(spells) >= 3
    assert tidal.discharge_start[:, last].mean() > 0.0


def test_without_a_tide_the_main_canal_never_turns(county: Network):
    calm = draw_flow(county, dice(), weather=Weather(tide=0.0, rains=0.0))
    main = [i for i, r in enumerate(county.reaches) if r.from_node.startswith("M") and r.to_node[0] in "ML"]
    assert calm.discharge_start[:, main].min() > 0.0


def test_a_shut_gate_lets_nothing_pass_and_keeps_its_water(county: Network, tidal: FlowField):
    gate = county.reach_index(county.structures[0].reach)
    shut = tidal.discharge_start[:, gate] == 0.0
    assert 0.1 < shut.mean() < 0.8
    assert not tidal.discharge_end[shut, gate].any()
    assert np.ptp(tidal.volume[:, gate]) == 0.0


def test_rain_swells_the_sewers(county: Network):
    dry = draw_forcing(county, dice(), weather=Weather(rains=0.0))
    wet = draw_forcing(county, dice(), weather=Weather(rains=6.0))
    heads = [i for i, name in enumerate(wet.boundaries) if name.startswith("D")]
    assert not dry.rain.any()
    assert wet.inflow[:, heads].max() > 4.0 * dry.inflow[:, heads].max()


def test_a_bureaus_model_is_wrong_but_not_absurd(county: Network):
    forcing = draw_forcing(county, dice())
    true = hourly(run_water(county, forcing))
    errors = []
    for seed in range(8):
        believed = hourly(run_water(county, blurred(forcing, dice(seed))))
        assert balanced(believed, county).balance.residual_share < 1e-13
        main = [i for i, r in enumerate(county.reaches) if r.to_node.startswith("M") and r.width_m > 8.0]
        speed = [f.discharge_start.mean(axis=0)[main] / f.volume.mean(axis=0)[main] for f in (believed, true)]
        errors.append(np.log(speed[0] / speed[1]))
    assert 0.08 < np.std(errors) < 0.30


# --- what the water carries ---


def straight(q: float = 2.0, cells: int = 50, hours: int = 96) -> tuple[Network, FlowField]:
    """A straight canal of 100 m cells that hold 1,000 m3 each."""
    nodes = (Node("A", "boundary"), Node("B", "outlet"))
    network = Network(nodes, (Reach("R1", "A", "B", 100.0 * cells, width_m=10.0, depth_m=1.0),))
    steady = np.full((hours, 1), q)
    volume = np.full((hours + 1, 1), 1000.0 * cells)
    return network, FlowField(START, 3600.0 * np.arange(hours + 1.0), ("R1",), steady, steady, volume)


def test_steady_concentration_is_background_plus_load_over_discharge():
    network, flow = straight()
    source = PointSource("R1", 1050.0, np.full((96, 1), 3.0))
    waters = simulate(
        network, flow, inflowing=np.full((96, 2, 1), 0.3), sources=(source,), decay_per_s=np.zeros(1)
    )
    assert waters.at(network, ("R1", 4000.0))[-1, 0] == pytest.approx(0.3 + 3.0 / 2.0, rel=1e-6)
    assert waters.at(network, ("R1", 500.0))[-1, 0] == pytest.approx(0.3, rel=1e-9)


def test_a_decaying_water_halves_in_ln2_over_k():
    network, flow = straight()
    decay = np.log(2.0) / (40.0 * 1000.0 / 2.0)  # half-life: the time to pass 40 cells
    waters = simulate(network, flow, inflowing=np.ones((96, 2, 1)), decay_per_s=np.array([decay]))
    first, last = (waters.at(network, ("R1", x))[-1, 0] for x in (550.0, 4550.0))
    # exactly: (a C / (1 - a (1 - C)))^40 with Courant number C = 0.8, a = exp(-400 k); plug flow gives 0.5
    kept = np.exp(-400.0 * decay)
    assert last / first == pytest.approx((kept * 0.8 / (1.0 - 0.2 * kept)) ** 40, rel=1e-9)
    assert last / first == pytest.approx(0.5, rel=2e-3)


def test_a_front_moves_with_the_water():
    network, flow = straight()
    inflowing = np.zeros((96, 2, 1))
    inflowing[30:] = 1.0
    waters = simulate(network, flow, inflowing=inflowing, decay_per_s=np.zeros(1))
    halfway = np.interp(0.5, waters.at(network, ("R1", 3050.0))[:, 0], np.arange(97.0))
    # a cell is a mixed tank and holds what leaves at its downstream end: 31 cells of 1,000 m3 at 2 m3/s
    assert halfway == pytest.approx(30.0 + 31.0 * 1000.0 / 2.0 / 3600.0, abs=0.1)


def run_on_county(
    county: Network, *, sources: tuple[PointSource, ...], decay: float
) -> tuple[FlowField, Waters]:
    flow = run_water(county, draw_forcing(county, dice(), weather=Weather(days=5, tide=2.0)))
    inflowing = np.full((120, len(county.nodes), 1), 0.4)
    return flow, simulate(
        county, flow, inflowing=inflowing, sources=sources, decay_per_s=np.array([decay / 86400.0])
    )


def test_mass_that_entered_is_held_has_left_or_has_decayed(county: Network):
    source = PointSource("R5", 200.0, np.full((120, 1), 2.0))
    flow, waters = run_on_county(county, sources=(source,), decay=0.1)
    accounted = waters.left + waters.decayed + waters.held_last - waters.held_first
    assert accounted == pytest.approx(waters.entered, rel=1e-12)
    in_canals = waters.concentration[-1, :, 0] @ np.repeat(
        flow.volume[-1] / np.diff(cells_of(county)), np.diff(cells_of(county))
    )
    assert in_canals == pytest.approx(waters.held_last[0], rel=1e-12)
    assert waters.concentration.min() >= 0.0


def test_water_that_is_the_same_everywhere_stays_so_when_canals_turn(county: Network):
    _, waters = run_on_county(county, sources=(), decay=0.0)
    np.testing.assert_allclose(waters.concentration, 0.4, rtol=1e-12)


# --- whole events ---


def test_the_same_seed_gives_the_same_event_and_another_seed_another():
    first, again, other = (draw_event(dice(seed), family="sparse") for seed in (3, 3, 4))
    assert first.network == again.network
    for name in ("discharge_start", "discharge_end", "volume", "inflow"):
        np.testing.assert_array_equal(getattr(first.flow, name), getattr(again.flow, name))
    np.testing.assert_array_equal(first.observations.value, again.observations.value)
    assert json.dumps(first.truth.to_dict()) == json.dumps(again.truth.to_dict())
    assert other.network != first.network


@pytest.mark.parametrize("shape", ["pulse", "nightly", "step"])
def test_releases_stay_inside_the_window_of_readings(shape: str):
    for seed in range(50):
        on = np.flatnonzero(draw_history(dice(seed), shape, hours=288))
        assert on[0] >= WARM_UP_H
        assert on[-1] < 288


def test_a_release_can_be_seen_and_weighs_no_more_than_a_works_could_let_go():
    for seed in (2, 5):
        event = draw_event(dice(seed), family="plain")
        (release,) = event.truth.releases
        assert release.rises.max() > 6.0 * 0.02  # noise of NH3-N is about 0.02 mg/L
        assert release.mass_kg <= HEAVIEST_KG[release.shape]
        assert release.place.id in {o.id for o in event.network.outfalls}


def test_a_reversing_event_turns_at_the_section_or_below():
    event = draw_event(dice(2), family="reversing")
    last = next(i for i, r in enumerate(event.network.reaches) if r.to_node == "LAKE")
    assert (event.truth.flow.discharge_start[:, last] < 0.0).mean() > 0.1


def test_sparse_stations_report_every_four_hours():
    event = draw_event(dice(3), family="sparse")
    hours = (event.observations.time - event.since).astype(int) / 3600
    assert not (hours % 4).any()
    assert len(event.network.stations) <= 2


def test_two_outfalls_release_in_a_two_event():
    event = draw_event(dice(5), family="two")
    assert len({event.truth.candidate(r) for r in event.truth.releases}) == 2


def test_an_unlisted_outfall_is_in_the_truth_but_not_in_the_list():
    event = draw_event(dice(5), family="unlisted")
    (release,) = event.truth.releases
    assert event.truth.candidate(release) == f"reach:{release.place.reach}"
    assert release.place.id not in {o.id for o in event.network.outfalls}
    assert release.place.id in {o.id for o in event.truth.network.outfalls}


def test_pollution_from_upstream_enters_at_a_boundary_node():
    event = draw_event(dice(5), family="upstream")
    (source,) = event.truth.to_dict()["sources"]
    assert source["candidate"].startswith("boundary:")
    assert source["chainage_m"] == 0.0


def test_nobody_releases_in_a_quiet_event_and_nothing_rises_out_of_the_ordinary():
    event = draw_event(dice(5), family="quiet")
    ammonia = event.observations.select(determinands=("NH3-N",)).value
    assert event.truth.releases == ()
    assert np.nanmax(ammonia) < 4.0 * np.nanmedian(ammonia)


def test_a_sewer_never_runs_richer_than_fifteen_times_the_library():
    event = draw_event(dice(5), family="sewer")
    (release,) = event.truth.releases
    r = event.truth.network.reach_index(release.place.reach)
    on = release.rate > 0.0
    assert event.truth.network.reaches[r].kind == "storm_sewer"
    strength = release.rate[on] / event.truth.flow.discharge_start[on, r]
    assert strength.max() <= RICHEST * LIBRARY[release.place.water][0][0] * 1.001


def test_a_single_event_measures_ammonia_alone():
    assert set(draw_event(dice(5), family="single").observations.determinand) == {"NH3-N"}


def test_a_poor_flow_is_further_from_the_truth_than_a_good_one():
    def miss(family: str) -> float:
        events = [draw_event(dice(seed), family=family) for seed in (2, 5, 8)]
        return float(np.mean([np.std(e.flow.inflow.mean(0) / e.truth.flow.inflow.mean(0)) for e in events]))

    assert miss("poorflow") > 1.4 * miss("plain")


def test_the_given_flow_does_not_close_but_can_be_closed():
    event = draw_event(dice(5), family="plain")
    assert 0.001 < balanced(event.flow, event.network).balance.residual_share < 0.08


def test_readings_scatter_about_the_truth_as_their_noise_says(demo: Event):
    ratios = []
    for station in demo.network.stations:
        truth = demo.truth.waters.at(demo.network, (station.reach, station.chainage_m))
        for d, name in enumerate(("NH3-N", "TP", "CODMn", "EC")):
            read = demo.observations.select(stations=(station.id,), determinands=(name,))
            hours = ((read.time - demo.flow.start).astype(int) / 3600).astype(int)
            sd = demo.truth.noise.sd(truth)[hours, d]
            ratios.append((read.value - truth[hours, d]) / sd)
    scaled = np.concatenate(ratios)  # about 1,600 values: the sd of their sd is 0.018
    assert scaled.std() == pytest.approx(1.0, abs=0.07)
    assert abs(scaled.mean()) < 0.09


def test_readings_have_gaps_and_end_with_the_window(demo: Event):
    assert demo.observations.time.max() == demo.until
    assert demo.observations.time.min() == demo.since
    full = 3 * 4 * 145
    assert 0.75 * full < len(demo.observations) < 0.98 * full


def test_what_is_below_detection_is_given_as_the_limit():
    event = draw_event(dice(5), family="plain")
    limit = dataclasses.replace(event.truth.noise, limit=np.array([0.3, 0.0, 0.0, 0.0]))
    from suyuan.synthetic.readings import observe

    read = observe(
        event.truth.waters, event.network, start=event.flow.start, noise=limit, every_h=1, rng=dice()
    )
    ammonia = read.select(determinands=("NH3-N",))
    below = ammonia.qualifier == "<"
    assert below.any()
    assert (ammonia.value[below] == 0.3).all()
    assert (ammonia.value[~below] >= 0.3).all()


def test_the_tracers_own_engine_sees_the_same_plume_when_it_is_given_the_true_flow(demo: Event):
    (release,) = demo.truth.releases
    network, flow = demo.truth.network, balanced(demo.truth.flow, demo.truth.network)
    watched = network.stations[0]
    hours = np.arange(100, len(release.rate), 4)
    receptors = Receptors(
        np.full(len(hours), watched.id),
        np.full(len(hours), watched.reach),
        np.full(len(hours), watched.chainage_m),
        flow.start + hours * np.timedelta64(3600, "s"),
        np.zeros(len(hours)),
    )
    source = Source(release.place.id, "outfall", release.place.reach, release.place.chainage_m)
    matrix = source_receptor_matrix(compile_operator(network, flow), receptors, sources=(source,))
    decay = demo.truth.decay_per_day[:1] / 86400.0
    traced = matrix.decayed(float(decay[0]))[:, 0] @ release.rate
    alone = PointSource(release.place.reach, release.place.chainage_m, release.rate[:, None])
    clean = np.zeros((len(release.rate), len(network.nodes), 1))
    waters = simulate(network, demo.truth.flow, inflowing=clean, sources=(alone,), decay_per_s=decay)
    true = waters.at(network, (watched.reach, watched.chainage_m))[hours, 0]
    # two schemes with hourly means: they differ in dispersion and in where within an hour the water turned
    assert np.corrcoef(traced, true)[0, 1] > 0.98
    assert traced.sum() == pytest.approx(true.sum(), rel=0.15)


def test_the_demo_county_is_what_the_demo_promises(demo: Event):
    (release,) = demo.truth.releases
    assert release.shape == "nightly"
    assert release.place.kind == "outfall"
    assert (release.rises > 0.2).sum() >= 2
    assert len(demo.network.outfalls) == 40
    assert len(demo.network.stations) == 3
    assert demo.flow.start == demo.since - np.timedelta64(96, "h")
    last = next(i for i, r in enumerate(demo.network.reaches) if r.to_node == "LAKE")
    assert (demo.truth.flow.discharge_start[:, last] < 0.0).any()


def test_a_family_nobody_knows_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"'reversin' is not a family.*did you mean 'reversing'"):
        draw_event(dice(), family="reversin")


def test_an_event_written_as_a_project_reads_back_as_it_was(demo: Event, tmp_path: Path):
    write_event(demo, tmp_path / "county")
    project = read_project(tmp_path / "county")
    network = read_network(project.files.network)
    flow = read_flow(project.files.flow, timezone=project.zone, network=network)
    readings = read_observations(*project.files.observations, timezone=project.zone, network=network)
    library = read_fingerprints(project.files.fingerprints)
    assert (network.reaches, network.outfalls, network.stations, network.structures) == (
        demo.network.reaches,
        demo.network.outfalls,
        demo.network.stations,
        demo.network.structures,
    )
    np.testing.assert_allclose(flow.discharge_end, demo.flow.discharge_end, atol=1e-6)
    np.testing.assert_allclose(readings.value, demo.observations.value)
    np.testing.assert_array_equal(library.median, demo.fingerprints.median)
    assert (project.trace.since, project.trace.until) == (demo.since, demo.until)
    assert project.is_invented
    for name in ("suyuan.toml", "observations.csv", "fingerprints.csv"):
        assert NOTICE in (tmp_path / "county" / name).read_text("utf-8").splitlines()[0]
    truth = json.loads((tmp_path / "county" / "truth.json").read_text("utf-8"))
    assert truth["sources"][0]["candidate"] == demo.truth.candidate(demo.truth.releases[0])
