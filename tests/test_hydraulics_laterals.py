"""Water that runs into a canal on the way, or is taken out of it, as its gauge says with its error."""

from __future__ import annotations

import numpy as np
import pytest
from test_hydraulics import HOUR, START, canal, found, gauge, one_reach

from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.hydraulics.contradictions import mean_balance
from suyuan.hydraulics.frame import frame_of
from suyuan.hydraulics.gauges import Gauge, Gauges
from suyuan.hydraulics.reconcile import reconcile
from suyuan.network import Network, Node, Structure


def lateral(reach: str, value: float, *, sd: float = 0.01, share: float = 0.0, bins: int = 6) -> Gauge:
    return Gauge("L", "lateral", np.full(bins, value), np.full(bins, sd), reach, share=share)


def two() -> Network:
    return canal(nodes=(Node("A", "boundary"), Node("J"), Node("B", "outlet")), ends="A-J J-B")


@pytest.mark.parametrize("entering", [1.0, -0.5])
def test_what_enters_on_the_way_leaves_at_the_end(entering: float):
    done = found(two(), gauge("R1", 2.0, at=0.0, sd=0.01), lateral("R1", entering))
    np.testing.assert_allclose(done.flow.lateral[:, 0], entering, atol=0.01)
    np.testing.assert_allclose(done.flow.discharge_start[:, 0], 2.0, atol=0.02)
    np.testing.assert_allclose(done.flow.discharge_end[:, 0], 2.0 + entering, atol=0.05)
    np.testing.assert_allclose(done.flow.discharge_end[:, 1], 2.0 + entering, atol=0.1)
    for flow in (done.flow, *done.sampled(3, np.random.default_rng(2))):
        assert not flow.lateral[:, 1].any()
        closed = balanced(flow, done.network)
        assert closed.balance.residual_share < 1e-12
        np.testing.assert_allclose(closed.discharge_end, flow.discharge_end, rtol=1e-9)


def test_a_gauge_halfway_sees_half_of_what_enters():
    done = found(one_reach(), gauge("R1", 2.0, at=500.0, sd=0.01), lateral("R1", 1.0))
    assert done.flow.discharge_start.mean() == pytest.approx(1.5, abs=0.02)
    assert done.flow.discharge_end.mean() == pytest.approx(2.5, abs=0.02)


def test_a_lateral_that_is_known_badly_is_what_the_gauges_around_it_leave():
    # 3.0 - 2.0 = 1.0 +- 0.014 against 0.9 with a factor of 50 %: the gauges decide, and its factor is told.
    first, last = gauge("R1", 2.0, at=0.0, sd=0.01), gauge("R1", 3.0, at=1000.0, sd=0.01, name="Q2")
    done = found(one_reach(), first, last, lateral("R1", 0.9, share=0.5))
    assert done.flow.lateral.mean() == pytest.approx(1.0, abs=0.02)
    rating = next(r for r in done.residuals if r.gauge.kind == "lateral")
    assert rating.share == pytest.approx(0.9 / 1.0 - 1.0, abs=0.03)


def beside_a_gap(value: np.ndarray) -> tuple[Network, Gauges]:
    """Return Q1 and Q2 that read 2 m3/s together for 12 h, Q1 for 12 h more, and a lateral between them."""
    first = gauge("R1", 2.0, at=0.0, sd=0.01, bins=24, name="Q1")
    last = gauge("R1", np.where(np.arange(24) < 12, 2.0, np.nan), at=1000.0, sd=0.01, bins=24, name="Q2")
    enters = Gauge("L", "lateral", value, np.full(24, 0.01), "R1")
    return one_reach(), Gauges(START, np.arange(25) * HOUR, (first, last, enters))


def test_a_lateral_that_begins_where_a_gauge_stops_makes_no_contradiction():
    network, gauges = beside_a_gap(np.where(np.arange(24) < 12, 0.0, 4.0))
    assert reconcile(network, gauges, rng=np.random.default_rng(1)).balance.probability > 0.9


def test_a_lateral_that_is_silent_while_the_gauges_speak_is_as_doubtful_as_it_varies():
    late = np.arange(24) - 12.0
    network, gauges = beside_a_gap(np.where(late >= 0.0, late % 2.0, np.nan))
    # By what it says later 0.5 +- 0.5 m3/s enters, on 2 - 2 = 0; half of 20,000 m3 in 12 h is 0.231 m3/s.
    misfit = mean_balance(frame_of(network, gauges, roughness=0.03, pools=8), gauges).misfit
    assert misfit == pytest.approx(0.5**2 / (0.5**2 + 0.2315**2), rel=0.01)
    network, gauges = beside_a_gap(np.where(late >= 0.0, 3.0, np.nan))
    said = r"at 'Q.' \(mean 2 m3/s\) and discharge at 'Q.' \(mean 2 m3/s\) contradict"
    with pytest.raises(InputError, match=said):  # it says 3 whenever it speaks; told are the readings
        reconcile(network, gauges, rng=np.random.default_rng(1))


def test_gauges_that_differ_by_the_lateral_between_them_do_not_contradict_each_other():
    first, last = (
        gauge("R1", 2.0, at=0.0, sd=0.01, bins=24),
        gauge("R1", 9.0, at=1000.0, sd=0.01, bins=24, name="Q2"),
    )
    edges = np.arange(25) * 3600.0

    def odds(*more: Gauge) -> float:
        gauges = Gauges(np.datetime64("2024-07-01"), edges, (first, last, *more))
        return mean_balance(frame_of(one_reach(), gauges, roughness=0.03, pools=48), gauges).probability

    assert odds() < 1e-4
    assert odds(lateral("R1", 7.0, bins=24)) > 0.5
    assert odds(lateral("R1", 3.0, bins=24)) < 1e-4
    assert odds(lateral("R1", 3.0, bins=24, share=1.5)) > 0.1


def test_a_lateral_into_a_structure_or_alone_is_refused():
    network = Network(two().nodes, two().reaches, structures=(Structure("gate", "R2", "gate"),))
    with pytest.raises(InputError, match="lateral at 'L' enters along 'R2', which is a structure"):
        found(network, gauge("R1", 2.0), lateral("R2", 1.0))
    with pytest.raises(InputError, match="all 1 gauges read lateral, none discharge or inflow"):
        found(two(), lateral("R1", 1.0))
    with pytest.raises(InputError, match="reach 'R7' of lateral at 'L' is not in the network"):
        found(two(), gauge("R1", 2.0), lateral("R7", 1.0))
