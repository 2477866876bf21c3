"""The observations noun: readings pooled into means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.observations import FAIL, GOOD, Observations, pooled

START = np.datetime64("2024-07-20T00:00:00")
HOUR_S = 3600.0


def observed(
    hours: list[float], values: list[float], *, station: str = "S", name: str = "TP"
) -> Observations:
    n = len(hours)
    text = np.full(n, "", dtype="<U1")
    return Observations(
        time=START + (np.array(hours) * HOUR_S).astype("timedelta64[s]"),
        station=np.full(n, station),
        determinand=np.full(n, name),
        value=np.array(values, dtype=float),
        qualifier=text,
        flag=np.full(n, GOOD, np.int8),
        duration_s=np.zeros(n),
        sample_id=text,
    )


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(0.0, 9.0)), min_size=1, max_size=40), st.integers(1, 9)
)
def test_means_weighted_by_their_readings_keep_the_total(rows: list[tuple[int, float]], every: int):
    hours, values = [h for h, _ in rows], [v for _, v in rows]
    means = pooled(observed(hours, values), every_s=every * HOUR_S)
    window = (np.array(hours) - min(hours)) // every
    count = np.array([np.sum(window == w) for w in np.unique(window)])
    assert len(means) == len(count)
    np.testing.assert_allclose(np.sum(means.value[np.argsort(means.time)] * count), np.sum(values), atol=1e-9)
    assert (means.duration_s < every * HOUR_S).all()


def test_readings_far_apart_stay_as_they_are():
    given = observed([0, 4, 8], [1.0, 2.0, 3.0])
    means = pooled(given, every_s=2.0 * HOUR_S)
    assert means.value.tolist() == [1.0, 2.0, 3.0]
    assert (means.time == given.time).all()
    assert not means.duration_s.any()


def test_failed_readings_are_kept_and_not_averaged():
    given = observed([0, 1], [1.0, 900.0])
    means = pooled(replace(given, flag=np.array([GOOD, FAIL], np.int8)), every_s=2.0 * HOUR_S)
    assert sorted(means.value.tolist()) == [1.0, 900.0]
    assert set(means.flag.tolist()) == {GOOD, FAIL}


def test_a_reading_below_detection_is_not_averaged_with_one_above():
    given = replace(observed([0, 1], [0.1, 0.5]), qualifier=np.array(["<", ""]))
    means = pooled(given, every_s=2.0 * HOUR_S)
    assert sorted(zip(means.value.tolist(), means.qualifier.tolist(), strict=True)) == [(0.1, "<"), (0.5, "")]


def test_determinands_read_together_stay_together():
    one, other = observed([0, 1], [1.0, 2.0]), observed([0], [7.0], name="EC")
    names = ("time", "station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id")
    both = Observations(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in names))
    means = pooled(both, every_s=2.0 * HOUR_S)
    assert len(set(means.time.tolist())) == 1
    assert set(means.duration_s.tolist()) == {HOUR_S}
