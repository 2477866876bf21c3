"""Copied blocks: readings whose steps repeat an earlier day of the station, digit by digit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from suyuan.qc.series import FEWEST, Alarm, Array, Rows, Series

BLOCK = 6
"""Readings that a block has at least: a day of 4-hourly ones."""

FEWEST_STEPS = 4
"""Steps within BLOCK readings that must not be zero: a flat line repeats itself, and is told as such."""

CHANCE = 1e-3
"""How many blocks as unlikely as these may be expected by chance in the whole record of a station."""


def copied(series: Sequence[Series]) -> list[Alarm]:
    """Return blocks of readings that repeat earlier ones of the same station, by determinand, with the hours to their original.

    How unlikely a repeat is: the product of how often its first value and each of its steps come in the series, over the determinands
    that repeat over the same hours, times the pairs of blocks that there are. Only what should not come once in a thousand
    records is told; so days that resemble each other are not, nor repeats of single values by schedule.
    """
    found = []
    for station in sorted({each.station for each in series}):
        here = [each for each in series if each.station == station and len(each) >= max(FEWEST, 2 * BLOCK)]
        found += _told([pair for each in here for pair in _repeats(each)], here)
    return found


Pair = tuple[Series, int, int, float]
"""A series, the first reading of a block and of the earlier one that it repeats, and the logarithm of how likely that was."""


def _repeats(series: Series) -> list[Pair]:
    """Return every block of BLOCK readings that repeats an earlier one of the series with enough steps that are not zero."""
    gap = np.round(np.diff(series.hours), 2)
    steps = sliding_window_view(np.diff(series.value), BLOCK - 1)
    is_lively = (steps != 0.0).sum(axis=1) >= FEWEST_STEPS
    starts = np.flatnonzero(is_lively)
    if len(starts) < 2:
        return []
    codes = np.unique(series.value, return_inverse=True)[1].reshape(-1)
    blocks = np.column_stack(
        [sliding_window_view(codes, BLOCK)[starts], sliding_window_view((gap * 100).astype(np.int64), BLOCK - 1)[starts]]
    )
    _, group = np.unique(blocks, axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    same = np.flatnonzero(np.diff(group.reshape(-1)[order]) == 0)
    logs = _log_chances(series)
    pairs = []
    for k in same:
        earlier, later = int(starts[order[k]]), int(starts[order[k + 1]])
        if later - earlier >= BLOCK:
            pairs.append((series, later, earlier, float(logs[later])))
    return pairs


def _log_chances(series: Series) -> Array:
    """Return the logarithm (block,) of how often the first value and the steps of each block come in the series."""
    first = _log_share(np.round(series.value, 6))
    step = _log_share(np.round(np.diff(series.value), 6))
    return np.asarray(first[: len(first) - BLOCK + 1] + sliding_window_view(step, BLOCK - 1).sum(axis=1))


def _log_share(value: Array) -> Array:
    """Return the logarithm (reading,) of the share of readings with about this value: it and its two nearest kinds.

    One that came once is as likely as its neighbourhood is dense: the share of values within half a robust spread, by their kinds.
    """
    kinds, code, counts = np.unique(value, return_inverse=True, return_counts=True)
    about = np.convolve(np.pad(counts, 1, mode="edge"), np.ones(3) / 3.0, mode="valid")
    return np.asarray(np.log(np.maximum(counts, about)[code.reshape(-1)] / len(value)))


def _told(pairs: Sequence[Pair], here: Sequence[Series]) -> list[Alarm]:
    """Return alarms of the pairs that are too unlikely, those of the same hours and the same lag counted together."""
    lags = np.array([np.round(s.hours[a] - s.hours[b], 2) for s, a, b, _ in pairs])
    begins = np.array([np.round(s.hours[a], 2) for s, a, _, _ in pairs])
    found = []
    readings = max((len(each) for each in here), default=0)
    needed = np.log(CHANCE) - 2.0 * np.log(max(readings, 2))
    if not len(pairs):
        return []
    _, group = np.unique(np.stack([lags, begins]), axis=1, return_inverse=True)
    total = np.bincount(group.reshape(-1), weights=np.array([log for *_, log in pairs]))
    told: dict[tuple[int, float], set[int]] = {}
    for k in np.flatnonzero(total[group.reshape(-1)] < needed):
        series, later, _, _ = pairs[k]
        which = next(i for i, each in enumerate(here) if each is series)
        told.setdefault((which, float(lags[k])), set()).update(range(later, later + BLOCK))
    for (which, lag), places in sorted(told.items()):
        found += _blocks(here[which], np.array(sorted(places)), lag=lag)
    return found


def _blocks(series: Series, places: NDArray[np.int64], *, lag: float) -> list[Alarm]:
    cuts = np.flatnonzero(np.diff(places) > 1) + 1
    parts: list[Rows] = [series.rows[part] for part in np.split(places, cuts)]
    return [Alarm("copied", rows, lag, 0.0) for rows in parts]
