"""Other flows that close: what splits may change, and what continuity leaves alone."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from suyuan.altered_flow import altered, circulations_of, prolonged
from suyuan.flow import BalancedFlow, FlowField, balanced, incidence
from suyuan.network import Network, Node, Reach

EVERY = [
    networks.single_reach,
    networks.confluence,
    networks.loop,
    networks.tidal,
    networks.gate,
    networks.lake,
]


def residual(flow: BalancedFlow, network: Network) -> NDArray[np.float64]:
    """Return what enters each node less what leaves it, (bin, node) [m3/s]."""
    leaving, entering = incidence(network)
    return (
        (entering @ flow.discharge_end.T - leaving @ flow.discharge_start.T).T + flow.external - flow.stored
    )


@pytest.mark.parametrize("make", EVERY)
def test_water_that_goes_round_needs_none_from_outside(make):
    network, _ = make()
    leaving, entering = incidence(network)
    free = circulations_of(network).discharge
    net = (entering - leaving) @ free
    is_outlet = np.array([node.kind in ("outlet", "lake") for node in network.nodes])
    assert np.abs(net[~is_outlet]).max(initial=0.0) == 0.0
    assert np.linalg.matrix_rank(free) == free.shape[1]


def split(flow: BalancedFlow, network: Network, factor: NDArray[np.float64]) -> BalancedFlow:
    """Return the flow with other splits, each arm asked for `factor` (reach,) times its discharge."""
    free = circulations_of(network)
    given = 0.5 * (flow.discharge_start + flow.discharge_end)
    wanted, spread = factor * given, np.abs(given) + 1e-9
    return altered(flow, network, external=flow.external, wanted=wanted, spread=spread, circulations=free)


def test_a_tree_with_one_outlet_has_no_other_splits():
    network, flow = networks.confluence()
    assert circulations_of(network).discharge.shape == (len(network.reaches), 0)
    other = split(flow, network, np.full(len(network.reaches), 1.5))
    np.testing.assert_allclose(other.discharge_start, flow.discharge_start, rtol=1e-12)


def test_where_a_river_divides_and_meets_again_one_circulation_is_free():
    free = circulations_of(networks.loop()[0])
    assert free.discharge.shape[1] == 1
    assert free.arm[1] == free.arm[2] != free.arm[3]


@given(seed=st.integers(0, 1000), sd=st.floats(0.05, 0.6))
def test_any_splits_close_and_leave_volumes_and_inflows_as_they_are(seed, sd):
    network, flow = networks.loop()
    other = split(flow, network, np.exp(sd * np.random.default_rng(seed).standard_normal(5))[[0, 1, 1, 3, 4]])
    scale = np.abs(flow.discharge_start).max()
    assert np.abs(residual(other, network)).max() < 1e-12 * scale
    assert other.volume is flow.volume
    is_boundary = np.array([node.kind == "boundary" for node in network.nodes])
    np.testing.assert_allclose(
        other.external[:, is_boundary], flow.external[:, is_boundary], atol=1e-12 * scale
    )


def test_splits_change_by_least_squares_of_shares_however_finely_arms_are_cut():
    """1 m3/s goes through r13 and 1 m3/s through r12 and r23, one arm; r13 is asked for 1.2.

    With x more in r13 and x less in the other arm, (0.2 - x)^2 + x^2 is least at x = 0.1.
    """
    network, flow = networks.loop()
    start = np.tile([2.0, 1.0, 1.0, 1.0, 2.0], (len(flow.discharge_start), 1))
    flow = replace(flow, discharge_start=start, discharge_end=start)
    other = split(flow, network, np.array([1.0, 1.0, 1.0, 1.2, 1.0]))
    expected = start + 0.1 * np.array([0.0, -1.0, -1.0, 1.0, 0.0])
    np.testing.assert_allclose(other.discharge_start, expected, rtol=1e-3)


@pytest.mark.parametrize("more", [0.8, 1.0, 1.2])
def test_nothing_passes_a_closed_gate_whatever_flows_in(more):
    """r13 is shut every other bin, and open wide between."""
    network, flow = networks.loop()
    start = np.tile([2.0, 2.0, 2.0, 0.0, 2.0], (len(flow.discharge_start), 1))
    start[::2] = [2.0, 0.5, 0.5, 1.5, 2.0]
    external = np.zeros_like(flow.external)
    external[:, 0], external[:, 4] = 2.0, -2.0
    flow = replace(flow, discharge_start=start, discharge_end=start, external=external)
    free = circulations_of(network)
    factor = np.where(free.arm == free.arm[3], 3.0, 0.5)
    changed = altered(
        flow,
        network,
        external=more * external,
        wanted=factor * start,
        spread=np.abs(start) + 1e-9,
        circulations=free,
    )
    assert np.abs(changed.discharge_start[1::2, 3]).max() < 1e-6
    assert np.abs(residual(changed, network)).max() < 1e-12
    np.testing.assert_allclose(changed.discharge_start[:, 0], 2.0 * more)


def test_a_lake_that_fell_on_the_last_day_stands_still_while_the_flow_is_run_on():
    """200,000 m3 that lose 1 m3/s would be gone in 2.3 days."""
    nodes = (Node("A", "boundary"), Node("L", "lake", volume_m3=2e5), Node("B", "outlet"))
    network = Network(nodes, (Reach("R", "A", "L", 1000.0), Reach("S", "L", "B", 1000.0)))
    through, held = np.tile([1.0, 2.0], (24, 1)), np.full((25, 2), 2e4)
    edges = np.arange(25) * 3600.0
    given_flow = FlowField(np.datetime64("2024-07-01"), edges, ("R", "S"), through, through, held)
    longer = prolonged(balanced(given_flow, network), network, until_s=4 * 86400.0)
    np.testing.assert_allclose(longer.lake_volume[24:, 1], 2e5 - 86400.0)
    np.testing.assert_allclose(longer.discharge_start[24:], np.tile([1.0, 2.0], (72, 1)))
    assert np.abs(residual(longer, network)[24:, [0, 2]]).max() < 1e-9
