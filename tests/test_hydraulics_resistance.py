"""What friction costs as canals fill and drain: Manning's formula on the section that the width, depth and banks make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suyuan.hydraulics.resistance import Shape, deepened


def shape(width: float, depth: float, *, is_channel: bool = True) -> Shape:
    sizes = (np.array([x]) for x in (1000.0, width, depth, 0.03))
    return Shape(*sizes, np.array([is_channel]), np.array([not is_channel]))


@given(st.floats(1.0, 40.0), st.floats(0.5, 4.0), st.floats(0.0, 3.0), st.floats(-0.3, 0.5))
def test_a_trapezoid_costs_what_mannings_formula_says_at_every_stage(bottom, deep, slope, share):
    # Q = A R^(2/3) sqrt(S) / n of a trapezoid: at one discharge the slope goes with (A R^(2/3))^-2.
    def carried(y: float) -> float:
        area, wetted = bottom * y + slope * y**2, bottom + 2.0 * y * np.sqrt(1.0 + slope**2)
        return area * (area / wetted) ** (2.0 / 3.0)

    surface = bottom + 2.0 * slope * deep
    mean_depth = (bottom * deep + slope * deep**2) / surface
    rise = share * mean_depth
    factor = deepened(shape(surface, mean_depth), np.array([[rise]]), side_slope=slope)[0, 0]
    assert factor == pytest.approx((carried(deep) / carried(deep + rise)) ** 2, rel=1e-9)


def test_banks_that_would_cross_below_the_bed_make_a_triangle_and_gates_have_none():
    # 4 m wide, 1 m deep on average: a triangle 2 m deep with banks of 1 : 1, A ~ y^2, R ~ y, so the slope goes with y^(-16/3).
    factor = deepened(shape(4.0, 1.0), np.array([[0.0], [0.5]]), side_slope=9.0)[:, 0]
    triangle = (4.0 + 4.0 * 0.5 + 0.5**2) / 4.0
    wetted = (2.5) / 2.0
    assert factor == pytest.approx([1.0, triangle ** (-10.0 / 3.0) * wetted ** (4.0 / 3.0)])
    assert wetted**2 == pytest.approx(triangle)
    gate = deepened(shape(2.5, 1.0, is_channel=False), np.array([[-2.0], [0.5]]), side_slope=2.0)
    assert gate[:, 0].tolist() == [1.0, 1.0]
