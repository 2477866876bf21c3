"""A signal that jumps to and fro more than its water does."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from suyuan.qc.flat import runs
from suyuan.qc.series import Alarm, Array, Series, running_median, usual_step

WINDOW_H = 96.0
NOISY = 2.0
"""Times the station's usual roughness from which four days are noisy; 2 flags less than 0.5 % of NEON's Pringle Creek."""

LEAST_SHARE = 0.1
"""Share of the level below which roughness is nobody's concern."""

ALTERNATING = 0.5
"""Share of turning points from which a signal alternates: pure noise turns at 2 of 3 readings, a random walk at every second."""

CLOSEST_H = 2.0
"""Usual time between readings [h] above which roughness may be the water's own and the check is not made."""


def is_evaluated(series: Series) -> bool:
    """Return whether readings are close and many enough to tell noise from water: every two hours at least, for ten windows."""
    step = usual_step(series)
    return step <= CLOSEST_H and len(series) * step >= 10.0 * WINDOW_H


def noisy(series: Series) -> list[Alarm]:
    """Return runs of readings whose roughness is at least twice the station's usual one, a tenth of the level, and alternates.

    The roughness of a reading is its distance from the mean of its neighbours, relative to the level (the median of
    four days about it); it
    counts by its median over these days, so that single spikes do not. The station's usual one is the median of all.
    """
    if not is_evaluated(series):
        return []
    about = max(round(0.5 * WINDOW_H / usual_step(series)), 4)
    value, inner = series.value, np.full(len(series), np.nan)
    inner[1:-1] = np.abs(value[1:-1] - 0.5 * (value[:-2] + value[2:]))
    level = np.maximum(np.abs(running_median(value, about)), max(2.0 * series.setting.tells, 1e-12))
    rough = running_median(inner, about) / level
    usual = float(np.median(rough))
    limit = max(NOISY * usual, LEAST_SHARE)
    touched = (rough > limit) & (_turning(value, about) >= ALTERNATING)
    return [Alarm("noisy", series.rows[a:b], float(np.median(rough[a:b])), limit) for a, b in runs(touched)]


def _turning(value: Array, about: int) -> Array:
    """Return the share of turning points (reading,) among each reading and `about` to either side."""
    turns = np.full(len(value), np.nan)
    step = np.diff(value)
    turns[1:-1] = step[1:] * step[:-1] < 0.0
    padded = np.pad(turns, about, constant_values=np.nan)
    return np.asarray(np.nanmean(sliding_window_view(padded, 2 * about + 1), axis=1))
