"""Flow members: what an uncertain inflow may change, and what it must leave alone."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
import pytest
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.network import Network, Node, Reach, Structure
from suyuan.tracing.members import FlowErrors, StillWater, flow_members, with_still_water
from suyuan.transport.operator import compile_operator, mixing_length_dispersion

EXACT = FlowErrors(travel_common=0.0, travel_reach=0.0, inflow=0.0, split=0.0, loop=0.0, dispersion=0.0)
"""A flow without errors."""


def _gain(flow: BalancedFlow, network: Network, node: str) -> NDArray[np.float64]:
    """Return what a node keeps of what its reaches bring, (bin,) [m3/s]."""
    net = np.zeros(len(flow.edges) - 1)
    for r, reach in enumerate(network.reaches):
        net += flow.discharge_end[:, r] * (reach.to_node == node)
        net -= flow.discharge_start[:, r] * (reach.from_node == node)
    return net


def test_a_lake_on_the_way_passes_an_uncertain_inflow_on():
    """A river of 1 m3/s through 20,000 m3: a tenth more or less in for two days is 17,000 m3, which must not stay in the lake."""
    network, flow = networks.lake()
    members = flow_members(network, flow, count=12, rng=np.random.default_rng(2))
    before = _gain(flow, network, "L")
    for member in members:
        np.testing.assert_allclose(_gain(member.flow, network, "L"), before, atol=1e-6)
        compile_operator(network, member.flow, dispersion=mixing_length_dispersion(network, member.flow))
    entered = np.array([m.flow.external[:, 0].mean() for m in members])
    left = np.array([-m.flow.external[:, 2].mean() for m in members])
    assert entered.std() > 0.05
    np.testing.assert_allclose(left - entered, left[0] - entered[0], atol=1e-6)


def test_a_lake_at_the_end_takes_an_uncertain_inflow_up():
    network, _ = networks.single_reach()
    network = replace(network, nodes=(network.nodes[0], Node("B", "lake", volume_m3=1e7)))
    flow = networks.steady(network, np.array([3.0]))
    errors = FlowErrors(inflow=0.3)
    for member in flow_members(network, flow, count=4, rng=np.random.default_rng(1), errors=errors)[1:]:
        entered = member.flow.external[:, 0]
        assert np.abs(entered - flow.external[:, 0]).min() > 0.01
        np.testing.assert_allclose(member.flow.stored[:, 1], entered, rtol=1e-6)


def _slow_arm(discharge: float, errors: FlowErrors, network: Network) -> NDArray[np.float64]:
    """Return what 60 members send through r12 and r23, a slow arm beside r13, mean over time (member,) [m3/s]."""
    _, flow = networks.loop()
    start = np.tile([2.0, discharge, discharge, 2.0 - discharge, 2.0], (len(flow.discharge_start), 1))
    flow = replace(flow, discharge_start=start, discharge_end=start)
    members = flow_members(network, flow, count=60, rng=np.random.default_rng(3), errors=errors)
    assert all(np.ptp(m.flow.discharge_start[:, 1] - m.flow.discharge_start[:, 2]) < 1e-9 for m in members)
    return np.array([m.flow.discharge_start[:, 1].mean() for m in members])


def test_a_slow_arm_beside_a_quick_one_may_run_the_other_way():
    """Levels at its ends that err by as much as those along r13 drive more than the 0.05 m3/s it is given."""
    network, _ = networks.loop()
    through = _slow_arm(0.05, FlowErrors(inflow=0.0), network)
    assert 0.1 < np.mean(through < 0.0) < 0.5
    assert np.all(_slow_arm(0.05, FlowErrors(inflow=0.0, loop=0.0), network) > 0.0)


def test_an_arm_with_a_pump_on_it_never_runs_the_other_way():
    network, _ = networks.loop()
    pumped = replace(network, structures=(Structure("P", network.reaches[1].id, "pump"),))
    assert np.all(_slow_arm(0.05, FlowErrors(inflow=0.0), pumped) > 0.0)


def test_nothing_goes_round_through_an_arm_that_stands_still():
    network, _ = networks.loop()
    assert np.abs(_slow_arm(0.0, FlowErrors(), network)).max() < 1e-3


def test_what_rushes_through_a_gate_does_not_move_the_canals_beside_it():
    network, flow = networks.loop()
    start = np.tile([2.0, 0.8, 0.8, 1.2, 2.0], (len(flow.discharge_start), 1))
    gate = replace(network, structures=(Structure("G", network.reaches[4].id, "gate"),))
    spread = []
    for section in (20.0, 0.001):
        volume = flow.volume.copy()
        volume[:, 4] = section * network.reaches[4].length_m
        given = replace(flow, discharge_start=start, discharge_end=start, volume=volume)
        members = flow_members(gate, given, count=40, rng=np.random.default_rng(3))
        spread.append(np.std([m.flow.discharge_start[:, 1].mean() for m in members]))
    assert spread[1] == np.float64(spread[0])


def test_what_enters_or_is_taken_along_a_reach_errs_like_other_inflows_and_water_stays_balanced():
    """1 m3/s enters along R1 and half of that is taken along R2: the outlet gives what is left of what came."""
    nodes = (Node("A", "boundary"), Node("M"), Node("B", "outlet"))
    network = Network(nodes, (Reach("R1", "A", "M", 3000.0), Reach("R2", "M", "B", 2000.0)))
    lateral = np.tile([1.0, -0.5], (4, 1))
    volume = np.tile([30000.0, 20000.0], (5, 1))
    flow = networks.flow_of(network, np.tile([1.0, 2.0], (4, 1)), volume, lateral=lateral)
    members = [m.flow for m in flow_members(network, flow, count=400, rng=np.random.default_rng(5))[1:]]
    along = np.array([m.lateral[0] for m in members])
    np.testing.assert_allclose(np.log(along / lateral[0]).std(axis=0), 0.12, rtol=0.1)
    assert abs(np.corrcoef(np.log(along[:, 0]), np.log(-along[:, 1]))[0, 1]) < 0.15
    for member in members[:40]:
        held = np.diff(member.volume, axis=0) / np.diff(member.edges)[:, None]
        gained = member.discharge_start - member.discharge_end + member.lateral
        np.testing.assert_allclose(gained, held, atol=1e-12)
        for node in ("A", "M", "B"):
            at = network.node_index(node)
            np.testing.assert_allclose(_gain(member, network, node) + member.external[:, at], 0.0, atol=1e-12)
        assert member.external[0, 1] == 0.0
    entered = np.array([m.external[0, 0] for m in members])
    left = np.array([-m.external[0, 2] for m in members])
    np.testing.assert_allclose(left, entered + along.sum(axis=1), atol=1e-12)


def test_still_water_lies_partly_in_the_section_that_is_given():
    """Of 40,000 m3 a share becomes still; what the cloud passes through is between that and 1 + ratio times as much."""
    network, flow = networks.single_reach()
    given = flow_members(network, flow, count=400, rng=np.random.default_rng(1), errors=EXACT)
    first, *others = with_still_water(network, given, still=StillWater(), rng=np.random.default_rng(2))
    assert first == given[0]
    zones = [m.mixing.storage for m in others if m.mixing.storage]
    assert len(zones) == 399
    ratio = np.log([z.area_ratio for z in zones])
    exchange = np.log([z.exchange_per_s for z in zones])
    np.testing.assert_allclose([ratio.mean(), exchange.mean()], np.log([0.2, 1e-4]), atol=0.2)
    np.testing.assert_allclose([ratio.std(), exchange.std()], [0.8, 1.2], rtol=0.12)
    for member in others[:20]:
        zone = member.mixing.storage
        held = compile_operator(network, member.flow, storage=zone).volume_at(0)
        assert held.sum() == pytest.approx(member.flow.volume[0, 0] * (1.0 + zone.area_ratio))
        assert 40_000.0 - 1e-6 <= held.sum() <= 40_000.0 * (1.0 + zone.area_ratio) + 1e-6
    more = [m.flow.volume[0, 0] * (1.0 + m.mixing.storage.area_ratio) / 40_000.0 - 1.0 for m in others]
    assert 0.3 < np.median(np.array(more) / np.exp(ratio)) < 0.6


def test_still_water_is_drawn_apart_from_the_errors_of_the_flow():
    network, flow = networks.loop()
    with_it, without = np.random.default_rng(4), np.random.default_rng(4)
    members = flow_members(network, flow, count=3, rng=with_it)
    assert (
        flow_members(network, flow, count=3, rng=without)[1].dispersion_factor == members[1].dispersion_factor
    )
    drawn = with_still_water(network, members, still=StillWater(), rng=with_it)
    assert with_still_water(network, members, still=None, rng=without) == members
    assert with_it.standard_normal() == without.standard_normal()
    for before, after in zip(members, drawn, strict=True):
        assert np.array_equal(before.flow.discharge_start, after.flow.discharge_start)


def test_a_sewer_and_a_reach_with_a_gate_keep_all_their_water():
    network, flow = networks.loop()
    sewer = replace(network.reaches[0], kind="storm_sewer")
    reaches = (sewer, *network.reaches[1:])
    network = replace(network, reaches=reaches, structures=(Structure("G", reaches[1].id, "gate"),))
    members = flow_members(network, flow, count=2, rng=np.random.default_rng(1), errors=EXACT)
    channel = with_still_water(network, members, still=StillWater(), rng=np.random.default_rng(2))[1].flow
    less = channel.volume.mean(axis=0) / members[1].flow.volume.mean(axis=0)
    np.testing.assert_allclose(less[:2], 1.0)
    assert np.all(less[2:] < 1.0)
    named = StillWater(reaches=("nowhere",))
    with pytest.raises(InputError, match="beside reach 'nowhere', which is not in the network"):
        with_still_water(network, members, still=named, rng=np.random.default_rng(2))
