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

    FAIL for the second and later of equal ones, which say nothing more; SUSPECT for all of those that differ. A row without a
    value contradicts nothing.
    """
    flags = np.full(len(observations), GOOD, dtype=np.int8)
    has_value = np.isfinite(observations.value)
    if not has_value.any():
        return flags
    if not has_value.all():
        flags[has_value] = repetition(observations.where(has_value))
        return flags
    names = ("station", "determinand", "time", "duration_s", "sample_id")
    place = [np.unique(getattr(observations, name), return_inverse=True)[1] for name in names]
    said = [np.unique(getattr(observations, name), return_inverse=True)[1] for name in ("value", "qualifier")]
    order = np.lexsort([*said, *place])
    is_new_place, is_new_reading = _changes(place, order), _changes([*place, *said], order)
    group = np.cumsum(is_new_place) - 1
    said_in_group = np.bincount(group, weights=is_new_reading)
    flags[order[said_in_group[group] > 1]] = SUSPECT
    flags[order[~is_new_reading]] = FAIL
    return flags


def _changes(codes: list[NDArray[np.intp]], order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return where, in this order, any of the codes differs from the one before; true at the first."""
    steps = np.diff(np.stack([code[order] for code in codes]), axis=1)
    return np.append(True, (steps != 0).any(axis=0))
