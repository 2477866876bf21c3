"""Quality control by shape: what instruments do and water does not, and what water does and no check may punish."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from suyuan.observations import FAIL, GOOD, MISSING, SUSPECT, Observations
from suyuan.oxygen import saturation
from suyuan.qc import CHECKS, NOT_EVALUATED, Screening, flag, screen
from suyuan.qc.settings import relations, setting
from suyuan.substances import determinands

Array = NDArray[np.float64]
EVERY_4H = np.timedelta64(4, "h")


def table(
    values: dict[tuple[str, str], Array], *, every: np.timedelta64 = EVERY_4H, qualifier: str = ""
) -> Observations:
    """Return readings of equal steps, a series for each (station, determinand)."""
    parts = [(station, name, series) for (station, name), series in values.items()]
    n = sum(len(series) for *_, series in parts)
    begin = np.datetime64("2024-03-01T00:00:00")
    value = np.concatenate([series for *_, series in parts])
    return Observations(
        time=np.concatenate([begin + np.arange(len(series)) * every for *_, series in parts]).astype(
            "datetime64[s]"
        ),
        station=np.concatenate([np.full(len(series), station) for station, _, series in parts]),
        determinand=np.concatenate([np.full(len(series), name) for _, name, series in parts]),
        value=value,
        qualifier=np.full(n, qualifier),
        flag=np.where(np.isnan(value), MISSING, GOOD).astype(np.int8),
        duration_s=np.zeros(n),
        sample_id=np.full(n, ""),
    )


def moving(level: float, sd: float, *, digits: int = 2, n: int = 360, seed: int = 0) -> Array:
    """Return a series that wanders about a level as rivers do: mostly smooth, correlated over a day."""
    rng = np.random.default_rng(seed)
    value = np.empty(n)
    value[0] = 0.0
    for k in range(1, n):
        value[k] = 0.95 * value[k - 1] + rng.normal(0.0, 0.31)
    return np.round(level + sd * value, digits)


def told(seen: Screening, check: str) -> list[int]:
    """Return the rows that a check speaks against."""
    return np.flatnonzero(np.isin(seen.by_check(check), (SUSPECT, FAIL))).tolist()


CALM = moving(0.4, 0.05, digits=3)


def test_one_reading_far_from_its_neighbours_is_a_spike():
    value = CALM.copy()
    value[200] += 0.5
    assert told(screen(table({("S", "TN"): moving(2.0, 0.3), ("S", "TP"): value})), "spike") == [560]


def test_readings_that_jump_away_and_back_are_an_offset():
    value = CALM.copy()
    value[200:212] += 0.5
    assert told(screen(table({("S", "TP"): value})), "offset") == list(range(200, 212))


@pytest.mark.parametrize("rising_h", [12, 24, 48])
def test_a_plume_that_rises_and_falls_slowly_is_no_fault(rising_h: int):
    hours = np.arange(360) * 4.0
    plume = 1.5 * np.exp(-0.5 * ((hours - 800.0) / rising_h) ** 2)
    assert screen(table({("S", "TP"): np.round(CALM + plume, 3)})).alarms == ()


def test_a_plume_that_comes_at_once_and_goes_slowly_is_neither_spike_nor_offset():
    hours = np.arange(360) * 4.0
    plume = np.where(hours >= 800.0, 0.8 * np.exp(-(hours - 800.0) / 30.0), 0.0)
    seen = screen(table({("S", "TP"): np.round(CALM + plume, 3)}))
    assert told(seen, "spike") == told(seen, "offset") == []


def test_a_short_peak_that_two_analysers_show_is_water():
    tp, codmn = CALM.copy(), moving(4.0, 0.4, seed=1)
    tp[200] += 0.5
    codmn[200] += 4.0
    assert told(screen(table({("S", "TP"): tp, ("S", "CODMn"): codmn})), "spike") == []
    assert told(screen(table({("S", "TP"): tp, ("T", "CODMn"): codmn})), "spike") == [200, 560]


def test_chlorophyll_is_no_witness_for_the_algae_that_its_own_probe_counts():
    chl, algae = moving(0.02, 0.004, digits=3), moving(1e7, 2e6, digits=0, seed=1)
    chl[200] += 0.08
    algae[200] += 4e7
    assert told(screen(table({("S", "chl-a"): chl, ("S", "algal_density"): algae})), "spike") == [200, 560]


def test_a_ramp_of_five_days_that_ends_at_once_is_a_drift():
    value = CALM.copy()
    value[200:230] += np.linspace(0.01, 0.3, 30)
    seen = screen(table({("S", "TP"): np.round(value, 3)}))
    assert set(told(seen, "drift")) & set(range(200, 230))
    assert max(told(seen, "drift")) == 229


def test_a_jump_of_many_spreads_is_suspect_before_it_is_known_whether_it_comes_back():
    value = CALM.copy()
    value[-1] += 8.0
    seen = screen(table({("S", "TP"): value}))
    assert told(seen, "rate") == [359]
    assert told(seen, "spike") == []


def test_a_probe_that_stands_for_a_day_is_stuck():
    value = moving(7.6, 0.2)
    value[200:207] = 7.63
    assert told(screen(table({("S", "pH"): value})), "flat line") == list(range(200, 207))


def test_ammonia_below_detection_for_five_weeks_is_not_stuck():
    """Half the detection limit of 0.05 mg/L, as published tables have it, 228 readings."""
    value = np.maximum(moving(0.12, 0.05, digits=3), 0.051)
    value[100:328] = 0.025
    assert told(screen(table({("S", "NH3-N"): value})), "flat line") == []


def test_ph_published_in_whole_numbers_is_not_stuck():
    value = moving(8.05, 0.12)
    value[100:241] = 8.0
    assert told(screen(table({("S", "pH"): value})), "flat line") == []
    value[100:241] = 8.07
    assert told(screen(table({("S", "pH"): value})), "flat line") == list(range(100, 241))


def test_nutrients_published_again_at_night_are_not_stuck():
    value = moving(2.0, 0.3)
    for k in range(0, 360, 6):  # 00 h and 04 h repeat 20 h
        value[k : k + 2] = value[k - 1] if k else value[0]
    seen = screen(table({("S", "TN"): value}))
    assert told(seen, "flat line") == told(seen, "copied") == []


def test_a_signal_that_all_but_stops_moving_is_attenuated():
    value = moving(7.6, 0.2)
    value[150:190] = 7.6 + np.tile([0.0, 0.01], 20)
    assert set(range(155, 185)) <= set(told(screen(table({("S", "pH"): value})), "attenuated"))


def test_noise_is_told_where_readings_are_close_and_never_where_they_are_not():
    rng = np.random.default_rng(3)
    smooth = 20.0 + 8.0 * np.sin(np.arange(2000) / 150.0)
    smooth[900:1200] *= np.exp(rng.normal(0.0, 0.4, 300))
    hourly = screen(table({("S", "turbidity"): np.round(smooth, 1)}, every=np.timedelta64(1, "h")))
    rows = set(told(hourly, "noisy"))
    assert len(rows & set(range(900, 1200))) > 240
    assert len(rows - set(range(900, 1200))) < 20
    slow = screen(table({("S", "turbidity"): np.round(smooth, 1)}))
    assert (slow.by_check("noisy") == NOT_EVALUATED).all()


def test_conductivity_of_air_fails_and_that_of_foam_is_suspect():
    value = moving(420.0, 25.0, digits=1)
    value[200:203], value[250] = 2.3, 30.0
    flags = screen(table({("S", "EC"): value})).by_check("dry probe")
    assert flags[[199, 200, 201, 202, 250]].tolist() == [GOOD, FAIL, FAIL, FAIL, SUSPECT]


def test_acid_water_among_neutral_is_outside_the_climate_and_sewage_among_sewage_is_not():
    ph, ammonia = moving(7.6, 0.1), moving(35.0, 3.0, seed=1)
    ph[200] = 4.2
    seen = screen(table({("S", "pH"): ph, ("S", "NH3-N"): ammonia}))
    assert told(seen, "climate") == [200]
    assert (seen.by_check("climate")[360:] == NOT_EVALUATED).all()


def test_fresh_water_at_a_tidal_station_is_no_dry_probe():
    value = moving(30000.0, 800.0, digits=1)
    value[200:203], value[250], value[300] = 600.0, 60.0, 2.0
    flags = screen(table({("S", "EC"): value})).by_check("dry probe")
    assert flags[[200, 201, 202, 250, 300]].tolist() == [GOOD, GOOD, GOOD, SUSPECT, FAIL]


def test_a_probe_that_reads_no_oxygen_for_twenty_days_is_stuck():
    value = moving(7.0, 0.5)
    value[100:220] = 0.0
    assert told(screen(table({("S", "DO"): value})), "flat line") == list(range(100, 220))


def test_more_ammonia_than_total_nitrogen_makes_both_suspect():
    tn, nh3n = moving(2.0, 0.2), moving(0.5, 0.05, digits=3)
    nh3n[100] = 3.5
    assert told(screen(table({("S", "TN"): tn, ("S", "NH3-N"): nh3n})), "relation") == [100, 460]


def test_what_two_analysers_may_err_by_is_no_contradiction():
    tn, nh3n = moving(2.0, 0.2), moving(2.0, 0.2)
    assert told(screen(table({("S", "TN"): tn, ("S", "NH3-N"): np.round(1.09 * nh3n, 3)})), "relation") == []


def test_a_part_below_its_detection_limit_contradicts_nothing():
    both = table({("S", "TN"): np.full(30, 0.2), ("S", "NH3-N"): np.full(30, 0.5)}, qualifier="<")
    assert told(screen(both), "relation") == []


def test_oxygen_is_saturated_as_printed_in_standard_methods():
    """APHA 4500-O, table at no chlorinity: 14.62 mg/L at 0, 11.29 at 10, 9.09 at 20, 7.56 at 30 degC."""
    np.testing.assert_allclose(
        saturation(np.array([0.0, 10.0, 20.0, 30.0])), [14.62, 11.29, 9.09, 7.56], atol=0.005
    )


def test_oxygen_of_three_times_saturation_is_suspect_and_of_a_bloom_is_not():
    warm, oxygen = np.full(60, 30.0), np.full(60, 16.0)
    oxygen[30] = 23.0
    assert told(screen(table({("S", "water_temp"): warm, ("S", "DO"): oxygen})), "saturation") == [90]


def test_a_day_copied_from_last_week_is_told_with_its_original():
    value = moving(420.0, 25.0, digits=1)
    value[300:307] = value[258:265]
    seen = screen(table({("S", "EC"): value}))
    assert told(seen, "copied") == list(range(300, 307))
    assert {alarm.measured for alarm in seen.alarms if alarm.check == "copied"} == {168.0}


def test_a_station_that_leaves_its_neighbours_is_told_where_they_know():
    common = 15.0 + 0.2 * moving(0.0, 1.0, n=360) + 6.0 * np.sin(np.arange(360) / 20.0)
    four = {("ABCD"[k], "water_temp"): np.round(common + moving(0.0, 0.03, seed=k), 1) for k in range(4)}
    four["A", "water_temp"][200:205] += 5.0
    assert told(screen(table(four)), "neighbours") == list(range(200, 205))
    two = {key: value for key, value in four.items() if key[0] in "AB"}
    assert told(screen(table(two)), "neighbours") == []


def test_a_station_that_reads_in_three_ways_is_one_neighbour():
    """Sensor, grabs and composites at B and a sensor at A: four series, but A has one neighbour and B one."""
    common = 15.0 + 6.0 * np.sin(np.arange(360) / 20.0)
    names = ("A", "B", "C", "D")
    four = table(
        {
            (name, "water_temp"): np.round(common + moving(0.0, 0.03, seed=k), 1)
            for k, name in enumerate(names)
        }
    )
    four.value[200:205] += 5.0
    assert told(screen(four), "neighbours") == list(range(200, 205))
    is_of = {name: four.station == name for name in names}
    same = replace(
        four,
        station=np.where(is_of["A"], "A", "B"),
        sample_id=np.where(is_of["C"], "grab", ""),
        duration_s=np.where(is_of["D"], 3600.0, 0.0),
    )
    assert (screen(same).by_check("neighbours") == NOT_EVALUATED).all()


def test_a_station_is_no_neighbour_of_its_own():
    """Grabs that share the sensor's fault of 5 K do not halve it: the median is of the other stations only."""
    common = 15.0 + 6.0 * np.sin(np.arange(360) / 20.0)
    series = {
        (name, "water_temp"): np.round(common + moving(0.0, 0.03, seed=k), 1)
        for k, name in enumerate("ABCDEFG")
    }
    for name in "AEFG":
        series[name, "water_temp"][200:205] += 5.0
    seven = table(series)
    at = np.searchsorted(list("ABCDEFG"), seven.station)
    own = replace(
        seven,
        station=np.where(np.isin(seven.station, list("EFG")), "A", seven.station),
        sample_id=np.where(np.isin(at, (4, 6)), "grab", ""),
        duration_s=np.where(np.isin(at, (5, 6)), 3600.0, 0.0),
    )
    alarms = [alarm for alarm in screen(own).alarms if alarm.check == "neighbours" and alarm.rows[0] < 360]
    assert [int(alarm.rows[0]) for alarm in alarms] == list(range(200, 205))
    assert [alarm.measured for alarm in alarms] == pytest.approx([5.0] * 5, abs=0.3)


def test_readings_from_the_future_fail():
    given_readings = table({("S", "TP"): CALM})
    later = screen(given_readings, now=given_readings.time[350])
    assert told(later, "future") == list(range(351, 360))
    assert (screen(given_readings).by_check("future") == NOT_EVALUATED).all()


def test_a_short_series_is_not_judged_by_its_shape():
    value = np.full(12, 0.1)
    value[5] = 3.0
    seen = screen(table({("S", "TP"): value}))
    assert (seen.by_check("spike") == NOT_EVALUATED).all()
    assert (seen.observations.flag == GOOD).all()


def test_what_has_nothing_to_compare_with_is_not_called_good():
    """A lone station without a partner of its determinands: nobody asked its neighbours, its whole or its temperature."""
    seen = screen(table({("S", "DO"): moving(8.0, 0.5), ("S", "NH3-N"): CALM}))
    for name in ("neighbours", "relation", "saturation"):
        assert (seen.by_check(name) == NOT_EVALUATED).all()
    assert (seen.by_check("spike") == GOOD).all()


def test_a_pair_is_compared_where_both_were_read():
    tn, nh3n = moving(2.0, 0.2), moving(0.5, 0.05, digits=3, n=100)
    seen = screen(table({("S", "TN"): tn, ("S", "NH3-N"): nh3n}))
    expected = [GOOD] * 100 + [NOT_EVALUATED] * 260 + [GOOD] * 100
    assert seen.by_check("relation").tolist() == expected


def test_a_month_of_readings_is_needed_to_call_a_signal_attenuated_or_not():
    """Ten windows of three days, 18 readings each."""
    for n, expected in ((179, NOT_EVALUATED), (180, GOOD)):
        assert (screen(table({("S", "pH"): moving(7.6, 0.2, n=n)})).by_check("attenuated") == expected).all()


def test_sewers_and_soft_water_are_asked_for_neither_climate_nor_dry_probe():
    sewer = screen(table({("S", "NH3-N"): moving(30.0, 3.0), ("S", "EC"): moving(20.0, 2.0)}))
    assert (sewer.by_check("climate")[:360] == NOT_EVALUATED).all()
    assert (sewer.by_check("dry probe") == NOT_EVALUATED).all()


def test_what_is_not_evaluated_spoils_no_reading_and_missing_stays_missing():
    value = CALM.copy()
    value[7] = np.nan
    seen = screen(table({("S", "TP"): value}))
    assert (seen.flags[7] == MISSING).all()
    assert np.flatnonzero(seen.observations.flag != GOOD).tolist() == [7]


def test_the_tracer_sees_every_peak_that_is_only_suspect():
    value = CALM.copy()
    value[200] += 5.0
    given_readings = table({("S", "TP"): value})
    assert screen(given_readings).observations.is_usable.all()
    assert flag(given_readings).flag.tolist() == [GOOD] * 360


def test_every_setting_is_of_a_known_determinand_and_says_where_it_is_from():
    for name in (
        "water_temp",
        "pH",
        "DO",
        "EC",
        "turbidity",
        "CODMn",
        "NH3-N",
        "TP",
        "TN",
        "chl-a",
        "algal_density",
    ):
        known = setting(name)
        assert known.source
        assert known.climate[0] < known.climate[1]
        assert determinands()[name].lowest <= known.climate[0] or name == "water_temp"
    assert all({pair.whole, pair.part} <= determinands().keys() for pair in relations())


_STEPS = st.lists(st.floats(-0.2, 0.2), min_size=40, max_size=80)


def _series(steps: list[float], faults: list[tuple[int, float]]) -> Array:
    value = 5.0 + np.cumsum(steps) * 0.3
    for at, size in faults:
        value[at % len(value)] += size
    return np.round(value, 2)


_FAULTS = st.lists(st.tuples(st.integers(0, 79), st.sampled_from([-4.0, 3.0, 9.0, 60.0])), max_size=3)


@settings(max_examples=30, deadline=None)
@given(steps=_STEPS, faults=_FAULTS, order=st.randoms(use_true_random=False))
def test_nothing_is_deleted_and_the_order_of_rows_does_not_matter(steps, faults, order):  # type: ignore[no-untyped-def]
    value = _series(steps, faults)
    given_readings = table({("S", "TN"): value, ("S", "EC"): 100.0 * value, ("T", "TN"): value[::-1].copy()})
    seen = screen(given_readings)
    assert seen.flags.shape == (len(given_readings), len(CHECKS))
    np.testing.assert_array_equal(seen.observations.value, given_readings.value)
    assert (seen.observations.flag >= given_readings.flag).all()
    rows = list(range(len(given_readings)))
    order.shuffle(rows)
    shuffled = screen(given_readings.where(np.array(rows)))
    np.testing.assert_array_equal(shuffled.flags, seen.flags[rows])


@settings(max_examples=30, deadline=None)
@given(steps=_STEPS, faults=_FAULTS, offset=st.integers(1, 40))
def test_spikes_do_not_hang_on_the_level(steps, faults, offset):  # type: ignore[no-untyped-def]
    """A gauge read from another zero shows the same spikes, as long as it stays in the physical range."""
    value = np.clip(_series(steps, faults), 0.5, None)
    low, high = (screen(table({("S", "SS"): each})) for each in (value, value + offset))
    for name in ("spike", "offset", "drift", "rate"):
        assert told(low, name) == told(high, name)


@settings(max_examples=30, deadline=None)
@given(steps=_STEPS, faults=_FAULTS)
def test_screening_twice_says_the_same(steps, faults):  # type: ignore[no-untyped-def]
    """SUSPECT readings stay in what is learnt, so flags do not breed flags."""
    given_readings = table({("S", "TN"): _series(steps, faults)})
    once = screen(given_readings)
    if not (once.observations.flag == FAIL).any():
        np.testing.assert_array_equal(screen(once.observations).flags, once.flags)
