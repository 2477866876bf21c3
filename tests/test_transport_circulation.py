"""Water that goes round in a ring many times within a step."""

from __future__ import annotations

import networks
import numpy as np
import pytest

from suyuan.transport.circulation import TURNS
from suyuan.transport.operator import TransportOperator, compile_operator
from suyuan.transport.runs import forward


def rounds(operator: TransportOperator, *names: str) -> float:
    """Return how often water goes round the ring of these reaches in a step."""
    water, share = operator.water, 0.0
    for name in names:
        reach = operator.network.reach_index(name)
        end = 2 * operator.geometry.reach_path[reach]
        share += water.volume[0, reach] / (np.abs(water.into[0, end : end + 2]).max() * water.length[0])
    return 1.0 / share


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("turns", [1.0, 30.0, 1e3, 1e6])
def test_a_ring_that_water_circles_many_times_in_a_step_keeps_mass_and_evenness(turns, held):
    # Unbounded, the ways upstream double at every round: 2^30 for each cell at thirty rounds.
    network, flow = networks.rings(turns=turns, held=held)
    operator = compile_operator(network, flow, dispersion=2.0)
    rng = np.random.default_rng(3)
    bins, boundaries = len(flow.edges) - 1, len(operator.geometry.boundaries)
    boundary, initial = rng.random((bins, boundaries, 2)), rng.random((operator.stores, 2))
    boundary[..., 0], initial[..., 0] = 1.0, 1.0
    run = forward(operator, boundary=boundary, initial=initial)
    assert np.abs(run.ledger.error).max() < 1e-12
    even = run.mass[:, 0] / operator.volume_at(operator.steps)
    np.testing.assert_allclose(even, 1.0, rtol=1e-12)


@pytest.mark.parametrize("turns", [10.0, 1e4])
def test_a_fast_ring_is_slowed_to_a_few_rounds_and_every_node_keeps_its_balance(turns):
    network, flow = networks.rings(turns=turns)
    operator = compile_operator(network, flow)
    assert rounds(operator, "jk", "kj") == pytest.approx(TURNS, rel=1e-6)
    assert rounds(operator, "mj", "jm") == pytest.approx(TURNS, rel=1e-6)
    arrives = np.zeros((len(flow.edges) - 1, len(network.nodes)))
    np.add.at(arrives.T, operator.geometry.path_nodes.ravel(), operator.water.into.T)
    expected = np.array([-3.0, 0.0, 0.0, 0.0, 3.0])
    np.testing.assert_allclose(arrives, np.tile(expected, (len(arrives), 1)), atol=1e-12 * turns)


def test_water_that_circles_a_few_times_is_left_as_it_is():
    network, flow = networks.rings(turns=0.9 * TURNS)
    operator = compile_operator(network, flow)
    reach = network.reach_index("kj")
    end = 2 * operator.geometry.reach_path[reach]
    assert np.abs(operator.water.into[0, end]) == flow.discharge_start[0, reach]
    assert rounds(operator, "jk", "kj") > 0.9 * TURNS


@pytest.mark.parametrize("turns", [20.0, 1e5])
def test_rings_that_turn_fast_are_flushed_like_a_mixed_tank(turns):
    # A mixed tank keeps exp(-Q t / V) of what was dissolved in it.
    network, flow = networks.rings(turns=turns)
    operator = compile_operator(network, flow, dispersion=2.0)
    reach = np.array([network.reaches[r].id for r in operator.geometry.cell_reach])
    in_ring = np.isin(reach, ["jk", "kj", "jm", "mj"])
    volume = operator.volume_at(0)
    mass = forward(operator, initial=in_ring[:, None].astype(float)).mass[:, 0]
    kept = np.exp(-3.0 * 7200.0 / volume[in_ring].sum())
    assert mass[in_ring].sum() / volume[in_ring].sum() == pytest.approx(kept, rel=0.02)
