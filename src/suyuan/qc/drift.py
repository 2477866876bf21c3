"""Drift: a slow ramp away, and the jump back on the day the probe was cleaned."""

from __future__ import annotations

import numpy as np

from suyuan.qc.edges import Steps
from suyuan.qc.series import Alarm, Series

SHARP = 3.0
"""Times the jitter of the day that the jump back must have."""

RAMPS_H = (120.0, 96.0, 72.0)
"""Lengths of ramp that are tried [h], the longest first."""

HIGH = 2.4
"""Spreads of the series that the jump back must have."""

FEWEST_IN_RAMP = 9
RATIO, SLOW, BACK, COVERED = 0.4, 0.7, 0.9, 0.75
"""Of what the jump falls: the least the ramp rises (the most is its inverse), its largest step, what may remain after; and
the share of its length that readings must cover."""


def drift(series: Series, steps: Steps) -> list[Alarm]:
    """Return ramps of three to five days that a sharp jump undoes.

    The ramp, told by the medians of its thirds, must rise by 0.4 to 2.5 times what the jump falls, in both halves and without a
    jump of its own; after the jump the readings must be back where the ramp began, within nine tenths of the jump. A drift
    that nobody has ended yet is not seen.
    """
    found = []
    for back in steps.edges(HIGH, SHARP):
        for length in RAMPS_H:
            first = int(np.searchsorted(series.hours, series.hours[back - 1] - length))
            if _is_ramp(series, steps, first=first, back=int(back), length=length):
                limit = max(HIGH * steps.spread, SHARP * float(steps.jitter[back]))
                rows = series.rows[first:back]
                found.append(Alarm("drift", rows, float(abs(steps.step[back])), limit))
                break
    return found


def _is_ramp(series: Series, steps: Steps, *, first: int, back: int, length: float) -> bool:
    covers = series.hours[back - 1] - series.hours[first] >= COVERED * length
    if back - first < FEWEST_IN_RAMP or not covers:
        return False
    ramp, fall = series.value[first:back], float(steps.step[back])
    third = len(ramp) // 3
    low, middle, high = (float(np.median(part)) for part in (ramp[:third], ramp[third:-third], ramp[-third:]))
    rise, sign = 1.5 * (high - low), float(np.sign(high - low))
    if rise * fall >= 0.0 or not RATIO < abs(rise / fall) < 1.0 / RATIO:
        return False
    is_steady = min(sign * (middle - low), sign * (high - middle)) > 0.0
    is_slow = float(np.abs(steps.step[first + 1 : back]).max()) <= SLOW * abs(fall)
    is_back = abs(float(np.median(series.value[back : back + 6])) - low) <= BACK * abs(fall)
    return is_steady and is_slow and is_back
