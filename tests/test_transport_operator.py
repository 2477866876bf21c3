"""Water moves what it carries: exact solutions, an oracle, conservation, evenness, any way it is drawn."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf, erfc, erfcx

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.network import Network, Node, Reach
from suyuan.transport.advection import POINTS, UNIFORM
from suyuan.transport.matrix import Source
from suyuan.transport.operator import compile_operator, mixing_length_dispersion
from suyuan.transport.runs import Releases, forward

HOURS_10 = 36000.0


def end_concentration(
    network: Network, flow: BalancedFlow, *, initial=None, boundary=None, **how
) -> np.ndarray:
    operator = compile_operator(network, flow, **how)
    if boundary is not None:
        boundary = np.broadcast_to(
            np.asarray(boundary, float)[None, :, None], (len(flow.edges) - 1, len(boundary), 1)
        )
    run = forward(operator, initial=initial, boundary=boundary)
    assert abs(run.ledger.error[0]) < 1e-12
    return run.mass[:, 0] / operator.volume_at(operator.steps)


def test_a_gaussian_cloud_drifts_and_spreads_as_the_exact_solution_says():
    # c = N(x0 + u t, s0^2 + 2 D t); cell means from differences of the error function.
    u, d, s0, x0 = 0.3, 5.0, 150.0, 10000.0
    network, flow = networks.single_reach(length_m=40000.0, velocity=u, hours=10)
    edges = np.arange(0.0, 40001.0, 100.0)

    def cloud(centre, sigma):
        return np.diff(0.5 * erf((edges - centre) / sigma / np.sqrt(2.0))) / 100.0

    got = end_concentration(network, flow, initial=cloud(x0, s0)[:, None], dispersion=d)
    exact = cloud(x0 + u * HOURS_10, np.sqrt(s0**2 + 2.0 * d * HOURS_10))
    assert np.abs(got - exact).sum() < 1.5e-4 * exact.sum()
    assert got.min() > -1e-6 * got.max()


def test_a_step_at_the_inlet_follows_ogata_and_banks():
    # Ogata & Banks (1961): c/c0 = (erfc((x - ut)/w) + exp(ux/D) erfc((x + ut)/w))/2, w = 2 sqrt(Dt).
    u, d = 0.3, 5.0
    network, flow = networks.single_reach(length_m=40000.0, velocity=u, hours=10)
    got = end_concentration(network, flow, boundary=[1.0, 0.0], dispersion=d)
    x, w = np.arange(50.0, 40000.0, 100.0), 2.0 * np.sqrt(d * HOURS_10)
    b = (x + u * HOURS_10) / w
    exact = 0.5 * (erfc((x - u * HOURS_10) / w) + np.exp(u * x / d - b * b) * erfcx(b))
    assert np.abs(got - exact).max() < 0.002


def test_a_confluence_dilutes_in_proportion_to_discharge():
    # 1 m3/s of 8 g/m3 and 3 m3/s of 0 make 4 m3/s of 2 g/m3.
    network, flow = networks.confluence()
    got = end_concentration(network, flow, boundary=[8.0, 0.0, 0.0], dispersion=1.0)
    np.testing.assert_allclose(got[-30:], 2.0, rtol=1e-6)


def test_steady_concentration_is_load_over_discharge():
    network, flow = networks.single_reach()
    rate = np.full((1, 1, 1), 6.0)
    releases = Releases((Source("O", "outfall", "R", 1000.0),), np.array([0.0, 86400.0]), rate)
    operator = compile_operator(network, flow)
    run = forward(operator, releases)
    # A release enters as two lumps a step; two kilometres below, dispersion has evened them out.
    below = (run.mass[:, 0] / operator.volume_at(operator.steps))[30:]
    np.testing.assert_allclose(below, 6.0 / 3.0, rtol=1e-5)
    assert abs(run.ledger.error[0]) < 1e-13


def test_a_mixed_lake_forgets_exponentially():
    # dc/dt = -(Q / V) c with Q = 1 m3/s, V = 20000 m3: after 24 h c = exp(-4.32).
    network, flow = networks.lake()
    still = replace(flow, discharge_start=np.ones((48, 2)), discharge_end=np.ones((48, 2)))
    operator = compile_operator(network, still, dispersion=0.0)
    start = np.zeros((operator.stores, 1))
    start[-1] = 1.0
    run = forward(operator, initial=start)
    assert run.mass[-1, 0] / 20000.0 == pytest.approx(np.exp(-48 * 3600.0 / 20000.0), rel=1e-12)


def test_a_lake_that_is_drawn_down_keeps_its_concentration():
    # Outflow takes water and mass alike; inflow of the same concentration changes nothing.
    network, flow = networks.lake()
    got = end_concentration(network, flow, initial=np.ones((22, 1))[:21] * 3.0, boundary=[3.0, 3.0])
    np.testing.assert_allclose(got, 3.0, rtol=1e-12)


def test_decay_halves_mass_in_a_half_life():
    network, flow = networks.single_reach(velocity=0.0)
    operator = compile_operator(network, flow)
    half_life = np.log(2.0) / 86400.0
    run = forward(operator, initial=np.ones((40, 2)), decay_per_s=np.array([half_life, 0.0]))
    np.testing.assert_allclose(run.ledger.held_last / run.ledger.held_first, [0.5, 1.0], rtol=1e-12)
    np.testing.assert_allclose(run.ledger.decayed, [20000.0, 0.0], rtol=1e-12)


@pytest.mark.parametrize("name", networks.ALL)
@pytest.mark.parametrize("dispersion", [0.0, 2.0, 60.0])
def test_every_network_agrees_with_a_slow_obvious_oracle(name, dispersion):
    network, flow = networks.ALL[name]()
    short = replace(
        flow,
        edges=flow.edges[:7],
        discharge_start=flow.discharge_start[:6],
        discharge_end=flow.discharge_end[:6],
        volume=flow.volume[:7],
        external=flow.external[:6],
        lateral=flow.lateral[:6],
        lake_volume=flow.lake_volume[:7],
    )
    operator = compile_operator(network, short, dispersion=max(dispersion, 1e-30))
    rng = np.random.default_rng(3)
    initial = rng.random(operator.stores)
    boundary = rng.random((6, len(operator.geometry.boundaries)))
    got = forward(operator, initial=initial[:, None], boundary=boundary[..., None]).mass[:, 0]
    expected = oracles.transported(operator, initial, boundary)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11 * expected.max())


@pytest.mark.parametrize("name", networks.ALL)
def test_no_mass_is_lost_and_even_water_stays_even(name):
    network, flow = networks.ALL[name]()
    operator = compile_operator(network, flow, dispersion=8.0)
    rng = np.random.default_rng(5)
    bins, boundaries = len(flow.edges) - 1, len(operator.geometry.boundaries)
    releases = Releases(
        (Source("O", "outfall", network.reaches[-1].id, 333.0),), flow.edges, rng.random((bins, 1, 3))
    )
    boundary, initial = rng.random((bins, boundaries, 3)), rng.random((operator.stores, 3))
    boundary[..., 0], initial[..., 0], releases.rate[..., 0] = 1.0, 1.0, 0.0
    rate = np.array([0.0, 0.0, 2e-5])
    run = forward(operator, releases, boundary=boundary, initial=initial, decay_per_s=rate)
    assert np.abs(run.ledger.error).max() < 1e-13
    even = run.mass[:, 0] / operator.volume_at(operator.steps)
    np.testing.assert_allclose(even, 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", networks.ALL)
def test_the_drawn_direction_and_the_order_of_reaches_change_nothing(name):
    network, flow = networks.ALL[name]()
    order = np.arange(len(network.reaches))[::-1]
    turned = [replace(r, from_node=r.to_node, to_node=r.from_node) for r in network.reaches]
    drawn = Network(network.nodes, tuple(turned[r] for r in order))
    backward = replace(
        flow,
        discharge_start=-flow.discharge_end[:, order],
        discharge_end=-flow.discharge_start[:, order],
        volume=flow.volume[:, order],
    )
    totals = []
    for net, water in ((network, flow), (drawn, backward)):
        operator = compile_operator(net, water, dispersion=3.0)
        boundary = np.tile(np.linspace(1.0, 2.0, len(operator.geometry.boundaries)), (len(flow.edges) - 1, 1))
        mass = forward(operator, boundary=boundary[..., None]).mass[: operator.geometry.cells, 0]
        names = [net.reaches[r].id for r in operator.geometry.cell_reach]
        totals.append({r.id: mass[np.array(names) == r.id].sum() for r in network.reaches})
    assert totals[0] == pytest.approx(totals[1], rel=1e-10)


def test_a_shut_gate_keeps_the_water_behind_it():
    network, flow = networks.gate()
    shut = replace(
        flow,
        discharge_start=flow.discharge_start * [1, 1, 0, 0],
        discharge_end=flow.discharge_end * [1, 1, 0, 0],
    )
    shut.discharge_start[:, 1] = shut.discharge_end[:, 1] = 2.0
    operator = compile_operator(network, shut, dispersion=0.0)
    initial = np.zeros((operator.stores, 1))
    arm = np.isin(operator.geometry.cell_reach, [2, 3])
    initial[arm] = 5.0
    run = forward(operator, initial=initial)
    np.testing.assert_allclose(run.mass[arm], (initial * operator.volume_at(0)[:, None])[arm], rtol=1e-13)
    assert np.abs(run.mass[~arm]).max() == 0.0


def test_a_lake_that_would_run_dry_is_refused_by_name():
    network, flow = networks.lake()
    start = flow.discharge_start.copy()
    start[:, 1] = 3.0
    dry = replace(flow, discharge_start=start, discharge_end=start)
    with pytest.raises(InputError, match=r"lake 'L' of 2e\+04 m3 would hold"):
        compile_operator(network, dry)


def test_dispersion_below_zero_is_refused():
    with pytest.raises(InputError, match=r"dispersion -1\.0 m2/s is below 0"):
        compile_operator(*networks.single_reach(), dispersion=-1.0)


@st.composite
def random_waters(draw) -> tuple[Network, BalancedFlow]:
    """A random connected network, tree or with loops, with random balanced discharges and random storage."""
    nodes = draw(st.integers(2, 7))
    pairs = [(draw(st.integers(0, i - 1)), i) for i in range(1, nodes)]
    pairs += draw(st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=3))
    pairs = [(a, b) for a, b in pairs if a != b]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    reaches = tuple(
        Reach(f"R{i}", f"N{a}", f"N{b}", float(rng.uniform(40.0, 1500.0))) for i, (a, b) in enumerate(pairs)
    )
    outside = {0, nodes - 1} | set(np.flatnonzero(rng.random(nodes) < 0.2).tolist())
    network = Network(
        tuple(Node(f"N{i}", "outlet" if i in outside else "junction") for i in range(nodes)), reaches
    )
    lengths = np.array([r.length_m for r in reaches])
    bins = 6
    volume = (
        lengths
        * rng.uniform(4.0, 12.0)
        * (1.0 + 0.15 * np.cumsum(rng.normal(size=(bins + 1, len(pairs))), 0) / bins)
    )
    storing = np.diff(volume, axis=0) / networks.HOUR
    leaving = np.array([[float(a == n) for a, _ in pairs] for n in range(nodes)])
    entering = np.array([[float(b == n) for _, b in pairs] for n in range(nodes)])
    inner = [n for n in range(nodes) if n not in outside]
    net = (entering - leaving)[inner]
    wanted = rng.normal(scale=2.0, size=(bins, len(pairs)))
    target = entering[inner] @ storing.T
    start = wanted + (np.linalg.pinv(net) @ (target - net @ wanted.T)).T if inner else wanted
    return network, networks.flow_of(network, start, volume)


@settings(max_examples=40, deadline=None)
@given(random_waters(), st.sampled_from([0.0, 5.0]))
def test_any_network_of_trees_and_loops_keeps_mass_and_evenness(waters, dispersion):
    network, flow = waters
    operator = compile_operator(network, flow, dispersion=dispersion, dt_s=1200.0)
    bins, boundaries = len(flow.edges) - 1, len(operator.geometry.boundaries)
    rng = np.random.default_rng(1)
    boundary, initial = rng.random((bins, boundaries, 2)), rng.random((operator.stores, 2))
    boundary[..., 0], initial[..., 0] = 1.0, 1.0
    run = forward(operator, boundary=boundary, initial=initial)
    assert np.abs(run.ledger.error).max() < 1e-12
    np.testing.assert_allclose(run.mass[:, 0] / operator.volume_at(operator.steps), 1.0, rtol=1e-10)


def test_between_narrow_and_wide_reaches_nothing_grows():
    """Pipes of 0.05 m2 and chambers of 50 m2 in turn, water back and forth for three days: a polynomial through cells so unequal
    swings, and what swings would grow from step to step."""
    lengths = [400.0, 30.0, 300.0, 20.0, 500.0, 40.0, 350.0]
    nodes = (Node("N0", "boundary"), *(Node(f"N{i}") for i in range(1, 7)), Node("N7", "outlet"))
    reaches = tuple(Reach(f"R{i}", f"N{i}", f"N{i + 1}", length) for i, length in enumerate(lengths))
    section = np.where(np.arange(7) % 2 == 0, 0.05, 50.0)
    through = 0.05 * np.sin(2.0 * np.pi * np.arange(72) / 9.0)
    network = Network(nodes, reaches)
    flow = networks.flow_of(network, np.tile(through[:, None], (1, 7)), np.tile(section * lengths, (73, 1)))
    for share in (1.0, 0.0):
        spread = share * mixing_length_dispersion(network, flow)
        operator = compile_operator(network, flow, dispersion=spread)
        rough = np.random.default_rng(1).uniform(0.0, 1.0, (operator.stores, 4))
        run = forward(operator, boundary=np.full((72, operator.geometry.entries, 4), 0.5), initial=rough)
        left = run.mass / operator.volume_at(operator.steps)[:, None]
        assert 0.0 < left.min() <= left.max() < 1.0


def test_water_that_a_flow_lost_is_not_made_up_for_as_if_it_were_rounding():
    # 3e-6 m3/s less come in at the sea than the canal stores: unevenness shows it, and mass is what came.
    network, flow = networks.tidal()
    less = replace(flow, discharge_end=flow.discharge_end + 3e-6)
    operator = compile_operator(network, less, dispersion=0.0)
    run = forward(operator, boundary=np.ones((50, 2, 1)), initial=np.ones((operator.stores, 1)))
    uneven = np.abs(run.mass[:, 0] / operator.volume_at(operator.steps) - 1.0).max()
    assert uneven > 1e-8
    assert abs(run.ledger.error[0]) < 1e-13


def test_no_wave_grows_wherever_in_a_path_it_is_interpolated():
    """On endless equal cells a shift by a share p of a cell multiplies the wave e^(i theta j) by
    g = 1 + (e^(i theta) - 1) sum over c of w_c(p) e^(i theta (c - shift)). Of a quintic with all its
    cells on one side |g| is up to 2.5."""
    wave = np.exp(1j * np.linspace(0.0, np.pi, 91))[:, None]
    powers = np.linspace(0.0, 1.0, 21)[:, None] ** np.arange(POINTS)
    for shift, table in enumerate(UNIFORM):
        weights = powers @ table
        grown = 1.0 + (wave - 1.0) * (wave ** (np.arange(POINTS - 1) - shift) @ weights.T)
        assert np.abs(grown).max() <= 1.0 + 1e-12


@pytest.mark.parametrize("cells", range(1, 7))
@pytest.mark.parametrize("quickest", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("turning", [False, True])
def test_nothing_grows_in_short_canals_that_nothing_disperses_in(cells, quickest, turning):
    """A ring of canals of 1 to 6 cells, run through at Courant numbers up to `quickest`, steadily or to and fro: the map of one
    round of the flow has no eigenvalue beyond 1, nor does any water, however rough, gain by being run through it."""
    network, _ = networks.loop()
    short = Network(network.nodes, tuple(replace(r, length_m=100.0 * cells) for r in network.reaches))
    phase = 2.0 * np.pi * np.arange(12.0) / 12.0 if turning else np.full(12, 1.0)
    around, into = np.sin(phase + 0.7), 0.4 * np.sin(phase)
    one_way = np.column_stack([into, 0.5 * into + around, 0.5 * into + around, 0.5 * into - around, into])
    one_way *= quickest / np.abs(one_way).max() * 1000.0 / 600.0
    flow = networks.flow_of(short, one_way, np.full((13, 5), 1000.0 * cells))
    operator = compile_operator(short, flow, dispersion=0.0)
    run = forward(operator, initial=np.eye(operator.stores))
    once = run.mass / operator.volume_at(0)[:, None]
    assert np.abs(np.linalg.eigvals(once)).max() <= 1.0 + 1e-9
    often = [np.linalg.norm(np.linalg.matrix_power(once, n), 2) for n in (1, 2, 4, 16, 256)]
    assert max(often) < 1.1
