"""Oxygen that water holds in equilibrium with air."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FACTORS = (-139.34411, 1.575701e5, -6.642308e7, 1.243800e10, -8.621949e11)
_ZERO_C_K = 273.15


def saturation(temperature: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the oxygen [mg/L] that fresh water in contact with air at 1013 hPa holds at `temperature` [degC].

    Benson and Krause (1984), Limnology and Oceanography 29, without salt, in the form of APHA Standard Methods 4500-O. At
    a height of 1,000 m it is about 11 % less.

    >>> saturation(np.array([0.0, 20.0, 30.0])).round(2).tolist()
    [14.62, 9.09, 7.56]
    """
    kelvin = np.asarray(temperature) + _ZERO_C_K
    terms = [factor / kelvin**power for power, factor in enumerate(_FACTORS)]
    return np.asarray(np.exp(np.sum(terms, axis=0)), float)
