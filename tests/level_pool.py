"""A closed form for readers of river models: canals of one width under one level surface that rises and falls.

Two canals of 900 m, A-J and B-J, bring 6 and 2 m3/s; a third, J-C, takes all to C. The surface stands at
h(t) = 2 + r t - s t2 [m] over the bed everywhere. A canal stores width x length x h, so the discharge through a place below which
(towards C) it is L m of canal from the inflow falls by width x L x h'(t); h' is linear in t, so means over bins are exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WIDTH, LENGTH = 20.0, 900.0
INTO_A, INTO_B, LATERAL = 6.0, 2.0, 1.5
RISE, FALL = 1e-5, 2.5e-10
SECONDS = 3600.0 * np.arange(13)


def depth(t: Array) -> Array:
    """Return h(t) [m]."""
    found: Array = 2.0 + RISE * t - FALL * t**2
    return found


def stored(t: Array) -> Array:
    """Return what a metre of canal takes up [m2/s]."""
    found: Array = WIDTH * (RISE - 2.0 * FALL * t)
    return found


def discharge(branch: str, x: float, t: Array, *, lateral_at: float = np.inf) -> Array:
    """Return discharge [m3/s] at x m along AJ, BJ or JC; on JC LATERAL enters at `lateral_at` m."""
    if branch == "AJ":
        return INTO_A - stored(t) * x
    if branch == "BJ":
        return INTO_B - stored(t) * x
    gained = LATERAL if x > lateral_at else 0.0
    return INTO_A + INTO_B + gained - stored(t) * (2.0 * LENGTH + x)
