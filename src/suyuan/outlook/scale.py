"""The scale on which a determinand moves evenly: the logarithm of a concentration, the number itself of a temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LINEAR = ("water_temp", "DO", "EC", "saturation", "ORP")
"""Determinands whose errors do not grow with their level; conductivity moves as waters mix, in proportion to their shares."""


@dataclass(frozen=True)
class Scale:
    """How readings become what is averaged, and that what is forecast.

    `kind` is log (concentrations), hydrogen (pH: ions are averaged, pH is forecast) or linear.
    """

    kind: str

    def averaged(self, value: Array) -> Array:
        """Return what may be averaged: hydrogen ions of a pH, the value itself otherwise."""
        return np.asarray(10.0**-value if self.kind == "hydrogen" else value)

    def read(self, mean: Array) -> Array:
        """Return a mean as an instrument would show it, the inverse of `averaged`."""
        return np.asarray(-np.log10(mean) if self.kind == "hydrogen" else mean)

    def forecast(self, mean: Array) -> Array:
        """Return the forecast variable of a mean: ln, pH, or the mean itself; NaN where a concentration is not positive.

        >>> Scale("hydrogen").forecast(np.array([1e-7])).tolist()
        [7.0]
        """
        if self.kind == "linear":
            return np.asarray(mean)
        positive = np.where(mean > 0.0, mean, np.nan)
        return np.asarray(np.log(positive) if self.kind == "log" else -np.log10(positive))

    def mean(self, forecast: Array) -> Array:
        """Return the mean that a forecast variable stands for, the inverse of `forecast`."""
        if self.kind == "linear":
            return np.asarray(forecast)
        return np.asarray(np.exp(forecast) if self.kind == "log" else 10.0**-forecast)


def scale_of(determinand: str) -> Scale:
    """Return the scale of a determinand.

    >>> scale_of("TP").kind, scale_of("pH").kind, scale_of("DO").kind
    ('log', 'hydrogen', 'linear')
    """
    if determinand == "pH":
        return Scale("hydrogen")
    return Scale("linear" if determinand in LINEAR else "log")
