"""Other flows that close: what splits may change, and what continuity leaves alone."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from suyuan.altered_flow import circulations_of, with_splits
from suyuan.flow import BalancedFlow, incidence
from suyuan.network import Network

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
    return (entering @ flow.discharge_end.T - leaving @ flow.discharge_start.T).T + flow.external


@pytest.mark.parametrize("make", EVERY)
def test_water_that_goes_round_needs_none_from_outside(make):
    network, _ = make()
    leaving, entering = incidence(network)
    free = circulations_of(network)
    net = (entering - leaving) @ free
    is_outlet = np.array([node.kind in ("outlet", "lake") for node in network.nodes])
    assert np.abs(net[~is_outlet]).max(initial=0.0) == 0.0
    assert np.linalg.matrix_rank(free) == free.shape[1]


def test_a_tree_with_one_outlet_has_no_other_splits():
    network, flow = networks.confluence()
    free = circulations_of(network)
    assert free.shape == (len(network.reaches), 0)
    factor = np.full(len(network.reaches), 1.5)
    assert with_splits(flow, network, factor=factor, circulations=free) is flow


def test_where_a_river_divides_and_meets_again_one_circulation_is_free():
    assert circulations_of(networks.loop()[0]).shape[1] == 1


@given(seed=st.integers(0, 1000), sd=st.floats(0.05, 0.6))
def test_any_splits_close_and_leave_volumes_and_inflows_as_they_are(seed, sd):
    network, flow = networks.loop()
    factor = np.exp(sd * np.random.default_rng(seed).standard_normal(len(network.reaches)))
    other = with_splits(flow, network, factor=factor, circulations=circulations_of(network))
    scale = np.abs(flow.discharge_start).max()
    assert np.abs(residual(other, network)).max() < 1e-12 * scale
    assert other.volume is flow.volume
    is_boundary = np.array([node.kind == "boundary" for node in network.nodes])
    np.testing.assert_allclose(
        other.external[:, is_boundary], flow.external[:, is_boundary], atol=1e-12 * scale
    )


def test_splits_change_by_least_squares_of_shares():
    """1 m3/s goes through r13 and 1 m3/s through r12 and r23; r13 is asked for 1.2.

    With x more in r13 and x less in the other two, (0.2 - x)^2 + 2 x^2 is least at x = 0.2 / 3.
    """
    network, flow = networks.loop()
    start = np.tile([2.0, 1.0, 1.0, 1.0, 2.0], (len(flow.discharge_start), 1))
    flow = replace(flow, discharge_start=start, discharge_end=start)
    factor = np.array([1.0, 1.0, 1.0, 1.2, 1.0])
    other = with_splits(flow, network, factor=factor, circulations=circulations_of(network))
    expected = start + 0.2 / 3.0 * np.array([0.0, -1.0, -1.0, 1.0, 0.0])
    np.testing.assert_allclose(other.discharge_start, expected, rtol=1e-3)


def test_nothing_passes_a_closed_gate():
    network, flow = networks.loop()
    (free,) = circulations_of(network).T
    shut = int(np.flatnonzero(free)[0])
    start = np.zeros_like(flow.discharge_start)
    start[:, free == 0.0] = 2.0
    start[:, (free != 0.0) & (np.arange(start.shape[1]) != shut)] = 2.0
    flow = replace(flow, discharge_start=start, discharge_end=start)
    factor = np.full(len(network.reaches), 0.5)
    factor[shut] = 3.0
    other = with_splits(flow, network, factor=factor, circulations=free[:, None])
    assert np.abs(other.discharge_start[:, shut]).max() < 1e-6
