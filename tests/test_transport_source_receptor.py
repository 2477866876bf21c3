"""What readings owe to releases: the exact transpose of the forward run, whatever the water does."""

from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow, balanced
from suyuan.io.flow import read_flow
from suyuan.io.network import read_network
from suyuan.network import Network
from suyuan.observations import GOOD, Observations
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import TransportOperator, compile_operator
from suyuan.transport.reverse import adjoint
from suyuan.transport.runs import Releases, forward
from suyuan.transport.sampling import receptors_of
from suyuan.transport.source_receptor import source_receptor_matrix

CASES = Path(__file__).parents[2] / "shared" / "cases" / "inputs"


def readings(network: Network, hours: list[float], *, duration_s: float = 0.0) -> Receptors:
    station, n = network.stations[0], len(hours)
    return Receptors(
        station=np.full(n, station.id),
        reach=np.full(n, station.reach),
        chainage_m=np.full(n, station.chainage_m),
        time=networks.START + (np.array(hours) * 3600.0).astype("timedelta64[s]"),
        duration_s=np.full(n, duration_s),
    )


def places(network: Network) -> tuple[Source, ...]:
    return tuple(
        Source(f"reach:{r.id}", "reach", r.id, share * r.length_m)
        for r in network.reaches
        for share in (0.1, 0.7)
    )


def compiled(name: str, **how) -> tuple[Network, BalancedFlow, TransportOperator]:
    network, flow = networks.ALL[name]()
    return network, flow, compile_operator(network, flow, **how)


@pytest.mark.parametrize("name", networks.ALL)
@pytest.mark.parametrize("dispersion", [None, 0.0, 40.0])
def test_the_backward_run_is_the_exact_transpose_of_the_forward_run(name, dispersion):
    network, flow, operator = compiled(name, dispersion=dispersion)
    rng = np.random.default_rng(11)
    receptors = readings(network, [3.21, 9.0, 17.777, 23.9, 24.0], duration_s=2000.0)
    edges = np.arange(0.0, 23.5 * 3600.0, 4321.0)
    sources, columns = places(network), 40
    releases = Releases(sources, edges, rng.random((len(edges) - 1, len(sources), columns)))
    boundary = rng.random((len(flow.edges) - 1, len(operator.geometry.boundaries), columns))
    initial = rng.random((operator.stores, columns))
    rate, weights = rng.uniform(0.0, 5e-5, columns), rng.random((5, columns))
    run = forward(
        operator, releases, boundary=boundary, initial=initial, decay_per_s=rate, receptors=receptors
    )
    back = adjoint(operator, receptors, weights=weights, places=sources, edges=edges, decay_per_s=rate)
    seen = np.einsum("ok,ok->k", run.readings, weights)
    owed = np.einsum("bpk,bpk->k", back.release, releases.rate)
    owed += np.einsum("bnk,bnk->k", back.boundary, boundary)
    owed += np.einsum("ck,ck,c->k", back.initial, initial, operator.volume_at(0))
    np.testing.assert_allclose(seen, owed, rtol=1e-13)


@pytest.mark.parametrize("name", networks.ALL)
def test_every_drop_at_a_station_came_from_a_boundary_or_was_there(name):
    network, _, operator = compiled(name)
    receptors = readings(network, [2.0, 11.5, 24.0])
    matrix = source_receptor_matrix(operator, receptors, sources=places(network))
    np.testing.assert_allclose(matrix.fraction.sum(axis=(1, 2)) + matrix.initial, 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", ["loop", "drain_tree", "lake"])
def test_the_matrix_holds_what_forward_runs_show(name):
    network, flow, operator = compiled(name)
    receptors = readings(network, [20.0, 6.0, 13.3])
    sources = places(network)
    matrix = source_receptor_matrix(operator, receptors, sources=sources)
    assert matrix.values.dtype == np.float32
    for source, hour in ((1, 0), (len(sources) // 2, 4), (len(sources) - 1, 5)):
        rate = np.zeros((len(flow.edges) - 1, len(sources), 1))
        rate[hour, source, 0] = 1.0
        seen = forward(operator, Releases(sources, flow.edges, rate), receptors=receptors).readings[:, 0]
        got = matrix.values[:, source, hour]
        np.testing.assert_allclose(got, seen, rtol=1e-5, atol=1e-7 * np.abs(matrix.values).max())


def test_a_boundary_source_is_dissolved_in_what_flows_in():
    network, _, operator = compiled("confluence")
    receptors = readings(network, [20.0])
    sources = (Source("boundary:A", "boundary", node="A"), Source("boundary:C", "boundary", node="C"))
    matrix = source_receptor_matrix(operator, receptors, sources=sources)
    # 1 m3/s flows in at A: a g/s for an hour is 1 g/m3 for an hour. At the outlet C nothing enters.
    np.testing.assert_allclose(matrix.values[0, 0], matrix.fraction[0, 0] / 1.0, rtol=1e-6)
    assert np.abs(matrix.values[0, 1]).max() == 0.0
    assert matrix.values[0, 0].sum() == pytest.approx(0.25, rel=1e-4)


def test_a_release_long_enough_raises_the_station_by_load_over_discharge():
    network, _, operator = compiled("confluence")
    # Far enough from the inlet (24 times D / u) that nothing is lost through it against the stream.
    source = (Source("O", "outfall", "RB", 1200.0),)
    matrix = source_receptor_matrix(operator, readings(network, [23.0]), sources=source)
    assert matrix.values.sum() == pytest.approx(1.0 / 4.0, rel=2e-6)


def test_half_hour_release_bins_need_not_match_the_flow():
    network, _, operator = compiled("tidal")
    receptors, sources = readings(network, [40.0]), places(network)
    fine = source_receptor_matrix(
        operator, receptors, sources=sources, edges=np.arange(0.0, 40.0 * 3600.0 + 1, 1800.0)
    )
    coarse = source_receptor_matrix(
        operator, receptors, sources=sources, edges=np.arange(0.0, 40.0 * 3600.0 + 1, 7200.0)
    )
    together = fine.values.reshape(1, len(sources), -1, 4).sum(axis=-1)
    np.testing.assert_allclose(together, coarse.values, rtol=1e-5, atol=1e-9)


def test_composite_samples_average_what_passes():
    network, _, operator = compiled("tidal")
    sources = places(network)
    many = source_receptor_matrix(
        operator, readings(network, list(np.linspace(28.0, 30.0, 241))), sources=sources
    )
    one = source_receptor_matrix(operator, readings(network, [30.0], duration_s=7200.0), sources=sources)
    trapezoid = np.r_[0.5, np.ones(239), 0.5] / 240.0
    mean = np.einsum("o,osb->sb", trapezoid, many.values.astype(float))
    np.testing.assert_allclose(one.values[0], mean, atol=2e-4 * mean.max())


def test_nothing_released_later_is_seen_earlier():
    network, flow, operator = compiled("loop")
    matrix = source_receptor_matrix(operator, readings(network, [10.0, 30.0]), sources=places(network))
    assert np.abs(matrix.values[0, :, 10:]).max() == 0.0
    assert np.abs(matrix.values[1, :, 10:]).max() > 0.0
    assert len(flow.edges) == matrix.values.shape[2] + 1


def test_readings_of_one_sample_share_a_receptor():
    network, _ = networks.confluence()
    time = networks.START + np.array([3600, 3600, 7200], "timedelta64[s]")
    text = np.array(["", "", ""])
    observations = Observations(
        time=time,
        station=np.array(["S", "S", "S"]),
        determinand=np.array(["NH3-N", "TP", "NH3-N"]),
        value=np.ones(3),
        qualifier=text,
        flag=np.full(3, GOOD, np.int8),
        duration_s=np.zeros(3),
        sample_id=text,
    )
    receptors, means = receptors_of(network, observations)
    assert means.share.toarray().tolist() == [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert receptors.reach.tolist() == ["RC", "RC"]
    assert receptors.time.tolist() == time[[0, 2]].tolist()


def test_a_reading_after_the_flow_ends_is_refused_with_station_and_time():
    network, _, operator = compiled("confluence")
    said = "does not cover 1 of the 2 places and times of readings, .* at station 'S' at 2024-07-20T17:00:00"
    with pytest.raises(InputError, match=said):
        source_receptor_matrix(operator, readings(network, [5.0, 25.0]), sources=places(network))


def test_a_source_at_a_node_without_outside_is_refused_by_name():
    network, _, operator = compiled("confluence")
    sources = (Source("boundary:J", "boundary", node="J"),)
    with pytest.raises(InputError, match="node 'J', which is no boundary"):
        source_receptor_matrix(operator, readings(network, [5.0]), sources=sources)


@pytest.mark.skipif(not CASES.is_dir(), reason="the tracing cases of ../shared/cases are not here")
@pytest.mark.parametrize("case", ["case-0002", "case-0004", "case-0012", "case-0017"])
def test_even_water_stays_even_in_the_flows_of_the_cases(case):
    network = read_network(CASES / case / "network.gpkg")
    given = read_flow(CASES / case / "flow.nc", timezone="Asia/Shanghai", network=network)
    flow = balanced(given, network)
    operator = compile_operator(network, flow)
    bins, boundaries = len(flow.edges) - 1, len(operator.geometry.boundaries)
    run = forward(operator, boundary=np.ones((bins, boundaries, 1)), initial=np.ones((operator.stores, 1)))
    np.testing.assert_allclose(run.mass[:, 0] / operator.volume_at(operator.steps), 1.0, rtol=1e-11)
    assert abs(run.ledger.error[0]) < 1e-12


def test_decay_in_a_composite_sample_is_that_of_the_grabs_it_is_made_of():
    # steady flow, a steady release, decay of 1 per day, a sample filled over 12 hours: (rate x duration)^2 / 24 is 1 %
    network, flow = networks.single_reach(length_m=13000.0, hours=36)  # under way for 7.8 hours
    operator, rate = compile_operator(network, flow), 1.0 / 86400.0
    until = float(flow.edges[-1]) / 3600.0
    ends = [until - 1.0]
    grabs = [until - 1.0 - 12.0 + 0.5 + i for i in range(12)]
    sources = (Source("X", "outfall", network.reaches[0].id, 0.1 * network.reaches[0].length_m),)
    edges = 3600.0 * np.arange(int(until) + 1)
    matrices = [
        source_receptor_matrix(
            operator, readings(network, hours, duration_s=duration), sources=sources, edges=edges
        )
        for hours, duration in ((ends, 12.0 * 3600.0), (grabs, 0.0))
    ]
    whole, single = (matrix.decayed(rate)[:, 0].sum(axis=1) for matrix in matrices)
    assert whole[0] == pytest.approx(single.mean(), rel=0.03)
