"""Quality flags of readings, shaped as in QARTOD (IOOS, 2020): set and made worse, never used to delete."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from suyuan.observations import FAIL, GOOD, MISSING, SUSPECT, Observations
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


def repetition(observations: Observations) -> Flags:
    """Return flags (reading,) of readings that share station, determinand, time and sample with another.

    FAIL for the second and later of equal ones, which say nothing more; SUSPECT for all of those that differ.
    """
    flags = np.full(len(observations), GOOD, dtype=np.int8)
    names = ("station", "determinand", "time", "duration_s", "sample_id")
    codes = [np.unique(getattr(observations, name), return_inverse=True)[1] for name in names]
    order = np.lexsort(codes[::-1])
    keys = np.stack([code[order] for code in codes])
    is_first = np.append(True, (np.diff(keys, axis=1) != 0).any(axis=0))[: len(order)]
    if is_first.all():
        return flags
    group = np.cumsum(is_first) - 1
    value, sign = observations.value[order], observations.qualifier[order]
    first = np.flatnonzero(is_first)[group]
    same = ((value == value[first]) | (np.isnan(value) & np.isnan(value[first]))) & (sign == sign[first])
    contradicted = np.zeros(group[-1] + 1, bool)
    np.logical_or.at(contradicted, group, ~same)
    flags[order[contradicted[group]]] = SUSPECT
    flags[order[~is_first & same]] = FAIL
    return flags
