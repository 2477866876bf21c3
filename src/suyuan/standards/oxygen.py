"""Oxygen that water holds in equilibrium with air."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FACTORS = (-139.34411, 1.575701e5, -6.642308e7, 1.243800e10, -8.621949e11)
_ZERO_C_K = 273.15


def saturation(temperature: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return dissolved oxygen at saturation [mg/L] in fresh water at 1 atm (Benson and Krause 1984, eq. 22),
    `temperature` in degC.

    At the height of 1,000 m it is about 11 % less.

    >>> saturation(np.array([0.0, 20.0])).round(3).tolist()
    [14.621, 9.092]
    """
    kelvin = temperature + _ZERO_C_K
    terms = [factor / kelvin**power for power, factor in enumerate(_FACTORS)]
    return np.asarray(np.exp(np.sum(terms, axis=0)), float)
