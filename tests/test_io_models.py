"""What readers of hydraulic models share."""

from __future__ import annotations

import numpy as np
import pytest

from suyuan.errors import InputError
from suyuan.io.models.model import M3_S, flow_of_instants, in_m3_s


def test_units_of_flow_agree_with_each_other() -> None:
    assert M3_S["MGD"] * 86400.0 == pytest.approx(1e6 * M3_S["GPM"] * 60.0)
    assert M3_S["CFS"] == pytest.approx(448.831 * M3_S["GPM"], rel=1e-5)
    assert M3_S["AFD"] * 86400.0 == pytest.approx(1233.4818, rel=1e-7)


@pytest.mark.parametrize(("unit", "said"), [("cusec", "'cusec' is not known"), (" ", "is missing")])
def test_a_unit_that_nobody_knows_is_refused(unit: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        in_m3_s(unit, source="town.inp")


def test_what_a_link_stores_between_instants_is_what_its_ends_differ_by() -> None:
    rng = np.random.default_rng(1)
    seconds = np.cumsum(rng.uniform(60.0, 600.0, 9))
    discharge, volume = rng.normal(size=(9, 3)), rng.uniform(1e3, 2e3, size=(9, 3))
    flow = flow_of_instants(
        seconds, discharge, volume=volume, start=np.datetime64("2024-07-01"), reaches=("A", "B", "C")
    )
    stored = (flow.discharge_start - flow.discharge_end) * np.diff(seconds)[:, None]
    np.testing.assert_allclose(stored, np.diff(volume, axis=0), atol=1e-9)
