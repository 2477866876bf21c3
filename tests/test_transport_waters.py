"""Lakes with rain, gates that shut and turn, water that enters along reaches or is taken out, sewers flushed in a step."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_transport_operator import random_waters

from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.network import Network, Node, Reach, Station, Structure
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import TransportOperator, compile_operator, mixing_length_dispersion
from suyuan.transport.reverse import adjoint
from suyuan.transport.runs import Releases, forward
from suyuan.transport.source_receptor import source_receptor_matrix

HOUR = networks.HOUR


def rainy_lake(*, withdrawn: float = 0.0) -> tuple[Network, BalancedFlow]:
    """The lake of `networks`, on which 0.4 m3/s of rain falls every other six hours; in between `withdrawn` is taken out."""
    network, dry = networks.lake()
    falls = (np.arange(48) // 6) % 2 == 0
    rain = np.zeros((48, 3))
    rain[:, 1] = np.where(falls, 0.4, -withdrawn)
    return network, networks.flow_of(network, dry.discharge_start, dry.volume, rain=rain)


def along(network: Network, flow: BalancedFlow, lateral: np.ndarray) -> BalancedFlow:
    """Return the same volumes and discharges at from_nodes with water entering along reaches, `lateral` (bin, reach)."""
    return networks.flow_of(network, flow.discharge_start, flow.volume, lateral=lateral)


def drained() -> tuple[Network, BalancedFlow]:
    """A canal that gains 1 m3/s along its first reach and loses half of that along its second."""
    nodes = (Node("A", "boundary"), Node("M"), Node("B", "outlet"))
    network = Network(
        nodes,
        (Reach("R1", "A", "M", 3000.0), Reach("R2", "M", "B", 2000.0)),
        stations=(Station("S", "R2", 900.0),),
    )
    lateral = np.tile([1.0, -0.5], (36, 1))
    volume = np.tile([30000.0, 20000.0], (37, 1))
    return network, networks.flow_of(network, np.tile([1.0, 2.0], (36, 1)), volume, lateral=lateral)


def sewer() -> tuple[Network, BalancedFlow]:
    """The sewers of `networks.drain_tree`, which a step flushes, with infiltration into the last one and the canal tapped."""
    network, flow = networks.drain_tree()
    lateral = np.zeros_like(flow.discharge_start)
    lateral[:, 6], lateral[:, 7] = 0.1, -0.3
    start = flow.discharge_start.copy()
    start[:, 8] += lateral[:, 6] + lateral[:, 7]
    return network, networks.flow_of(network, start, flow.volume, lateral=lateral)


WATERS = {
    "rainy lake": rainy_lake,
    "tapped lake": lambda: rainy_lake(withdrawn=0.3),
    "drained": drained,
    "sewer": sewer,
}


def random_run(operator: TransportOperator, *, columns: int = 3, **how):
    rng = np.random.default_rng(7)
    bins = len(operator.flow.edges) - 1
    boundary, initial = (
        rng.random((bins, len(operator.entries), columns)),
        rng.random((operator.stores, columns)),
    )
    boundary[..., 0], initial[..., 0] = 1.0, 1.0
    return forward(operator, boundary=boundary, initial=initial, **how), boundary, initial


def transpose_misfit(operator: TransportOperator) -> float:
    """Return the relative difference of <forward(x), w> and <x, adjoint(w)>."""
    network, rng = operator.network, np.random.default_rng(11)
    places = tuple(Source(r.id, "reach", r.id, 0.3 * r.length_m) for r in network.reaches)
    reach = network.reaches[-1]
    hours = rng.uniform(1.0, operator.edges[-1] / HOUR, 5)
    receptors = Receptors(
        station=np.full(5, "S"),
        reach=np.full(5, reach.id),
        chainage_m=np.full(5, 0.6 * reach.length_m),
        time=operator.flow.start + np.round(3600.0 * hours).astype("timedelta64[s]"),
        duration_s=np.zeros(5),
    )
    edges, rate = operator.flow.edges, np.full(3, 1e-5)
    releases = Releases(places, edges, rng.random((len(edges) - 1, len(places), 3)))
    run, boundary, initial = random_run(operator, releases=releases, receptors=receptors, decay_per_s=rate)
    weights = rng.random((5, 3))
    back = adjoint(operator, receptors, weights=weights, places=places, decay_per_s=rate)
    seen = np.einsum("ok,ok->k", run.readings, weights)
    owed = np.einsum("bpk,bpk->k", back.release, releases.rate) + np.einsum(
        "bnk,bnk->k", back.boundary, boundary
    )
    owed += np.einsum("ck,ck,c->k", back.initial, initial, operator.volume_at(0))
    return float(np.abs(seen / owed - 1.0).max())


@pytest.mark.parametrize("name", WATERS)
@pytest.mark.parametrize("dispersion", [0.0, 8.0])
def test_rain_on_lakes_and_water_along_reaches_keep_mass_evenness_and_transpose(name, dispersion):
    operator = compile_operator(*WATERS[name](), dispersion=dispersion)
    run, _, _ = random_run(operator)
    assert np.abs(run.ledger.error).max() < 1e-13
    np.testing.assert_allclose(run.mass[:, 0] / operator.volume_at(operator.steps), 1.0, rtol=1e-12)
    assert transpose_misfit(operator) < 1e-13


@pytest.mark.parametrize("name", ["rainy lake", "tapped lake"])
def test_a_lake_with_rain_agrees_with_the_slow_oracle(name):
    network, flow = WATERS[name]()
    operator = compile_operator(network, flow, dispersion=2.0)
    rng = np.random.default_rng(3)
    initial, boundary = rng.random(operator.stores), rng.random((48, len(operator.entries)))
    got = forward(operator, initial=initial[:, None], boundary=boundary[..., None]).mass[:, 0]
    expected = oracles.transported(operator, initial, boundary)
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_rain_dilutes_a_lake_as_a_mixed_tank_says():
    # V = V0 + r t, V c = const while nothing but rain comes: c = 20000 / (20000 + 0.4 x 21600).
    network = Network(
        (Node("A", "boundary"), Node("L", "lake", volume_m3=20000.0)), (Reach("R", "A", "L", 500.0),)
    )
    rain = np.zeros((6, 2))
    rain[:, 1] = 0.4
    flow = networks.flow_of(network, np.zeros((6, 1)), np.full((7, 1), 5000.0), rain=rain)
    operator = compile_operator(network, flow, dispersion=0.0)
    assert operator.entries == ("A", "L")
    start = np.zeros((operator.stores, 1))
    start[-1] = 1.0
    run = forward(operator, initial=start)
    assert run.mass[-1, 0] / operator.volume_at(operator.steps)[-1] == pytest.approx(
        20000.0 / 28640.0, rel=1e-12
    )


def test_a_storage_that_starts_empty_fills_and_mixes():
    # From 0 m3 it fills with 1 m3/s of 5 g/m3: whatever it holds is that water, but for a thousandth kept at first.
    network = Network(
        (Node("A", "boundary"), Node("L", "lake", volume_m3=100.0)), (Reach("R", "A", "L", 100.0),)
    )
    discharge = np.ones((4, 1))
    given = FlowField(
        networks.START,
        HOUR * np.arange(5),
        ("R",),
        discharge,
        discharge,
        np.full((5, 1), 1000.0),
        lakes=("L",),
        lake_volume=3600.0 * np.arange(5.0)[:, None],
    )
    flow = balanced(given, network)
    np.testing.assert_allclose(flow.lake_volume[:, 1], 3600.0 * np.arange(5), atol=1e-6)
    operator = compile_operator(network, flow, dispersion=0.0)
    initial = np.zeros((operator.stores, 1))
    initial[:-1] = 5.0
    run = forward(operator, initial=initial, boundary=np.full((4, 1, 1), 5.0))
    assert abs(run.ledger.error[0]) < 1e-13
    held = 14400.0 * 1e-3
    assert operator.volume_at(operator.steps)[-1] == pytest.approx(14400.0 + held)
    assert run.mass[-1, 0] == pytest.approx(14400.0 * 5.0, rel=1e-9)


def test_groundwater_along_a_canal_dilutes_as_its_share_grows():
    # Steady: c(x) = Q0 c0 / (Q0 + q x / L); at the end of R1 2 m3/s carry what 1 m3/s brought.
    network, flow = drained()
    operator = compile_operator(network, flow, dispersion=0.0)
    assert operator.entries == ("A", "B", "lateral:R1", "lateral:R2")
    boundary = np.zeros((36, 4, 1))
    boundary[:, 0] = 6.0
    got = forward(operator, boundary=boundary).mass[:, 0] / operator.volume_at(operator.steps)
    x = (np.arange(30) + 0.5) / 30.0
    np.testing.assert_allclose(got[:30], 6.0 / (1.0 + x), rtol=2e-3)
    np.testing.assert_allclose(got[32:], 3.0, rtol=2e-3)


def test_what_is_taken_out_along_a_reach_leaves_with_its_concentration():
    network, flow = drained()
    operator = compile_operator(network, flow, dispersion=0.0)
    run = forward(operator, boundary=np.ones((36, 4, 1)), initial=np.ones((operator.stores, 1)))
    seconds = 36 * HOUR
    # 1 m3/s at A, 1 m3/s along R1 come; 1.5 m3/s leave at B and 0.5 m3/s along R2.
    assert run.ledger.entered[0] == pytest.approx(2.0 * seconds, rel=1e-12)
    assert run.ledger.left[0] == pytest.approx(2.0 * seconds, rel=1e-12)


@pytest.mark.parametrize("name", WATERS)
def test_the_water_of_a_reading_came_from_somewhere(name):
    network, flow = WATERS[name]()
    operator = compile_operator(network, flow)
    station = network.stations[0]
    receptors = Receptors(
        station=np.array([station.id]),
        reach=np.array([station.reach]),
        chainage_m=np.array([station.chainage_m]),
        time=flow.start + np.array([86400], "timedelta64[s]"),
        duration_s=np.zeros(1),
    )
    matrix = source_receptor_matrix(
        operator, receptors, sources=(Source("O", "outfall", network.reaches[0].id, 5.0),)
    )
    assert matrix.boundaries == operator.entries
    assert matrix.fraction.sum() + matrix.initial.sum() == pytest.approx(1.0, abs=1e-12)
    outside = [i for i, e in enumerate(matrix.boundaries) if e.startswith("lateral:") or e == "L"]
    assert matrix.fraction[0, outside].sum() > 0.0


def gated() -> tuple[Network, BalancedFlow]:
    """Two canals joined by a gate of 10 m that holds next to nothing: shut, opened, turned round, shut."""
    nodes = (Node("A", "boundary"), Node("G"), Node("H"), Node("B", "outlet"))
    reaches = (Reach("up", "A", "G", 1500.0), Reach("gate", "G", "H", 10.0), Reach("low", "H", "B", 1500.0))
    network = Network(nodes, reaches, structures=(Structure("g", "gate", "gate"),))
    passes = np.repeat([0.0, 2.0, -1.0, 0.0], 6)
    volume = np.tile([15000.0, 0.01, 15000.0], (25, 1))
    return network, networks.flow_of(network, np.tile(passes[:, None], (1, 3)), volume)


def test_nothing_passes_a_shut_gate_not_even_by_dispersion():
    network, flow = gated()
    operator = compile_operator(network, flow, dispersion=20.0)
    ids = np.array([network.reaches[r].id for r in operator.geometry.cell_reach])
    shut = replace(
        flow,
        edges=flow.edges[:7],
        discharge_start=flow.discharge_start[:6],
        discharge_end=flow.discharge_end[:6],
        volume=flow.volume[:7],
        external=flow.external[:6],
        lateral=flow.lateral[:6],
        lake_volume=flow.lake_volume[:7],
    )
    initial = (ids == "up").astype(float)[:, None]
    still = compile_operator(network, shut, dispersion=20.0)
    run = forward(still, initial=initial)
    assert run.mass[ids == "low"].max() == 0.0
    whole = forward(operator, initial=initial)
    assert whole.ledger.left[0] > 0.9 * 15000.0  # 6 h of 2 m3/s flush both canals


def test_a_gate_that_opens_and_turns_keeps_mass_evenness_and_transpose():
    network, flow = gated()
    operator = compile_operator(network, flow, dispersion=mixing_length_dispersion(network, flow))
    run, _, _ = random_run(operator)
    assert np.abs(run.ledger.error).max() < 1e-12
    np.testing.assert_allclose(run.mass[:, 0] / operator.volume_at(operator.steps), 1.0, rtol=1e-13)
    assert transpose_misfit(operator) < 1e-13


def test_an_open_gate_that_holds_nothing_delays_nothing():
    # A step of 2 m3/s through the gate: what leaves `up` is at once in `low`.
    network, flow = gated()
    operator = compile_operator(network, flow, dispersion=0.0)
    boundary = np.ones((24, len(operator.entries), 1))
    run = forward(operator, boundary=boundary, initial=np.zeros((operator.stores, 1)))
    # 6 h of 2 m3/s in, 43,200 m3, of which 3 m3/s x 0 s is lost: the two canals hold 30,000 m3 of it.
    assert run.ledger.held_last[0] == pytest.approx(30000.0, rel=1e-3)


def test_closure_leaves_a_shut_gate_shut():
    network, flow = gated()
    wrong = flow.discharge_start * np.array([1.05, 1.0, 0.95])
    given = FlowField(flow.start, flow.edges, ("up", "gate", "low"), wrong, wrong, flow.volume)
    closed = balanced(given, network)
    is_shut = flow.discharge_start[:, 1] == 0.0
    assert np.abs(closed.discharge_start[is_shut, 1]).max() < 1e-8
    assert closed.balance.dry == ()


@st.composite
def everything(draw) -> tuple[Network, BalancedFlow]:
    """Random trees and loops with storage, some nodes lakes with rain, water along some reaches, gates on others."""
    network, flow = draw(random_waters())
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    reaches = len(network.reaches)
    is_out = np.array([n.kind == "outlet" for n in network.nodes])
    turns = is_out & (rng.random(len(is_out)) < 0.4)
    turns[int(np.argmax(is_out))] = False
    nodes = tuple(
        replace(n, kind="lake", volume_m3=1e6) if turns[i] else n for i, n in enumerate(network.nodes)
    )
    gates = tuple(
        Structure(f"g{r}", network.reaches[r].id, "gate") for r in range(reaches) if rng.random() < 0.2
    )
    # what enters along a reach leaves it at its own end only where that is an outlet or lake
    ends = np.array([is_out[network.node_index(r.to_node)] for r in network.reaches])
    lateral = np.where(ends & (rng.random(reaches) < 0.6), rng.normal(scale=1.5, size=(6, reaches)), 0.0)
    rain = rng.normal(scale=0.5, size=(6, len(nodes))) * (rng.random(len(nodes)) < 0.5)
    changed = replace(network, nodes=nodes, structures=gates)
    return changed, networks.flow_of(changed, flow.discharge_start, flow.volume, lateral=lateral, rain=rain)


@settings(max_examples=25, deadline=None)
@given(everything(), st.sampled_from([0.0, 5.0]))
def test_any_network_with_lakes_rain_and_water_along_reaches_keeps_mass_evenness_and_transpose(
    waters, dispersion
):
    operator = compile_operator(*waters, dispersion=dispersion, dt_s=1200.0)
    run, _, _ = random_run(operator, columns=2)
    assert np.abs(run.ledger.error).max() < 1e-12
    np.testing.assert_allclose(run.mass[:, 0] / operator.volume_at(operator.steps), 1.0, rtol=1e-10)
    assert transpose_misfit(operator) < 1e-12


@pytest.mark.parametrize("name", ["lake", "rainy"])
def test_members_of_a_flow_keep_the_rain_of_lakes_and_their_balance(name):
    from suyuan.tracing.members import flow_members

    network, flow = rainy_lake() if name == "rainy" else drained()
    for member in flow_members(network, flow, count=4, rng=np.random.default_rng(1)):
        assert np.ptp(member.flow.lateral, axis=0).max() == 0.0
        np.testing.assert_allclose(member.flow.external[:, 1], flow.external[:, 1], atol=1e-12)
        operator = compile_operator(network, member.flow)
        run, _, _ = random_run(operator)
        assert np.abs(run.ledger.error).max() < 1e-12
        np.testing.assert_allclose(run.mass[:, 0] / operator.volume_at(operator.steps), 1.0, rtol=1e-11)
