"""Signals that move too little: flat lines, told from repeats that a station always has, and attenuated signals."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from suyuan.qc.series import FEWEST, Alarm, Array, Series, usual_step

CHANCE_PER_YEAR = 0.25
"""How often a flat line may come by chance at a station and determinand in a year before it counts as one."""

ABOUT_H = 720.0
"""Hours to either side from which is learnt how often readings repeat: the month before and after, seasons being calm or not."""

LONGEST_GAP_H = 24.0
"""Hours without a reading that end a flat line: two equal readings a week apart say nothing."""

LEAST_H = 20.0
"""Hours that a flat line lasts at least: a day of 4-hourly readings."""

COARSE = 5.0
"""Last digits up to which rounding is a tenth of the value or more, as much as analysers with a detection limit err: it may
stand for long."""

DAYS_ATTENUATED = 3.0
QUIET = 0.1
"""Share of the smallest tenth of ranges over DAYS_ATTENUATED below which a signal is attenuated."""


def flat_line(series: Series) -> list[Alarm]:
    """Return runs of equal readings that would come by chance less than once in four years, with their length [h]
    and what passes.

    The chance of a run is the product, over its repeats, of how often readings repeat the one before at that hour of
    the day within a month
    of the run, the run itself left out; so nutrients that are published again at night by schedule repeat lawfully.
    Values up to the detection limit never are flat, nor round values where rounding explains them (`_is_rounded`).

    >>> rows = np.arange(120)
    >>> value = 7.0 + 0.01 * (rows * 37 % 89)
    >>> value[60:67] = 7.43
    >>> series = Series("S1", "pH", rows, rows * 4.0, value, rows * 4 % 24)
    >>> [(a.rows[0].item(), len(a.rows), a.measured) for a in flat_line(series)]
    [(60, 7, 24.0)]
    """
    if len(series) < FEWEST:
        return []
    gap = np.diff(series.hours)
    repeats = np.append(False, (np.diff(series.value) == 0.0) & (gap <= LONGEST_GAP_H))
    starts = np.flatnonzero(~repeats)
    ends = np.append(starts[1:], len(series))
    per_year = 8766.0 / max(usual_step(series), 1.0)
    found = []
    for first, end in zip(starts, ends, strict=True):
        hours = float(series.hours[end - 1] - series.hours[first])
        if end - first < 3 or hours < LEAST_H or _is_lawful(series, float(series.value[first])):
            continue
        logs = np.log(_chances(series, repeats, first=int(first), end=int(end)))
        passes = int(np.searchsorted(-np.cumsum(logs), np.log(per_year / CHANCE_PER_YEAR)))
        if passes < end - first - 1:
            limit = float(series.hours[first + passes] - series.hours[first])
            found.append(Alarm("flat line", series.rows[first:end], hours, limit))
    return found


def _chances(series: Series, repeats: NDArray[np.bool_], *, first: int, end: int) -> Array:
    """Return how likely each repeat of a run (reading - 1,) was, from the other readings of that hour of the day about it."""
    low, high = np.searchsorted(
        series.hours, (series.hours[first] - ABOUT_H, series.hours[end - 1] + ABOUT_H)
    )
    others = np.r_[low:first, end:high]
    if len(others) < FEWEST:
        others = np.r_[0:first, end : len(series)]
    whole = (repeats[others].sum() + 0.5) / (len(others) + 1.0)
    chances = np.empty(end - first - 1)
    for k, hour in enumerate(series.hour_of_day[first + 1 : end]):
        same = others[series.hour_of_day[others] == hour]
        chances[k] = (repeats[same].sum() + 2.0 * whole) / (len(same) + 2.0)
    return np.minimum(chances, 0.999)


def _is_lawful(series: Series, value: float) -> bool:
    """Return whether a value may stand for long: below detection, of a few last digits, or round.

    Of a few last digits it may only with analysers that have a detection limit: an oxygen probe that says 0.00 for days is stuck.
    """
    known = series.setting
    least = max(known.detection, COARSE * known.resolution)
    return (known.detection > 0.0 and abs(value) <= least) or _is_rounded(series, value)


def _is_rounded(series: Series, value: float) -> bool:
    """Return whether rounding would explain that readings stay at this value.

    It does where the value is a multiple of a step of ten or more resolutions that is at least as wide as the usual range of a
    day: pH 8.0 may be any pH from 7.5 to 8.5. A stuck probe stops at such a value once in a hundred times, and then escapes.
    """
    resolution = series.setting.resolution
    if resolution <= 0.0 or value == 0.0:
        return False
    day = _day_range(series)
    for step in resolution * np.array([10.0, 100.0]):
        share = value / step
        if day <= step and abs(share - round(share)) < 1e-6:
            return True
    return False


def _day_range(series: Series) -> float:
    """Return the usual range of the readings of a day, from its median over all days with four readings or more."""
    day = np.floor(series.hours / 24.0).astype(np.int64)
    starts = np.flatnonzero(np.append(True, np.diff(day) != 0))
    counts = np.diff(np.append(starts, len(day)))
    ranges = np.maximum.reduceat(series.value, starts) - np.minimum.reduceat(series.value, starts)
    full = ranges[counts >= 4]
    return float(np.median(full)) if len(full) else float("inf")


def is_long(series: Series) -> bool:
    """Return whether readings are close and many enough to tell a calm signal from an attenuated one: ten windows of twelve."""
    per_window = _per_window(series)
    return per_window >= 12 and len(series) >= 10 * per_window


def _per_window(series: Series) -> int:
    """Return how many readings DAYS_ATTENUATED usually hold."""
    return round(DAYS_ATTENUATED * 24.0 / usual_step(series)) if len(series) > 1 else 0


def attenuated(series: Series) -> list[Alarm]:
    """Return days in which readings move, but by less than a tenth of what they move in the calmest tenth of all other days.

    The range over three days counts; those within a few resolutions or below detection are left to the flat line.
    """
    if not is_long(series):
        return []
    per_window = _per_window(series)
    windows = sliding_window_view(series.value, per_window)
    ranges = windows.max(axis=1) - windows.min(axis=1)
    limit = QUIET * float(np.quantile(ranges, 0.1))
    lengths = series.hours[per_window - 1 :] - series.hours[: len(ranges)]
    is_whole = lengths <= 1.5 * DAYS_ATTENUATED * 24.0
    is_quiet = (ranges > 0.0) & (ranges < limit) & (windows.max(axis=1) > series.setting.detection) & is_whole
    touched = np.zeros(len(series), bool)
    for start in np.flatnonzero(is_quiet):
        touched[start : start + per_window] = True
    return [
        Alarm("attenuated", series.rows[a:b], float(np.ptp(series.value[a:b])), limit)
        for a, b in runs(touched)
    ]


def runs(touched: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and the end (not included) of every run of true.

    >>> runs(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    turns = np.flatnonzero(np.diff(np.concatenate([[0], touched.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(turns[::2], turns[1::2], strict=True)]
