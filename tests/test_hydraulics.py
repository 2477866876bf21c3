"""Flow from gauges: what they say together is the least squares of their errors, and every flow drawn closes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tidal_ring import START, believed, gauges_of, ring

from suyuan.errors import InputError
from suyuan.flow import FlowField, balanced
from suyuan.hydraulics.blocks import Precision, factored
from suyuan.hydraulics.contradictions import mean_balance
from suyuan.hydraulics.doubts import Errors
from suyuan.hydraulics.frame import frame_of
from suyuan.hydraulics.gauges import Gauge, Gauges
from suyuan.hydraulics.pools import stage_from
from suyuan.hydraulics.reconcile import Reconciled, reconcile
from suyuan.hydraulics.ways import ways
from suyuan.network import Network, Node, Reach, Structure

Array = NDArray[np.float64]
HOUR = 3600.0


def canal(*, nodes: tuple[Node, ...], ends: str, **sizes: float) -> Network:
    """Return a network whose reaches are written as 'A-J J-B', 1 km long, 10 m wide and 2 m deep unless `sizes` says else."""
    given = {"length_m": 1000.0, "width_m": 10.0, "depth_m": 2.0, "roughness": 0.03, **sizes}
    reaches = tuple(Reach(f"R{i + 1}", *pair.split("-"), **given) for i, pair in enumerate(ends.split()))
    return Network(nodes, reaches)


def one_reach(**sizes: float) -> Network:
    return canal(nodes=(Node("A", "boundary"), Node("B", "outlet")), ends="A-B", **sizes)


def gauge(reach: str, value: float | Array, *, sd: float = 0.1, bins: int = 6, **more: float) -> Gauge:
    values = np.broadcast_to(np.asarray(value, float), (bins,)).copy()
    return Gauge(
        more.pop("name", reach), "discharge", values, np.full(bins, sd), reach, more.pop("at", 500.0), **more
    )  # type: ignore[arg-type]


def hourly(*gauges: Gauge) -> Gauges:
    bins = len(gauges[0].value) if gauges else 6
    return Gauges(START, np.arange(bins + 1) * HOUR, gauges)


def found(network: Network, *gauges: Gauge, errors: Errors | None = None) -> Reconciled:
    return reconcile(network, hourly(*gauges), rng=np.random.default_rng(1), errors=errors)


def middle(flow: FlowField) -> Array:
    return 0.5 * (flow.discharge_start + flow.discharge_end)


def test_two_gauges_of_one_reach_give_the_mean_weighted_by_their_inverse_variances():
    # generalised least squares by hand: (4.0 / 0.1^2 + 4.3 / 0.2^2) / (1 / 0.1^2 + 1 / 0.2^2) = 4.06
    flow = found(one_reach(), gauge("R1", 4.0, sd=0.1), gauge("R1", 4.3, sd=0.2)).flow
    assert middle(flow) == pytest.approx(np.full((6, 1), 4.06), abs=2e-3)


def test_its_standard_deviation_is_that_of_the_weighted_mean_where_nothing_ties_the_bins():
    # rating errors of 5 % and 10 % of 4 m3/s do not average out over the bins: 1 / sd^2 = 1 / 0.2^2 + 1 / 0.4^2
    done = found(
        one_reach(),
        gauge("R1", 4.0, sd=1e-3, share=0.05),
        gauge("R1", 4.0, sd=1e-3, share=0.10),
        errors=Errors(depth=0.0),
    )
    by_hand = (1.0 / 0.2**2 + 1.0 / 0.4**2) ** -0.5
    assert done.sd() == pytest.approx(np.full((6, 1), by_hand), rel=0.02)


def test_what_two_boundaries_bring_and_no_gauge_sees_is_the_difference_at_the_confluence():
    nodes = (Node("A", "boundary"), Node("B", "boundary"), Node("J"), Node("C", "outlet"))
    network = canal(nodes=nodes, ends="A-J B-J J-C")
    flow = found(network, gauge("R1", 1.0, sd=0.01), gauge("R3", 4.0, sd=0.01)).flow
    assert middle(flow)[:, 1] == pytest.approx(np.full(6, 3.0), abs=0.01)


def test_a_rising_stage_fills_the_reach_by_its_surface():
    # 1 km x 10 m rise 0.36 m in an hour: 3600 m3, or 1 m3/s between the two ends
    stage = np.arange(9) * 0.36
    level = Gauge("S", "stage", stage, np.full(9, 1e-3), "R1", 500.0, offset=3.0)
    errors = Errors(width=1e-3, conveyance=0.05)
    flow = found(one_reach(), gauge("R1", 5.0, bins=8, sd=0.01, at=0.0), level, errors=errors).flow
    lost = (flow.discharge_start - flow.discharge_end)[2:-2, 0]
    assert lost == pytest.approx(np.full(4, 1.0), abs=0.05)


def test_a_loop_without_a_gauge_divides_by_conveyance():
    # Two canals from J to K, equally long; one twice as wide and very shallow for its width: K = 2 K, so it takes two thirds.
    nodes = (Node("A", "boundary"), Node("J"), Node("K"), Node("B", "outlet"))
    network = canal(nodes=nodes, ends="A-J J-K J-K K-B", width_m=200.0)
    wide = replace(network.reaches[2], width_m=400.0)
    network = replace(network, reaches=(*network.reaches[:2], wide, network.reaches[3]))
    flow = found(network, gauge("R1", 60.0, sd=0.1), gauge("R4", 60.0, sd=0.1)).flow
    assert middle(flow)[3, 2] / middle(flow)[3, 1] == pytest.approx(2.0, rel=0.03)


def test_a_loop_without_a_gauge_is_named():
    nodes = (Node("A", "boundary"), Node("J"), Node("K"), Node("B", "outlet"))
    network = canal(nodes=nodes, ends="A-J J-K J-K K-B")
    ends = gauge("R1", 6.0), gauge("R4", 6.0)
    assert found(network, *ends).undetermined.loops == (("R2", "R3"),)
    assert found(network, *ends, gauge("R3", 3.0)).undetermined.loops == ()


@pytest.fixture(scope="module")
def tidal() -> Reconciled:
    rng = np.random.default_rng(3)
    truth = ring(rng, hours=48)
    network = believed(truth, rng, conveyance=0.1, width=0.05)
    gauges = gauges_of(truth, rng, discharge=("C3", "C0"))
    return reconcile(network, gauges, rng=np.random.default_rng(1), errors=Errors(conveyance=0.1, width=0.05))


def test_the_mean_and_every_draw_close_to_rounding(tidal: Reconciled):
    for flow in (tidal.flow, *tidal.sampled(20, np.random.default_rng(2))):
        closed = balanced(flow, tidal.network)
        assert closed.balance.residual_share < 1e-12
        assert closed.balance.reach_share < 1e-12
        assert closed.balance.correction.max() < 1e-10
        assert closed.balance.dry == ()


def test_nothing_passes_a_closed_gate_in_any_draw(tidal: Reconciled):
    shut = tidal.gauges.gauges[-1].value == 0.0
    assert 10 < shut.sum() < len(shut)
    gate = tidal.network.reach_index("G")
    for flow in (tidal.flow, *tidal.sampled(20, np.random.default_rng(2))):
        assert np.all(flow.discharge_start[shut, gate] == 0.0)
        assert np.all(flow.discharge_end[shut, gate] == 0.0)
        assert np.abs(flow.discharge_start[~shut, gate]).min() > 0.0


def test_draws_scatter_as_the_standard_deviation_says(tidal: Reconciled):
    drawn = np.stack([middle(f) for f in tidal.sampled(300, np.random.default_rng(5))])
    inner = tidal.sd() > 1e-3
    ratio = drawn.std(axis=0)[inner] / tidal.sd()[inner]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    assert np.mean(np.abs(ratio - 1.0) < 0.15) > 0.95


def test_nominal_bands_of_90_percent_cover_what_really_flows_in_links_that_nobody_measures():
    # Hourly truth from another model; widths, conveyance, ratings and readings are wrong as stated. Ten rings: the mean of
    # their coverages has a standard deviation of about 0.02, so a right 0.9 fails this about once in a hundred sets of seeds.
    covered, errors, sizes = [], [], []
    for seed in range(10):
        rng = np.random.default_rng(100 + seed)
        truth = ring(rng, hours=48)
        network = believed(truth, rng, conveyance=0.15, width=0.08)
        gauges = gauges_of(truth, rng, discharge=("C3", "C0"))
        done = reconcile(
            network, gauges, rng=np.random.default_rng(1), errors=Errors(conveyance=0.15, width=0.08)
        )
        links = [network.reach_index(n) for n in ("C1", "C2", "C4", "C5", "IA", "IB", "OUT")]
        drawn = np.stack([middle(f)[:, links] for f in done.sampled(100, np.random.default_rng(seed))])
        low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
        real = truth.discharge[:, links]
        covered.append(np.mean((low <= real) & (real <= high)))
        errors.append(np.mean((middle(done.flow)[:, links] - real) ** 2))
        sizes.append(np.mean(real**2))
    assert 0.85 < np.mean(covered) < 0.98
    assert np.sqrt(np.mean(errors) / np.mean(sizes)) < 0.15


def test_a_pump_without_a_log_never_runs_backwards():
    nodes = (Node("A", "boundary"), Node("J"), Node("K"), Node("B", "outlet"), Node("C", "outlet"))
    network = canal(nodes=nodes, ends="A-J J-K K-B J-C")
    network = replace(network, structures=(Structure("P", "R2", "pump"),))
    readings = (
        gauge("R1", np.array([2.0, 2.2, 2.1, 2.0, 2.1, 2.0])),
        gauge("R4", np.array([2.0, 2.1, 2.0, 2.1, 2.2, 2.0])),
    )
    done = found(network, *readings)
    for flow in (done.flow, *done.sampled(40, np.random.default_rng(4))):
        assert flow.discharge_start[:, 1].min() >= 0.0
        assert balanced(flow, network).balance.residual_share < 1e-12


def nearly_empty() -> Reconciled:
    # 0.3 m deep on average, and the stage falls by 0.27 m twice a day: some draws would fall dry.
    stage = 0.27 * np.cos(np.arange(25) * np.pi / 6.0)
    level = Gauge("S", "stage", stage, np.full(25, 0.05), "R1", 500.0, offset=3.0)
    return found(one_reach(depth_m=0.3), gauge("R1", 0.3, bins=24, at=0.0), level)


def test_volumes_stay_above_the_least_in_every_draw():
    done = nearly_empty()
    for flow in done.sampled(40, np.random.default_rng(4)):
        assert flow.volume.min() >= 1.0
        assert balanced(flow, done.network).balance.residual_share < 1e-12
    noise = np.random.default_rng(4).standard_normal((*done.fit.unknown.shape, 40))
    deviation, _ = done.fit.factor.drawn(noise, np.zeros((len(done.fit.still), 40)))
    free = [done.fit.water(done.fit.unknown + d, done.fit.still).volume for d in np.moveaxis(deviation, 2, 0)]
    assert np.min(free) < 0.0  # what is kept would be passed


def test_draws_that_one_correction_brings_within_their_bounds_need_no_second(monkeypatch):
    done = nearly_empty()
    whole = list(done.sampled(40, np.random.default_rng(4)))
    monkeypatch.setattr("suyuan.hydraulics.bounds.MOST_ROUNDS", 1)
    for one, other in zip(whole, done.sampled(40, np.random.default_rng(4)), strict=True):
        np.testing.assert_array_equal(one.volume, other.volume)


def test_draws_that_are_not_brought_within_their_bounds_are_refused_and_not_handed_out(monkeypatch):
    done = nearly_empty()
    monkeypatch.setattr("suyuan.hydraulics.bounds.MOST_ROUNDS", 0)
    said = r"in reach 'R1' less water is held than none \d+ times in drawn flows, after 0 rounds"
    with pytest.raises(InputError, match=said):
        list(done.sampled(40, np.random.default_rng(4)))


def test_a_canal_that_never_holds_the_least_is_refused_and_its_gauge_not_overruled():
    # 10 m wide and 0.09 mm deep, as where metres were taken for something else: 0.9 m3 on a kilometre, of which 1 is the least.
    said = r"in reach 'R1' less water is held than none \d+ times in the mean flow, .*check its depth_m"
    with pytest.raises(InputError, match=said):
        found(one_reach(depth_m=9e-5), gauge("R1", 0.3, bins=24, at=0.0))


def test_a_gap_in_a_record_is_filled_and_less_sure():
    value = np.full(24, 4.0)
    value[8:16] = np.nan
    done = found(
        one_reach(),
        gauge("R1", value, bins=24, sd=0.05),
        gauge("R1", np.where(np.arange(24) < 8, 4.0, np.nan), bins=24),
    )
    assert np.isfinite(middle(done.flow)).all()
    assert done.sd()[12, 0] > 1.2 * done.sd()[4, 0]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), extra=st.integers(0, 3))
def test_any_network_closes_and_relabelling_its_direction_turns_the_sign(seed: int, extra: int):
    rng = np.random.default_rng(seed)
    count = 6
    pairs = [(int(rng.integers(i)), i) for i in range(1, count)]
    pairs += [tuple(rng.choice(count, 2, replace=False).tolist()) for _ in range(extra)]
    nodes = tuple(
        Node(f"N{i}", "outlet" if i == 0 else "boundary" if i == count - 1 else "junction")
        for i in range(count)
    )
    network = canal(nodes=nodes, ends=" ".join(f"N{a}-N{b}" for a, b in pairs))
    seen = [
        gauge("R1", rng.uniform(1.0, 3.0, 8), bins=8),
        gauge(f"R{len(pairs)}", rng.uniform(1.0, 3.0, 8), bins=8, share=2.0),
    ]
    try:
        done = found(network, *seen)
    except InputError:  # dead ends with a discharge, or both gauges on one branch of several
        return
    assert balanced(done.flow, network).balance.residual_share < 1e-11
    turned = replace(
        network.reaches[0], from_node=network.reaches[0].to_node, to_node=network.reaches[0].from_node
    )
    other = replace(network, reaches=(turned, *network.reaches[1:]))
    against = replace(seen[0], value=-seen[0].value)
    second = found(other, against, seen[1])
    assert middle(second.flow)[:, 0] == pytest.approx(-middle(done.flow)[:, 0], abs=0.05)


# --- what cannot be used


def test_a_gauge_on_an_unknown_reach_is_refused():
    with pytest.raises(
        InputError, match=r"reach 'R9' of discharge at 'R9' is not in the network; known are: R1"
    ):
        found(one_reach(), gauge("R9", 4.0))


def test_no_gauge_at_all_is_refused():
    opening = Gauge("G", "opening", np.ones(6), np.ones(6), "R1")
    with pytest.raises(InputError, match="no gauge of discharge, stage or inflow has a value in the window"):
        found(one_reach(), opening)


@pytest.mark.parametrize("datum", [0.01, 3.0])
def test_how_much_water_there_is_hangs_on_the_depth_that_is_given_and_not_on_a_gauges_datum(datum: float):
    """Stage counts by how it moves: volumes scatter as the depth's error of 0.15 says, whatever the datum's error."""
    bins, wave = 24, np.arange(25) / 4.0
    level = Gauge("H", "stage", 2.0 + 0.1 * np.sin(wave), np.full(25, 0.01), "R2", 500.0, offset=datum)
    network = canal(nodes=(Node("A", "boundary"), Node("M"), Node("B", "outlet")), ends="A-M M-B")
    flow = gauge("R1", 4.0 + 0.5 * np.sin(wave[:-1]), bins=bins, share=0.05)
    drawn = found(network, flow, level).sampled(60, np.random.default_rng(2))
    volume = np.log([each.volume.mean(axis=0) for each in drawn])
    assert np.all((volume.std(axis=0) > 0.1) & (volume.std(axis=0) < 0.2))


def test_depth_errs_in_each_reach_by_itself_beside_what_all_have_in_common():
    nodes = (Node("A", "boundary"), Node("J"), Node("B", "outlet"))
    done = found(canal(nodes=nodes, ends="A-J J-B"), gauge("R1", 4.0), gauge("R2", 4.0, name="Q2"))
    volume = np.log([f.volume.mean(axis=0) for f in done.sampled(800, np.random.default_rng(5))])
    np.testing.assert_allclose(volume.std(axis=0), 0.15, rtol=0.09)
    assert np.corrcoef(volume.T)[0, 1] == pytest.approx(0.4, abs=0.1)


def test_stage_alone_is_refused():
    level = Gauge("S", "stage", np.full(7, 2.0), np.full(7, 0.01), "R1", 500.0, offset=3.0)
    with pytest.raises(InputError, match="all 1 gauges read stage, none discharge or inflow"):
        reconcile(one_reach(), Gauges(START, np.arange(7) * HOUR, (level,)), rng=np.random.default_rng(1))


def test_gauges_that_contradict_each_other_are_named():
    nodes = (Node("A", "boundary"), Node("J"), Node("K"), Node("B", "outlet"))
    network = canal(nodes=nodes, ends="A-J J-K K-B")
    bins = 48
    with pytest.raises(
        InputError,
        match=r"discharge at 'R\d' \(mean .*\) and discharge at 'R\d' \(mean .*\) contradict each other",
    ):
        found(network, gauge("R1", 4.0, share=0.05, bins=bins), gauge("R3", 6.0, share=0.05, bins=bins))


def test_a_spot_gauging_beside_them_does_not_hide_a_contradiction():
    once = np.where(np.arange(6) == 3, 3.4, np.nan)
    network = canal(nodes=(Node("A", "boundary"), Node("M"), Node("B", "outlet")), ends="A-M M-B")
    with pytest.raises(InputError, match=r"'R1' \(mean 5 m3/s\) and .*'R2' \(mean 2 m3/s\) contradict"):
        found(network, gauge("R1", 5.0), gauge("R2", 2.0), gauge("R2", once, at=10.0, name="spot"))


def test_gauges_around_a_lake_that_fills_do_not_contradict_each_other():
    """2 and 3 m3/s in, 1 m3/s out: 1 km2 rises by 0.35 m in a day."""
    nodes = (Node("A", "boundary"), Node("L", "lake", area_m2=1e6), Node("B", "outlet"))
    network = canal(nodes=nodes, ends="A-L L-B")
    into = Gauge("I", "inflow", np.full(24, 3.0), np.full(24, 0.1), node="L", share=0.05)
    flow = found(
        network, gauge("R1", 2.0, bins=24, share=0.05), gauge("R2", 1.0, bins=24, share=0.05), into
    ).flow
    assert flow.discharge_end[:, 0].mean() == pytest.approx(2.0, rel=0.1)
    assert flow.discharge_start[:, 1].mean() == pytest.approx(1.0, rel=0.1)


def test_gauges_contradict_each_other_no_more_often_than_stated():
    network = canal(nodes=(Node("A", "boundary"), Node("J"), Node("B", "outlet")), ends="A-J J-B")
    rng = np.random.default_rng(7)
    chances = []
    for _ in range(200):
        one, other = (
            4.0 * (1.0 + 0.05 * rng.standard_normal()) + 0.1 * rng.standard_normal(200) for _ in range(2)
        )
        gauges = hourly(gauge("R1", one, share=0.05, bins=200), gauge("R2", other, share=0.05, bins=200))
        frame = frame_of(network, gauges, roughness=0.03, pools=64)
        chances.append(mean_balance(frame, gauges).probability)
    assert np.mean(np.array(chances) < 0.1) == pytest.approx(
        0.1, abs=0.065
    )  # three standard deviations of 200 draws


def test_all_gauges_on_one_branch_is_refused_and_says_where_to_add_one():
    nodes = (Node("A", "boundary"), Node("B", "boundary"), Node("J"), Node("C", "outlet"))
    network = canal(nodes=nodes, ends="A-J B-J J-C")
    with pytest.raises(
        InputError, match=r"all 2 gauges stand on one branch \(R1\); .*add a gauge on one of: R2, R3"
    ):
        found(network, gauge("R1", 1.0), gauge("R1", 1.1))


def test_a_channel_without_width_is_refused():
    with pytest.raises(InputError, match="width_m of reach 'R1' is missing; write metres above 0"):
        found(one_reach(width_m=float("nan")), gauge("R1", 4.0))


def test_a_stage_below_the_bed_is_refused():
    level = Gauge("S", "stage", 0.6 * np.sin(np.arange(25)), np.full(25, 0.01), "R1", 500.0, offset=3.0)
    with pytest.raises(
        InputError, match=r"the stage in reach 'R1' falls .* below its bed, .*; depth_m 0.2 is too small"
    ):
        found(one_reach(depth_m=0.2), gauge("R1", 0.5, bins=24, sd=3.0), level)


def test_a_network_without_an_outside_is_refused():
    network = canal(nodes=(Node("A"), Node("B")), ends="A-B")
    with pytest.raises(InputError, match="no node is of kind boundary, outlet or lake"):
        found(network, gauge("R1", 4.0))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"sd": np.zeros(6)}, "the error of discharge at 'R1' is 0"),
        ({"value": np.full(6, np.nan)}, "discharge at 'R1' has no value in the window"),
        ({"chainage_m": 2000.0}, r"chainage_m 2000 of discharge at 'R1' lies outside 'R1' \(0 to 1000 m\)"),
        ({"kind": "opening", "value": np.full(6, 1.5)}, "opening at 'R1' is 1.5"),
        ({"kind": "inflow", "node": "X"}, "node 'X' of inflow at 'R1' is not in the network"),
    ],
)
def test_a_gauge_whose_numbers_cannot_be_is_refused(change: dict[str, Array], what: str):
    with pytest.raises(InputError, match=what):
        found(one_reach(), replace(gauge("R1", 4.0), **change), gauge("R1", 4.0))  # type: ignore[arg-type]


# --- the numbers beneath


def test_the_block_factor_is_that_of_the_whole_matrix():
    rng = np.random.default_rng(0)
    blocks, n, p = 4, 3, 2
    precision = Precision.empty(blocks, size=n, still=p)
    whole, right = np.zeros((blocks * n + p,) * 2), np.zeros(blocks * n + p)
    for e in range(blocks):
        row = np.zeros((5, blocks * n + p))
        row[:, max(e - 1, 0) * n : (e + 1) * n] = rng.standard_normal((5, (1 + (e > 0)) * n))
        row[:, blocks * n :] = rng.standard_normal((5, p))
        value = rng.standard_normal(5)
        now, still = row[:, e * n : (e + 1) * n], row[:, blocks * n :]
        precision.diagonal[e] += now.T @ now
        precision.border[e] += now.T @ still
        precision.corner += still.T @ still
        precision.right[e] += now.T @ value
        precision.right_corner += still.T @ value
        if e:
            before = row[:, (e - 1) * n : e * n]
            precision.diagonal[e - 1] += before.T @ before
            precision.lower[e] += now.T @ before
            precision.border[e - 1] += before.T @ still
            precision.right[e - 1] += before.T @ value
        whole += row.T @ row
        right += row.T @ value
    unit = np.array([0.5, 2.0])
    whole[blocks * n :, blocks * n :] += np.diag(unit**-2.0)
    factor = factored(precision, unit)
    unknown, still = factor.solve(precision.right[..., None], precision.right_corner[:, None])
    assert np.r_[unknown.ravel(), still.ravel()] == pytest.approx(np.linalg.solve(whole, right), abs=1e-9)
    covariance = np.linalg.inv(whole)
    own, before, corner = factor.covariances()
    carried = factor.carried
    assert own[2] + carried[2] @ corner @ carried[2].T == pytest.approx(covariance[6:9, 6:9], abs=1e-9)
    assert before[2] + carried[2] @ corner @ carried[1].T == pytest.approx(covariance[6:9, 3:6], abs=1e-9)
    noise, more = (
        np.eye(blocks * n + p)[:, : blocks * n].T.reshape(blocks, n, -1),
        np.eye(blocks * n + p)[blocks * n :],
    )
    drawn, drawn_still = factor.drawn(noise, more)
    root = np.vstack([drawn.reshape(blocks * n, -1), drawn_still])
    assert root @ root.T == pytest.approx(covariance, abs=1e-9)


def test_ways_round_a_square_with_a_tail_lose_no_water():
    ends = np.array([[0, 1, 2, 3, 3], [1, 2, 3, 0, 4]])
    found_ways = ways(ends, np.array([False, False, False, False, True]))
    net = np.zeros((5, 5))
    net[ends[1], np.arange(5)] += 1.0
    net[ends[0], np.arange(5)] -= 1.0
    assert found_ways.round.shape == (5, 1)
    assert np.abs(net @ found_ways.round).max() == 0.0
    assert net[:4] @ found_ways.passing[:, :4] == pytest.approx(np.eye(4))


def test_level_water_stays_level_between_centres():
    ends = np.array([[0, 1, 2, 1], [1, 2, 3, 4]])
    weights = stage_from(ends, np.array([100.0, 200.0, 300.0, 50.0]), nodes=5, at=np.array([0, 3]))
    assert weights.sum(axis=1) == pytest.approx(np.ones(5))
    assert weights[4] == pytest.approx(weights[1])  # a dead end has the stage of its mouth


def test_fewer_centres_change_the_flow_of_a_long_canal_little():
    nodes = (Node("N0", "boundary"), *(Node(f"N{i}") for i in range(1, 12)), Node("N12", "outlet"))
    network = canal(nodes=nodes, ends=" ".join(f"N{i}-N{i + 1}" for i in range(12)), width_m=30.0)
    tide = Gauge(
        "S", "stage", 0.3 * np.sin(np.arange(31) * 0.5), np.full(31, 0.01), "R12", 1000.0, offset=3.0
    )
    every, few = (
        middle(found(network, gauge("R1", 5.0, bins=30), tide, errors=Errors(pools=p)).flow) for p in (64, 5)
    )
    assert np.sqrt(np.mean((every - few) ** 2)) < 0.03 * np.sqrt(np.mean(every**2))
