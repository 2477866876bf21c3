"""The checks that every trace runs: what water cannot be, and what was sent twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from suyuan.observations import FAIL, GOOD, MISSING, Observations
from suyuan.qc.repetition import repetition
from suyuan.substances import determinands

Flags = NDArray[np.int8]


def flag(observations: Observations) -> Observations:
    """Return the same readings, each with the worst of its own flag and of every check here.

    MISSING where there is no value; FAIL outside what is physically possible (gross range test of QARTOD) and
    where a reading repeats an earlier one of the same station, determinand, time and sample exactly; SUSPECT
    where such readings contradict each other. Conservative: rather a bad reading passes than a peak fails.

    >>> time = np.array(["2024-07-20T00", "2024-07-20T01"], dtype="datetime64[s]")
    >>> text, zero = np.array(["", ""]), np.zeros(2)
    >>> station, name, value = np.array(["S1", "S1"]), np.array(["pH", "pH"]), np.array([7.2, 72.0])
    >>> flag(Observations(time, station, name, value, text, np.ones(2, np.int8), zero, text)).flag
    array([1, 4], dtype=int8)
    """
    checks = [observations.flag, gross_range(observations), repetition(observations)]
    worst = np.max(checks, axis=0)
    return replace(observations, flag=np.where(np.isnan(observations.value), MISSING, worst).astype(np.int8))


def gross_range(observations: Observations) -> Flags:
    """Return FAIL (reading,) where a value lies outside the physical bounds of its determinand, else GOOD."""
    flags = np.full(len(observations), GOOD, dtype=np.int8)
    for name in np.unique(observations.determinand):
        known = determinands().get(str(name))
        if known:
            rows = observations.determinand == name
            value = observations.value[rows]
            flags[rows] = np.where((value < known.lowest) | (value > known.highest), FAIL, GOOD)
    return flags
