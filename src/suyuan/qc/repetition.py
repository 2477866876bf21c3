"""Readings sent twice, and readings that contradict each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.observations import FAIL, GOOD, SUSPECT, Observations

Flags = NDArray[np.int8]


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
