"""Days that resemble each other are drawn together: as long as they do, as often as the mean is known."""

from __future__ import annotations

import numpy as np
import pytest

from suyuan.explain.blocks import block_days, counts_drawn, persistence, together


def remembering(rng: np.random.Generator, kept: float, days: int) -> np.ndarray:
    """Return days that keep so much of the day before (AR(1), variance 1)."""
    made = rng.normal(0.0, 1.0, days)
    for k in range(1, days):
        made[k] = kept * made[k - 1] + np.sqrt(1.0 - kept**2) * made[k]
    return made


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6])
def test_what_a_day_keeps_of_the_one_before_is_found_whatever_the_levels_of_the_sides(kept: float):
    """The mean over 2,000 records of two sides of 20 days: within 0.03 (what is cut at 0 makes that of no memory 0.07)."""
    rng = np.random.default_rng(1)
    side = np.repeat([0, 1], 20)
    found = [persistence(remembering(rng, kept, 40) + 5.0 * side, side) for _ in range(2000)]
    assert np.mean(found) == pytest.approx(kept or 0.07, abs=0.03)


def test_blocks_grow_with_memory_and_leave_three():
    assert [block_days(kept, 30) for kept in (0.0, 0.2, 0.5, 0.7)] == [1, 2, 4, 7]
    assert [block_days(0.9, days) for days in (3, 6, 10, 30)] == [1, 2, 3, 10]


def test_a_mean_of_days_that_keep_half_is_nearly_three_times_as_uncertain():
    """(1 + r) / (1 - r) = 3 in the long run; over two days 1 + r."""
    assert together(0.5, 2) == pytest.approx(1.5)
    assert together(0.5, 10_000) == pytest.approx(3.0, rel=1e-3)


def test_independent_days_are_drawn_as_widely_as_students_band_of_their_mean():
    """Twenty days: the 90 % band of the mean reaches t(19) s / sqrt(20), 1.729 of it, within 10 %."""
    value = np.random.default_rng(2).normal(0.0, 1.0, 20)
    counts = counts_drawn(20, 1, kept=0.0, free=19.0, size=20_000, rng=np.random.default_rng(1))
    low, high = np.quantile(counts @ value / 20.0, (0.05, 0.95))
    assert high - low == pytest.approx(2.0 * 1.729 * value.std(ddof=1) / np.sqrt(20.0), rel=0.1)
    assert counts.sum(axis=1) == pytest.approx(20.0)


def test_rounding_is_no_memory():
    assert persistence(np.full(20, 0.1), np.repeat([0, 1], 10)) == 0.0
