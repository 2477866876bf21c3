"""Flags on readings: what water cannot be, and what was written twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.observations import FAIL, GOOD, MISSING, SUSPECT, Observations
from suyuan.qc import flag

Row = tuple[str, str, int, float]


def readings(*rows: Row, sign: str = "", own: int = GOOD, samples: tuple[str, ...] = ()) -> Observations:
    """Return readings from rows of station, determinand, hour and value."""
    station, named, hour, value = zip(*rows, strict=True)
    return Observations(
        time=np.datetime64("2024-07-20T00:00:00") + np.array(hour) * np.timedelta64(3600, "s"),
        station=np.array(station),
        determinand=np.array(named),
        value=np.array(value, dtype=float),
        qualifier=np.full(len(rows), sign),
        flag=np.full(len(rows), own, dtype=np.int8),
        duration_s=np.zeros(len(rows)),
        sample_id=np.array(samples or [""] * len(rows)),
    )


@pytest.mark.parametrize(
    ("named", "value", "expected"),
    [
        ("pH", 7.4, GOOD),
        ("pH", 14.2, FAIL),
        ("NH3-N", -0.01, FAIL),
        ("NH3-N", 0.0, GOOD),
        ("NH3-N", 400.0, GOOD),  # a tanker of manure: a peak is not an error
        ("DO", 55.0, FAIL),
        ("water_temp", -1.0, GOOD),
        ("water_temp", 99.9, FAIL),
        ("NH3-N", np.nan, MISSING),
        ("something else", -5.0, GOOD),
    ],
)
def test_a_reading_that_water_cannot_have_fails(named: str, value: float, expected: int):
    assert flag(readings(("S1", named, 0, value))).flag[0] == expected


def test_a_reading_sent_twice_counts_once():
    twice = readings(("S1", "TP", 0, 0.1), ("S1", "TP", 1, 0.1), ("S1", "TP", 0, 0.1), ("S1", "TP", 0, 0.1))
    assert flag(twice).flag.tolist() == [GOOD, GOOD, FAIL, FAIL]


def test_readings_that_contradict_each_other_are_all_suspect():
    against = readings(("S1", "TP", 0, 0.1), ("S2", "TP", 0, 0.3), ("S1", "TP", 0, 0.2), ("S1", "TN", 0, 0.1))
    assert flag(against).flag.tolist() == [SUSPECT, GOOD, SUSPECT, GOOD]


def test_replicate_samples_are_not_doubles():
    replicates = readings(("S1", "TP", 0, 0.1), ("S1", "TP", 0, 0.1), samples=("a", "b"))
    assert flag(replicates).flag.tolist() == [GOOD, GOOD]


def test_a_missing_row_beside_the_reading_contradicts_nothing():
    """A logger that writes an empty row and, once it is connected again, the reading of that hour."""
    both = readings(("S1", "TP", 0, np.nan), ("S1", "TP", 0, 0.1), ("S1", "TP", 0, 0.1))
    assert flag(both).flag.tolist() == [MISSING, GOOD, FAIL]


def test_a_missing_value_that_is_sent_twice_stays_missing():
    gaps = readings(("S1", "TP", 0, np.nan), ("S1", "TP", 0, np.nan))
    assert flag(gaps).flag.tolist() == [MISSING, MISSING]


def test_a_flag_is_never_improved():
    assert flag(readings(("S1", "TP", 0, 0.1), own=SUSPECT)).flag[0] == SUSPECT
    assert flag(readings(("S1", "TP", 0, 0.1), own=FAIL)).flag[0] == FAIL


def test_an_empty_table_stays_empty():
    one = readings(("S1", "TP", 0, 0.1))
    assert len(flag(one.where(np.array([False])))) == 0


_ROW = st.tuples(
    st.sampled_from(["S1", "S2"]),
    st.sampled_from(["TP", "pH"]),
    st.integers(0, 3),
    st.sampled_from([0.1, 7.0, -1.0, float("nan")]),
)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(_ROW, min_size=1, max_size=12), order=st.randoms(use_true_random=False))
def test_nothing_is_deleted_and_the_order_of_rows_does_not_matter(rows: list[Row], order):  # type: ignore[no-untyped-def]
    given_readings = readings(*rows)
    flagged = flag(given_readings)
    np.testing.assert_array_equal(flagged.value, given_readings.value)
    assert (flagged.flag >= given_readings.flag).all()
    assert (flag(flagged).flag == flagged.flag).all()
    shuffled = list(rows)
    order.shuffle(shuffled)
    assert sorted(flag(readings(*shuffled)).flag) == sorted(flagged.flag)
