"""Drivers must go with the readings and with their changes: what merely drifts beside them is named nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from explain_tables import drivers_of, table_of

from suyuan.explain.drivers import Upstream, laid_out
from suyuan.explain.links import chance_of
from suyuan.explain.mixing import mixing_of
from suyuan.explain_run import _lagged

ROWS = 240


def drifting(rng: np.random.Generator, memory: float = 0.9) -> np.ndarray:
    """Return a series in which each reading keeps most of the one before (AR(1), variance 1)."""
    made = rng.normal(0.0, 1.0, ROWS)
    for k in range(1, ROWS):
        made[k] = memory * made[k - 1] + np.sqrt(1.0 - memory**2) * made[k]
    return made


def laid(value, temperature, **known):
    table = table_of({"NH3-N": value, "water_temp": temperature})
    rows = np.arange(ROWS)
    return laid_out(
        table,
        drivers_of(table, **known),
        determinand="NH3-N",
        mixing=mixing_of(table, rng=np.random.default_rng(1)),
        rows=np.ones(ROWS, bool),
        sides=((rows >= 120) & (rows < 180), rows >= 180),
    )


def test_what_drifts_by_itself_is_no_driver():
    """Temperature, flow and a station above (best of 37 lags), none of which has to do with the readings, in 40 rivers: at 1 %
    each, 2 of 160 would be many."""
    named = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        value, warm, flow, above = (drifting(rng) for _ in range(4))
        theirs = _lagged(
            table_of({"NH3-N": np.exp(0.3 * value)}), table_of({"NH3-N": np.exp(0.3 * above)}), name="NH3-N"
        )
        assert theirs.tried == 37
        found = laid(np.exp(0.3 * value), 20.0 + 3.0 * warm, flow=5.0 + flow, upstream={"NH3-N": theirs})
        named += found.present
        assert all(
            found.absent[part].code == "not_linked" for part in {"upstream", "flow"} - {*found.present}
        )
    assert len(named) <= 2


def test_what_drives_the_readings_is_a_driver():
    rng = np.random.default_rng(3)
    driver, noise = drifting(rng), 0.1 * drifting(rng)
    value, still = np.exp(0.3 * driver + noise), np.full(ROWS, 20.0)
    above = Upstream("above", 0.0, np.exp(driver), tried=37)
    assert laid(value, 20.0 + 3.0 * driver).present == ("season",)
    assert laid(value, still, flow=5.0 + driver).present == ("flow",)
    assert laid(value, still, upstream={"NH3-N": above}).present == ("upstream",)


def test_a_course_of_the_day_is_a_driver_where_there_is_one():
    rng = np.random.default_rng(3)
    day = np.sin(2.0 * np.pi * np.arange(ROWS) / 6.0)
    assert laid(np.exp(0.2 * day + 0.2 * drifting(rng)), np.full(ROWS, 20.0)).present == ("season",)
    assert laid(np.exp(0.2 * drifting(rng)), np.full(ROWS, 20.0)).present == ()


def test_chance_is_that_of_a_straight_regression_where_readings_do_not_resemble_each_other():
    """r = 0.5 in 32 readings: t = 0.5 sqrt(30 / 0.75) = 3.162, p = 0.0036."""
    x, rest = np.tile([1.0, 1.0, -1.0, -1.0], 8), np.tile([1.0, -1.0, -1.0, 1.0], 8)
    p, slopes = chance_of(x[:, None], x * 0.5 + rest * np.sqrt(0.75))
    assert slopes[0] == pytest.approx(0.5)
    assert p == pytest.approx(0.0036, rel=0.05)
