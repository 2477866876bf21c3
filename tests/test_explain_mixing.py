"""Two waters that mix: found exactly where nothing errs, not found where nothing mixes, their ends told with doubt."""

from __future__ import annotations

import numpy as np
import pytest
from explain_tables import RECORD, rows_of, table_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from suyuan.explain.mixing import end_members, fractions, linked, mixing_of, straight_line
from suyuan.explain.table import at_times, station_table
from suyuan.io.import_readings import import_readings
from suyuan.io.observations import read_observations
from suyuan.io.times import timezone_of
from suyuan.observations import Observations
from suyuan.qc import screen

FIRST = {"EC": 500.0, "chloride": 20.0, "TN": 2.0, "TP": 0.1, "NH3-N": 0.2, "DO": 7.0}
SECOND = {"EC": 900.0, "chloride": 100.0, "TN": 5.0, "TP": 0.3, "NH3-N": 1.0, "DO": 3.0}


def mixtures(share: np.ndarray, noise: float = 0.0, seed: int = 1) -> dict[str, np.ndarray]:
    """Return mixtures of the two waters, with a relative error."""
    rng = np.random.default_rng(seed)
    made = {name: FIRST[name] + share * (SECOND[name] - FIRST[name]) for name in FIRST}
    return {name: value * np.exp(rng.normal(0.0, noise, len(share))) for name, value in made.items()}


def shares(count: int = 40, seed: int = 2) -> np.ndarray:
    """Return shares of the second water that come and go, both waters among them."""
    share = np.random.default_rng(seed).uniform(0.0, 1.0, count)
    share[[5, 17]] = 0.0, 1.0
    return share


def test_two_known_waters_mixed_in_known_shares_are_found_exactly():
    share = shares()
    found = mixing_of(table_of(mixtures(share)), rng=np.random.default_rng(1))
    assert found.is_found
    assert found.tracers == ("EC", "chloride")
    np.testing.assert_allclose(found.low, [500.0, 20.0], rtol=1e-12)
    np.testing.assert_allclose(found.high, [900.0, 100.0], rtol=1e-12)
    np.testing.assert_allclose(found.fraction, share, atol=1e-12)
    for name in ("TN", "TP", "NH3-N", "DO"):
        one = found.follower(name)
        assert one is not None
        assert one.follows
        np.testing.assert_allclose([one.low, one.high], [FIRST[name], SECOND[name]], rtol=1e-9)
        assert one.share == pytest.approx(1.0, abs=1e-12)


@given(
    share=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8),
    sd=st.lists(st.floats(0.1, 10.0), min_size=2, max_size=2),
)
def test_shares_of_two_known_waters_come_out_whatever_the_tracers_errors(share: list[float], sd: list[float]):
    low, high = np.array([500.0, 20.0]), np.array([900.0, 100.0])
    value = low + np.array(share)[:, None] * (high - low)
    np.testing.assert_allclose(fractions(value, low, high=high, sd=np.array(sd)), share, atol=1e-12)


@given(slope=st.floats(-3.0, 3.0), scale=st.floats(0.2, 5.0))
def test_the_straight_line_is_found_whichever_of_the_tracers_errs(slope: float, scale: float):
    x = np.array([1.0, 2.0, 4.0, 7.0])
    _, direction = straight_line(np.stack([x, 3.0 + slope * x], axis=1), np.array([1.0, scale]))
    assert direction[1] / direction[0] == pytest.approx(slope, abs=1e-9)


def test_a_determinand_of_another_origin_is_left_over():
    columns = mixtures(shares(), noise=0.02)
    columns["CODMn"] = np.random.default_rng(5).uniform(3.0, 5.0, 40)
    found = mixing_of(table_of(columns), rng=np.random.default_rng(1))
    assert found.is_found
    assert found.residual == ("CODMn",)


def test_two_series_that_both_drift_are_no_mixing():
    time = np.arange(60.0)
    rng = np.random.default_rng(3)
    columns = {name: FIRST[name] * (1.0 + 0.01 * time + rng.normal(0.0, 0.02, 60)) for name in FIRST}
    del columns["chloride"]
    found = mixing_of(table_of(columns), rng=np.random.default_rng(1))
    assert not found.is_found
    assert found.note.code == "no_witnesses"


def test_of_two_hundred_rivers_in_which_nothing_mixes_hardly_any_is_said_to():
    """Every series a random walk of its own; at most two of 200 by chance (measured: 0)."""
    wrong = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        columns = {
            name: FIRST[name] * np.exp(np.cumsum(rng.normal(0.0, 0.05, 30)))
            for name in FIRST
            if name != "chloride"
        }
        wrong += mixing_of(table_of(columns), rng=rng).is_found
    assert wrong <= 2


def test_calm_conductivity_says_nothing_of_mixing():
    columns = mixtures(0.01 * shares())
    found = mixing_of(table_of(columns), rng=np.random.default_rng(1))
    assert (found.is_found, found.note.code) == (False, "calm_tracer")


def test_without_a_conservative_determinand_no_mixing_can_be_seen():
    columns = mixtures(shares())
    del columns["EC"], columns["chloride"]
    assert mixing_of(table_of(columns), rng=np.random.default_rng(1)).note.code == "no_tracer"


@pytest.mark.parametrize("error", [0.3, 1.0])
@pytest.mark.parametrize(
    ("least", "most"), [(0.0, 1.0), (-0.5, 1.5)], ids=["mixtures alone", "pure water too"]
)
def test_the_bands_of_the_two_waters_hold_them(least: float, most: float, error: float):
    """Shares spread evenly between the waters, or half of the readings of pure water; the waters lie 12 errors apart. Of 100
    rivers the 90 % band of each end holds it in 78 to 100 (four standard errors); bands that reach outward alone held the
    ends of pure water in none to 5, those of mixtures in 28 to 72."""
    rng = np.random.default_rng(7)
    held = []
    for _ in range(100):
        position = 12.0 * np.clip(rng.uniform(least, most, 25), 0.0, 1.0) + error * rng.normal(size=25)
        ends = end_members(position, rng, limits=(-np.inf, np.inf))
        low, high = np.quantile(ends, (0.05, 0.95), axis=0)
        held.append((low[0] <= 0.0 <= high[0], low[1] <= 12.0 <= high[1]))
    assert (np.mean(held, axis=0) >= 0.78).all(), np.mean(held, axis=0)


@pytest.mark.parametrize("second", [0.5, 0.1])
def test_the_bands_hold_waters_between_which_a_gate_switches(second: float):
    """Every reading is of one water or the other, 12 errors apart; of 60 rivers 45 or more are held (five standard errors)."""
    rng = np.random.default_rng(11)
    held, wide = [], []
    for _ in range(60):
        position = 12.0 * (rng.uniform(size=100) < second) + rng.normal(size=100)
        low, high = np.quantile(end_members(position, rng, limits=(-np.inf, np.inf)), (0.05, 0.95), axis=0)
        held.append((low[0] <= 0.0 <= high[0], low[1] <= 12.0 <= high[1]))
        wide.append(high - low)
    assert (np.sum(held, axis=0) >= 45).all(), np.mean(held, axis=0)
    assert (np.median(wide, axis=0) < 3.0).all()


def test_many_readings_of_pure_water_tell_it_closer_than_the_farthest_of_them():
    """Half of 200 readings of the first water, half of the second, EC known to 2 %: the highest reading errs upward by some 2.5
    errors, the band lies about the true water."""
    share = np.random.default_rng(3).integers(0, 2, 200).astype(float)
    columns = mixtures(share, noise=0.02)
    del columns["chloride"]
    found = mixing_of(table_of(columns), rng=np.random.default_rng(1))
    assert found.is_found
    assert columns["EC"].max() > 930.0
    assert found.high_band[0].mean() == pytest.approx(
        900.0, abs=5.4
    )  # three standard errors of a hundred readings
    assert np.ptp(found.high_band[0]) < 15.0
    assert found.low_band[0, 0] <= found.low[0] <= found.low_band[0, 1]
    assert found.high_band[0, 0] <= found.high[0] <= found.high_band[0, 1]
    assert found.fraction.mean() == pytest.approx(share.mean(), abs=0.02)


def test_no_water_holds_less_than_nothing():
    share = 0.2 + 0.8 * shares()
    columns = mixtures(share)
    columns["TN"] = 3.0 * (share - 0.15)  # the line meets zero at a share of 0.15
    found = mixing_of(table_of(columns), rng=np.random.default_rng(1))
    assert found.low_band[0, 0] >= 500.0 + 0.15 * 400.0 - 1e-6


def test_series_that_resemble_themselves_are_linked_less_surely():
    rng = np.random.default_rng(1)
    x = rng.normal(size=60)
    slow = np.convolve(rng.normal(size=70), np.ones(11), "valid")
    other = np.convolve(rng.normal(size=70), np.ones(11), "valid")
    assert linked(x, x + rng.normal(size=60))[1] < 1e-6
    r, p = linked(slow, other)
    plain = 2.0 * stats.t.sf(abs(r) * np.sqrt(58 / (1 - r * r)), 58)
    assert p > plain


def test_a_sample_shown_again_counts_once():
    columns = {name: np.array([1.0, 1.0, 2.0, 2.0]) for name in ("NH3-N", "TP")}
    columns["EC"] = np.array([500.0, 510.0, 520.0, 530.0])
    time = np.tile(np.datetime64("2024-07-01T00") + np.arange(4) * np.timedelta64(14400, "s"), 3)
    names = np.repeat(list(columns), 4)
    nothing = np.full(12, "")
    readings = Observations(
        time,
        np.full(12, "S"),
        names,
        np.concatenate(list(columns.values())),
        nothing,
        np.ones(12, np.int8),
        np.zeros(12),
        nothing,
    )
    table = station_table(readings, ("S",))
    assert table.is_repeat.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(table.column("TP"), [1.0, np.nan, 2.0, np.nan])
    assert np.isfinite(table.column("EC")).all()


@pytest.mark.parametrize(("value", "qualifier"), [(0.005, ""), (5.0, "<")])
def test_clean_water_below_detection_is_a_new_sample_every_time(value: float, qualifier: str):
    time = np.tile(np.datetime64("2024-07-01T00") + np.arange(4) * np.timedelta64(14400, "s"), 2)
    text = np.full(8, "")
    readings = Observations(
        time, np.full(8, "S"), np.repeat(["NH3-N", "TP"], 4), np.full(8, value), np.full(8, qualifier),
        np.ones(8, np.int8), np.zeros(8), text,
    )  # fmt: skip
    assert not station_table(readings, ("S",)).is_repeat.any()


def test_values_are_not_carried_over_long_gaps():
    time = np.array(["2024-07-01T00", "2024-07-03T00"], "datetime64[s]")
    asked = np.array(["2024-07-02T00", "2024-07-01T03"], "datetime64[s]")
    found = at_times(asked, time, value=np.array([1.0, 3.0]), within_s=4 * 3600.0)
    assert np.isnan(found[0])
    assert found[1] == 1.0


NO_MIXING = ("五牧", "望亭上游", "殷村港桥", "陈东港", "洪巷桥", "大浦港桥")
"""Sections that the record's own description names, of the same days: canals and lake mouths that move in other ways."""


@pytest.fixture(scope="module")
def delta(tmp_path_factory: pytest.TempPathFactory):
    """Readings of 姚巷桥 and of the sections of NO_MIXING, as a project holds them."""
    if not RECORD.is_file():
        pytest.skip("china_auto_4h_2021_04 is not beside the repository (../shared/data)")
    from datetime import UTC, datetime

    folder = tmp_path_factory.mktemp("delta")
    import_readings(
        rows_of(("姚巷桥", *NO_MIXING), folder / RECORD.name), folder, now=datetime(2024, 1, 1, tzinfo=UTC)
    )
    return read_observations((folder / "readings.csv",), timezone=timezone_of("Asia/Shanghai"))


def test_at_yaoxiang_bridge_two_waters_mix_and_permanganate_is_left_over(delta):
    seen = screen(delta.select(stations=("姚巷桥",))).observations
    found = mixing_of(station_table(seen, ("姚巷桥",)), rng=np.random.default_rng(1))
    assert found.is_found
    assert found.tracers == ("EC",)
    assert {"TN", "TP", "DO", "pH"} <= {one.determinand for one in found.followers if one.follows}
    assert found.residual == ("CODMn",)
    tn, codmn = found.follower("TN"), found.follower("CODMn")
    assert tn is not None
    assert codmn is not None
    assert tn.share == pytest.approx(
        0.93**2, abs=0.02
    )  # r = 0.93 and 0.08, as the record's description gives them
    assert codmn.share < 0.02
    assert 690.0 < found.low[0] < 700.0 < 880.0 < found.high[0] < 895.0
    assert (found.low_band[0, 0] < found.low[0]) & (found.high[0] < found.high_band[0, 1])


@pytest.mark.parametrize("station", NO_MIXING)
def test_elsewhere_in_the_same_days_no_mixing_is_found(delta, station: str):
    seen = screen(delta.select(stations=(station,))).observations
    found = mixing_of(station_table(seen, (station,)), rng=np.random.default_rng(1))
    assert not found.is_found
    assert found.note.code in ("no_witnesses", "calm_tracer")
