"""Flow members: what an uncertain inflow may change, and what it must leave alone."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
from numpy.typing import NDArray

from suyuan.flow import BalancedFlow
from suyuan.network import Network, Node
from suyuan.tracing.members import FlowErrors, flow_members
from suyuan.transport.operator import compile_operator, mixing_length_dispersion


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
