"""Copied blocks: readings whose steps repeat an earlier day of the station, digit by digit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from suyuan.qc.series import FEWEST, Alarm, Array, Series

SEED = 3
"""Readings from which a repeat is found, both steps not zero: a flat line repeats itself, and is told as such."""

APART_H = 24.0
"""Hours between repeats of the same lag that still belong to one copied block."""

CHANCE = 1e-3
"""How many blocks as unlikely as these may be expected by chance in the whole record of a station."""

Repeat = tuple[int, float, int]
"""A reading that repeats an earlier one: the series it belongs to, the lag [h], and its place in the series."""


def copied(series: Sequence[Series]) -> list[Alarm]:
    """Return blocks of readings that repeat earlier ones of the same station, by determinand, with the hours to their original.

    How unlikely a block is: the product of how often its first value and each of its steps come in the series, over
    all determinands that
    repeat with the same lag within a day of each other, times the pairs of places that there are. Only what should
    not come once in a thousand
    records is told; so days that resemble each other are not, nor repeats of single values by schedule.

    >>> rows, rng = np.arange(200), np.random.default_rng(1)
    >>> value = np.round(400.0 + rng.normal(0.0, 20.0, 200), 1)
    >>> value[150:157] = value[120:127]
    >>> found = copied([Series("S1", "EC", rows, rows * 4.0, value, rows * 4 % 24)])
    >>> [(alarm.rows.tolist(), alarm.measured) for alarm in found]
    [([150, 151, 152, 153, 154, 155, 156], 120.0)]
    """
    found = []
    for station in sorted({each.station for each in series}):
        here = [each for each in series if each.station == station and len(each) >= FEWEST]
        repeats = sorted({one for k, each in enumerate(here) for one in _repeats(each, k)}, key=_by_lag(here))
        for block in _blocks(repeats, here):
            found += _told(block, here)
    return found


def _by_lag(here: Sequence[Series]) -> Callable[[Repeat], tuple[float, float, int]]:
    return lambda one: (one[1], float(here[one[0]].hours[one[2]]), one[0])


def _repeats(series: Series, which: int) -> list[Repeat]:
    """Return readings that repeat earlier ones in runs of SEED with the same gaps, each with its lag."""
    gap, step = np.round(np.diff(series.hours), 2), np.diff(series.value)
    starts = np.flatnonzero((sliding_window_view(step, SEED - 1) != 0.0).all(axis=1))
    if len(starts) < 2:
        return []
    codes = np.unique(series.value, return_inverse=True)[1].reshape(-1)
    gaps = (gap * 100.0).astype(np.int64)
    seeds = np.column_stack(
        [sliding_window_view(codes, SEED)[starts], sliding_window_view(gaps, SEED - 1)[starts]]
    )
    group = np.unique(seeds, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(group, kind="stable")
    same = np.flatnonzero(np.diff(group[order]) == 0)
    earlier, later = starts[order[same]], starts[order[same + 1]]
    apart = later - earlier >= SEED
    lags = np.round(series.hours[later] - series.hours[earlier], 2)
    return [
        (which, float(lag), int(start) + k)
        for lag, start in zip(lags[apart], later[apart], strict=True)
        for k in range(SEED)
    ]


def _blocks(repeats: Sequence[Repeat], here: Sequence[Series]) -> list[list[Repeat]]:
    """Return the repeats, ordered by lag and time, parted where the lag changes or a day passes."""
    blocks: list[list[Repeat]] = []
    last = (np.nan, np.nan)
    for one in repeats:
        hour = float(here[one[0]].hours[one[2]])
        if one[1] != last[0] or hour - last[1] > APART_H:
            blocks.append([])
        blocks[-1].append(one)
        last = one[1], hour
    return blocks


def _told(block: Sequence[Repeat], here: Sequence[Series]) -> list[Alarm]:
    """Return alarms, one a determinand, of a block that is too unlikely to have come by chance."""
    if len(block) < 2 * SEED - 2:
        return []
    readings = max(len(each) for each in here)
    places = {
        which: np.array(sorted(at for one, _, at in block if one == which))
        for which in {one for one, *_ in block}
    }
    chance = sum(_log_chance(here[which], at) for which, at in places.items())
    if chance > np.log(CHANCE) - 2.0 * np.log(readings):
        return []
    return [Alarm("copied", here[which].rows[at], block[0][1], 0.0) for which, at in sorted(places.items())]


def _log_chance(series: Series, at: NDArray[np.int64]) -> float:
    """Return the logarithm of how likely these readings were: the first values of their runs, and their steps."""
    first = np.append(True, np.diff(at) > 1)
    values = _log_share(np.round(series.value, 6))[at[first]]
    steps = _log_share(np.round(np.diff(series.value), 6))[at[~first] - 1]
    return float(values.sum() + steps.sum())


def _log_share(value: Array) -> Array:
    """Return the logarithm (reading,) of the share of readings with this value, at least that of its two neighbours in size."""
    _, code, counts = np.unique(value, return_inverse=True, return_counts=True)
    about = np.convolve(np.pad(counts, 1, mode="edge"), np.ones(3) / 3.0, mode="valid")
    return np.asarray(np.log(np.maximum(counts, about)[code.reshape(-1)] / len(value)))
