"""What happens to matter on its way: decay that follows the temperature, settling, still water beside the channel, mixing."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.network import Network, Node, Reach, Structure
from suyuan.substances import Substance, WaterTemperature, determinand
from suyuan.transport.batches import Losses
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.mixing import FORMULAS, dispersion_by_formula
from suyuan.transport.operator import Mixing, compile_operator
from suyuan.transport.reverse import adjoint
from suyuan.transport.runs import Releases, forward
from suyuan.transport.source_receptor import source_receptor_matrix
from suyuan.transport.storage import TransientStorage, kept

HOUR = networks.HOUR
START = networks.START


def wide(name: str) -> tuple[Network, BalancedFlow]:
    """Return a network of `networks` whose reaches are 8 m wide and whose lakes have an area."""
    network, flow = networks.ALL[name]()
    nodes = tuple(replace(n, area_m2=10000.0) if n.kind == "lake" else n for n in network.nodes)
    return replace(
        network, nodes=nodes, reaches=tuple(replace(r, width_m=8.0) for r in network.reaches)
    ), flow


def warming(*, hours: int = 48) -> WaterTemperature:
    """Water that warms from 10 to 30 C in equal steps of time."""
    return WaterTemperature((START, START + np.timedelta64(hours, "h")), (10.0, 30.0))


def reading(network: Network, hour: float, *, reach: int = -1, share: float = 0.75) -> Receptors:
    where = network.reaches[reach]
    return Receptors(
        station=np.array(["S"]),
        reach=np.array([where.id]),
        chainage_m=np.array([share * where.length_m]),
        time=START + np.array([round(3600.0 * hour)], "timedelta64[s]"),
        duration_s=np.zeros(1),
    )


def test_decay_follows_a_temperature_that_rises_evenly():
    # By hand: the integral of theta^(T - 20) over T = 10 + 20 t / 48 h is 48 h (theta^10 - theta^-10) / (20 ln theta).
    theta = 1.07
    by_hand = 48.0 * HOUR * (theta**10 - theta**-10) / (20.0 * np.log(theta))
    end = np.array([START + np.timedelta64(48, "h")])
    assert warming().seconds_at_20(end, theta=theta)[0] == pytest.approx(by_hand, rel=1e-12)
    network, flow = networks.single_reach(velocity=0.0, hours=48)
    operator = compile_operator(network, flow)
    substance = Substance(determinand("NH3-N"), 2e-6, theta=theta, temperature=warming())
    rate = substance.rate_in(flow.start, operator.edges)[:, None]
    run = forward(operator, initial=np.ones((operator.stores, 1)), decay_per_s=rate)
    assert run.ledger.held_last[0] / run.ledger.held_first[0] == pytest.approx(
        np.exp(-2e-6 * by_hand), rel=1e-12
    )
    assert abs(run.ledger.error[0]) < 1e-13


def test_constant_water_at_20_degrees_changes_nothing_and_at_30_quickens():
    at = (np.datetime64(0, "s"),)
    time, seconds = START, np.array([0.0, 3600.0])
    cold, warm = (
        Substance(determinand("TP"), 1e-5, temperature=WaterTemperature(at, (t,))) for t in (20.0, 30.0)
    )
    np.testing.assert_allclose(cold.rate_in(time, seconds), 1e-5, rtol=1e-6)
    np.testing.assert_allclose(warm.rate_in(time, seconds), 1e-5 * 1.047**10, rtol=1e-6)


def test_the_matrix_decays_by_the_temperature_as_the_forward_run_does():
    network, flow = networks.single_reach(length_m=13000.0, hours=48)
    operator = compile_operator(network, flow)
    substance = Substance(determinand("NH3-N"), 2e-5, theta=1.07, temperature=warming())
    source = (Source("X", "outfall", "R", 1300.0),)
    receptors = reading(network, 40.0)
    edges = 600.0 * np.arange(48 * 6 + 1)
    rate = np.zeros((len(edges) - 1, 1, 1))
    rate[185:200] = 3.0
    run = forward(
        operator,
        Releases(source, edges, rate),
        decay_per_s=substance.rate_in(flow.start, operator.edges)[:, None],
        receptors=receptors,
    )
    matrix = source_receptor_matrix(operator, receptors, sources=source, edges=edges)
    values = matrix.values_of(substance) * np.exp(-2e-5 * matrix.age_s(substance))[:, None, :]
    assert run.readings[0, 0] > 0.1
    assert values[0, 0] @ rate[:, 0, 0] == pytest.approx(run.readings[0, 0], rel=1e-4)
    still = matrix.decayed(2e-5)[0, 0] @ rate[:, 0, 0]
    assert abs(still / run.readings[0, 0] - 1.0) > 0.01  # the temperature makes a difference here


def test_what_settles_falls_by_speed_over_depth():
    # Still water of 10 m2 in a canal 8 m wide is 1.25 m deep: after a day exp(-0.5 m/d / 1.25 m) is left.
    network, _ = wide("single_reach")
    flow = networks.steady(network, np.zeros(1))
    operator = compile_operator(network, flow)
    losses = Losses(np.zeros(2), np.array([0.5 / 86400.0, 0.0]))
    run = forward(operator, initial=np.ones((operator.stores, 2)), decay_per_s=losses)
    np.testing.assert_allclose(run.ledger.held_last / run.ledger.held_first, [np.exp(-0.4), 1.0], rtol=1e-12)
    assert np.abs(run.ledger.error).max() < 1e-13


def test_settling_on_the_way_is_in_the_matrix():
    # 0.3 m/s over 2.6 km to the station: exp(-v t / depth), v = 2 m/d, depth 1.25 m, t = 2600 / 0.3 s.
    network, flow = wide("single_reach")
    operator = compile_operator(network, flow, dispersion=0.5)
    source, receptors = (Source("X", "outfall", "R", 400.0),), reading(network, 20.0)
    still = source_receptor_matrix(operator, receptors, sources=source)
    sinking = source_receptor_matrix(operator, receptors, sources=source, settling_m_per_s=2.0 / 86400.0)
    share = sinking.values.sum() / still.values.sum()
    assert share == pytest.approx(np.exp(-2.0 / 86400.0 * 2600.0 / 0.3 / 1.25), rel=2e-3)
    settled = replace(still, settled=((2.0 / 86400.0, sinking.values),))
    phosphorus = Substance(determinand("TP"), settling_m_per_s=2.0 / 86400.0)
    assert settled.values_of(phosphorus) is sinking.values
    with pytest.raises(InputError, match="does not hold a settling"):
        still.values_of(phosphorus)


def test_settling_needs_widths():
    network, flow = networks.single_reach()
    operator = compile_operator(network, flow)
    with pytest.raises(InputError, match="1 of 1 reaches have no width_m: R; settling needs it"):
        forward(operator, initial=np.ones((40, 1)), decay_per_s=Losses(np.zeros(1), np.ones(1)))


@pytest.mark.parametrize(("kind", "held"), [("weir", 0.001), ("pump", 0.001), ("pump", 30.0)])
def test_pumps_and_links_without_water_need_no_width_and_let_nothing_settle(kind, held):
    # A pump or a weir of 1 m between canals 8 m wide and 1.25 m deep: after a day exp(-0.5 m/d / 1.25 m) is left in these.
    nodes = (Node("A", "boundary"), Node("J"), Node("K"), Node("O", "outlet"))
    canal = Reach("R1", "A", "J", 1000.0, width_m=8.0)
    reaches = (canal, Reach("P", "J", "K", 1.0), replace(canal, id="R2", from_node="K", to_node="O"))
    network = Network(nodes, reaches, structures=(Structure("P1", "P", kind),))
    volume = np.tile([10000.0, held, 10000.0], (25, 1))
    operator = compile_operator(network, networks.flow_of(network, np.zeros((24, 3)), volume))
    run = forward(
        operator,
        initial=np.ones((operator.stores, 1)),
        decay_per_s=Losses(np.zeros(1), np.array([0.5 / 86400.0])),
    )
    assert run.ledger.held_last[0] == pytest.approx(20000.0 * np.exp(-0.4) + held, rel=1e-12)
    assert Mixing("fischer").dispersion_in(network, operator.flow).shape == (24, 3)


def test_still_water_beside_the_channel_fills_as_the_exponential_of_a_two_by_two_says():
    # d(C, Cs)/dt = a ((-1, 1), (A/As, -A/As)) (C, Cs); A/As = 1 / 0.4.
    from scipy.linalg import expm

    network, _ = networks.single_reach()
    flow = networks.steady(network, np.zeros(1))
    alpha, ratio = 3e-5, 0.4
    operator = compile_operator(network, flow, dispersion=0.0, storage=TransientStorage(ratio, alpha))
    assert operator.stores == 80
    initial = np.zeros((80, 1))
    initial[:40] = 1.0
    run = forward(operator, initial=initial)
    got = run.mass[:, 0] / operator.volume_at(operator.steps)
    exact = expm(86400.0 * alpha * np.array([[-1.0, 1.0], [1.0 / ratio, -1.0 / ratio]])) @ [1.0, 0.0]
    np.testing.assert_allclose(got[:40], exact[0], rtol=1e-11)
    np.testing.assert_allclose(got[40:], exact[1], rtol=1e-11)


def test_what_settles_sinks_in_the_still_water_beside_the_channel_too():
    # Still water 1.25 m deep and a zone as deep: whatever changes places, exp(-0.5 m/d / 1.25 m) is left of all after a day.
    network, _ = wide("single_reach")
    flow = networks.steady(network, np.zeros(1))
    operator = compile_operator(network, flow, dispersion=0.0, storage=TransientStorage(0.4, 3e-5))
    initial = np.repeat([1.0, 0.2], 40)[:, None]
    losses = Losses(np.zeros(1), np.array([0.5 / 86400.0]))
    run = forward(operator, initial=initial, decay_per_s=losses)
    even = forward(operator, initial=initial)
    np.testing.assert_allclose(run.mass, np.exp(-0.4) * even.mass, rtol=1e-12)


@given(st.floats(0.0, 1e-2), st.floats(1e-3, 1e3), st.floats(0.0, 1e-2), st.floats(0.0, 1e-2))
def test_what_settles_and_changes_places_follows_the_exponential_of_a_two_by_two(give, ratio, first, second):
    from scipy.linalg import expm

    take, seconds = give * ratio, 300.0
    exact = expm(seconds * np.array([[-give - first, take], [give, -take - second]]))
    np.testing.assert_allclose(
        kept(give, take, (first, second), seconds), exact.ravel(), rtol=1e-9, atol=1e-13
    )


def test_storage_delays_a_pulse_by_its_share_and_spreads_it():
    # In a uniform reach the mean travel time grows by the factor 1 + As/A; the variance by 2 (As/A)^2 x / (u a): for each
    # visit the water stays As / (A a) on average (exponential), and it is taken x a / u times (Poisson).
    network, flow = networks.single_reach(length_m=9000.0, velocity=0.5, hours=48)
    alpha, ratio, x, u = 1e-4, 0.3, 6000.0, 0.5
    source, receptors = (Source("X", "outfall", "R", 1000.0),), reading(network, 30.0, share=7000.0 / 9000.0)
    moments = []
    for storage in (None, TransientStorage(ratio, alpha)):
        operator = compile_operator(network, flow, dispersion=1.0, dt_s=300.0, dx_m=50.0, storage=storage)
        edges = 300.0 * np.arange(30 * 12 + 1)
        matrix = source_receptor_matrix(operator, receptors, sources=source, edges=edges)
        weight, lag = matrix.values[0, 0].astype(float), matrix.lag_s()[0]
        mean = weight @ lag / weight.sum()
        moments.append((weight.sum() / 300.0, mean, weight @ (lag - mean) ** 2 / weight.sum()))
    (whole, mean, spread), (again, later, wider) = moments
    assert again == pytest.approx(whole, rel=1e-5)  # nothing is lost
    assert later - mean == pytest.approx(ratio * x / u, rel=0.01)
    grown = spread * (1.0 + ratio) ** 2 + 2.0 * ratio**2 * x / (u * alpha)
    assert wider == pytest.approx(grown, rel=0.01)


def transpose_and_balance(network: Network, flow: BalancedFlow, storage: TransientStorage | None) -> None:
    operator = compile_operator(network, flow, dispersion=4.0, storage=storage)
    rng, edges, columns = np.random.default_rng(4), flow.edges, 3
    places = (Source("O", "outfall", network.reaches[0].id, 20.0),)
    releases = Releases(places, edges, rng.random((len(edges) - 1, 1, columns)))
    boundary = rng.random((len(edges) - 1, len(operator.entries), columns))
    initial, weights = rng.random((operator.stores, columns)), rng.random((1, columns))
    step = rng.uniform(0.0, 2e-5, (operator.steps, columns))
    losses = Losses(step, np.array([0.0, 1e-5, 3e-5]))
    receptors = reading(network, 0.6 * edges[-1] / HOUR)
    run = forward(
        operator, releases, boundary=boundary, initial=initial, decay_per_s=losses, receptors=receptors
    )
    back = adjoint(operator, receptors, weights=weights, places=places, decay_per_s=losses)
    seen = np.einsum("ok,ok->k", run.readings, weights)
    owed = np.einsum("bpk,bpk->k", back.release, releases.rate) + np.einsum(
        "bnk,bnk->k", back.boundary, boundary
    )
    owed += np.einsum("ck,ck,c->k", back.initial, initial, operator.volume_at(0))
    np.testing.assert_allclose(seen, owed, rtol=1e-13)
    ones = np.ones((len(edges) - 1, len(operator.entries), 1))
    even = forward(operator, boundary=ones, initial=np.ones((operator.stores, 1)))
    np.testing.assert_allclose(even.mass[:, 0] / operator.volume_at(operator.steps), 1.0, rtol=1e-12)
    assert np.abs(even.ledger.error).max() < 1e-13


@pytest.mark.parametrize("name", networks.ALL)
def test_losses_and_storage_have_exact_transposes_and_even_water_stays_even(name):
    transpose_and_balance(*wide(name), TransientStorage(0.25, 1e-4))


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 5.0), st.floats(0.0, 0.1))
def test_any_storage_keeps_mass_and_evenness(ratio, exchange):
    transpose_and_balance(*wide("loop"), TransientStorage(ratio, exchange))


@pytest.mark.parametrize(
    ("name", "expected"),
    # width 20 m, depth 1 m, u 0.5 m/s, u* = sqrt(9.81) 0.03 0.5 = 0.046982 m/s, worked out by hand from the papers' equations
    [("fischer", 23.4135), ("deng", 44.0511), ("kashefipour-falconer", 55.1715)],
)
def test_dispersion_by_formula_is_what_the_paper_gives(name, expected):
    network = replace(
        networks.single_reach()[0], reaches=(replace(networks.single_reach()[0].reaches[0], width_m=20.0),)
    )
    flow = networks.steady(network, np.array([10.0]), section_m2=20.0)
    found = dispersion_by_formula(network, flow, formula=name)
    assert found[0, 0] == pytest.approx(expected, rel=1e-5)
    assert set(FORMULAS) == {"fischer", "deng", "kashefipour-falconer"}


def test_dispersion_may_be_a_number_or_given_for_some_reaches():
    network, flow = networks.confluence()
    usual = Mixing().dispersion_in(network, flow)
    assert (Mixing(7.5).dispersion_in(network, flow) == 7.5).all()
    given_one = Mixing((("RB", 3.0),)).dispersion_in(network, flow)
    assert (given_one[:, 1] == 3.0).all()
    np.testing.assert_array_equal(given_one[:, [0, 2]], usual[:, [0, 2]])
    with pytest.raises(
        InputError, match="3 of 3 reaches have no width_m: RA, RB, RC; dispersion = 'deng' needs it"
    ):
        Mixing("deng").dispersion_in(network, flow)


def test_storage_beside_an_unknown_reach_is_refused():
    with pytest.raises(InputError, match="beside reach 'R9', which is not in the network"):
        compile_operator(*networks.single_reach(), storage=TransientStorage(0.2, 1e-4, ("R9",)))


def test_a_lake_settles_over_its_own_depth():
    # 20,000 m3 over 10,000 m2 are 2 m deep.
    network, flow = wide("lake")
    still = networks.flow_of(network, np.zeros((48, 2)), flow.volume)
    operator = compile_operator(network, still, dispersion=0.0)
    start = np.zeros((operator.stores, 1))
    start[-1] = 1.0
    run = forward(operator, initial=start, decay_per_s=Losses(np.zeros(1), np.full(1, 1.0 / 86400.0)))
    assert run.mass[-1, 0] == pytest.approx(20000.0 * np.exp(-1.0), rel=1e-12)
    assert isinstance(network.nodes[1], Node)
