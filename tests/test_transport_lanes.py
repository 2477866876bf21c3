"""Numbers too small to matter do not slow the march down, and stay as they are outside it."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from numpy.typing import NDArray

from suyuan.compiled import kernel
from suyuan.transport.lanes import KNOWS_MXCSR, denormals_as_before, denormals_as_zero
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import compile_operator
from suyuan.transport.source_receptor import source_receptor_matrix


@kernel
def _scale(values: NDArray[np.float64], factor: float) -> None:
    mode = denormals_as_zero()
    for i in range(len(values)):
        values[i] *= factor
    denormals_as_before(mode)


@pytest.mark.skipif(not KNOWS_MXCSR, reason="this processor keeps denormal numbers")
def test_what_is_less_than_an_atom_of_a_gram_is_nothing_while_water_is_marched():
    """1e-300 x 1e-10 is 1e-310, a denormal number: 0 in a march, itself before and after."""
    values = np.array([1e-300, 1.0])
    assert (values * 1e-10)[0] == 1e-310
    _scale(values, 1e-10)
    assert values.tolist() == [0.0, 1e-10]
    assert (np.array([1e-300]) * 1e-10)[0] == 1e-310


def test_water_followed_back_leaves_small_numbers_of_the_caller_alone():
    network, flow = networks.single_reach()
    reach = network.reaches[0]
    receptors = Receptors(
        station=np.array(["S"]),
        reach=np.array([reach.id]),
        chainage_m=np.array([0.9 * reach.length_m]),
        time=np.array([flow.start + np.timedelta64(round(float(flow.edges[-1])), "s")]),
        duration_s=np.zeros(1),
    )
    source = Source("O", "outfall", reach.id, 0.1 * reach.length_m)
    matrix = source_receptor_matrix(compile_operator(network, flow), receptors, sources=[source])
    assert matrix.values.max() > 0.0
    assert float(np.float64(1e-300) * np.float64(1e-10)) == 1e-310
