"""Flow reconciled from gauges: mean, doubt and draws, each of which closes exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import FlowField
from suyuan.hydraulics.doubts import Errors, doubts_of
from suyuan.hydraulics.fit import Fit, fitted, usual_discharge
from suyuan.hydraulics.frame import frame_of
from suyuan.hydraulics.gauges import Gauges, require_placed
from suyuan.hydraulics.statements import Problem
from suyuan.network import Network

Array = NDArray[np.float64]


def opening_of(network: Network, gauges: Gauges) -> Array:
    """Return how far each reach is open, (bin, reach): 1 where no log says otherwise; the last word holds in a gap."""
    opening = np.ones((len(gauges.edges) - 1, len(network.reaches)))
    for gauge in gauges.gauges:
        if gauge.kind == "opening":
            known = np.flatnonzero(np.isfinite(gauge.value))
            last = np.searchsorted(known, np.arange(len(gauge.value)), side="right") - 1
            opening[:, network.reach_index(gauge.reach)] = gauge.value[known[np.maximum(last, 0)]]
    return opening


def problem_of(network: Network, gauges: Gauges, *, errors: Errors) -> Problem:
    require_placed(gauges, network)
    frame = frame_of(network, gauges, roughness=errors.roughness, pools=errors.pools)
    opening = opening_of(network, gauges)
    bare = Problem(frame, gauges, None, errors, opening)
    return Problem(frame, gauges, doubts_of(frame, gauges, errors=errors, scale=usual_discharge(bare)), errors, opening)
