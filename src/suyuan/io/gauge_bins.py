"""Readings of gauges to means over bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.flow_settings import FlowSettings

Array = NDArray[np.float64]
Times = NDArray[np.datetime64]


def averaged(seconds: Array, values: Array, *, edges: Array) -> Array:
    """Return means over bins of the line through readings; NaN where two of them lie too far apart for the bin.

    >>> averaged(np.array([0.0, 3600.0, 7200.0]), np.array([1.0, 3.0, 5.0]), edges=np.array([0.0, 3600.0, 7200.0])).tolist()
    [2.0, 4.0]
    """
    step = float(edges[1] - edges[0])
    if len(seconds) < 2:
        found = np.full(len(edges) - 1, np.nan)
        for at, value in zip(seconds, values, strict=True):
            found[(edges[:-1] <= at) & (at < edges[1:])] = value
        return found
    last = np.append(np.diff(seconds) > 0.0, True)
    seconds, values = seconds[last], values[last]
    every = np.union1d(seconds, edges)
    line = np.interp(every, seconds, values)
    total = np.concatenate([[0.0], np.cumsum(0.5 * (line[1:] + line[:-1]) * np.diff(every))])
    means = np.diff(np.interp(edges, every, total)) / step
    gap = np.diff(seconds) > max(2.0 * step, 7200.0)
    middle = 0.5 * (edges[1:] + edges[:-1])
    between = np.clip(np.searchsorted(seconds, middle) - 1, 0, len(gap) - 1)
    near = np.min(
        np.abs(middle[:, None] - seconds[np.clip(between[:, None] + [0, 1], 0, len(seconds) - 1)]), axis=1
    )
    outside = (middle < seconds[0] - step) | (middle > seconds[-1] + step)
    return np.where(outside | (gap[between] & (near > 0.5 * step)), np.nan, means)


def at_edges(seconds: Array, values: Array, *, edges: Array) -> Array:
    """Return values at the edges of bins (bin + 1,): the mean within half an hour or half a bin, else on the line between
    readings no more than two bins (and two hours) apart, else NaN.

    >>> at_edges(np.array([0.0, 3600.0, 7200.0]), np.array([1.0, 3.0, 5.0]), edges=np.array([0.0, 3600.0, 7200.0])).tolist()
    [1.0, 3.0, 5.0]
    """
    step = float(edges[1] - edges[0])
    width = min(1800.0, 0.5 * step)
    low = np.searchsorted(seconds, edges - 0.5 * width)
    high = np.searchsorted(seconds, edges + 0.5 * width, side="right")
    total = np.concatenate([[0.0], np.cumsum(values)])
    with np.errstate(invalid="ignore", divide="ignore"):
        near = (total[high] - total[low]) / (high - low)
    if len(seconds) < 2:
        return np.asarray(near)
    after = np.clip(np.searchsorted(seconds, edges), 1, len(seconds) - 1)
    gap = seconds[after] - seconds[after - 1]
    inside = (edges >= seconds[0]) & (edges <= seconds[-1]) & (gap <= max(2.0 * step, 7200.0))
    line = np.where(inside, np.interp(edges, seconds, values), np.nan)
    return np.where(high > low, near, line)


def held(seconds: Array, values: Array, *, edges: Array) -> Array:
    """Return means over bins of what stays as it is until the next row; NaN before the first.

    >>> held(np.array([0.0, 1800.0]), np.array([1.0, 0.0]), edges=np.array([0.0, 3600.0, 7200.0])).tolist()
    [0.5, 0.0]
    """
    every = np.union1d(edges, seconds[(seconds > edges[0]) & (seconds < edges[-1])])
    at = np.searchsorted(seconds, every[:-1], side="right") - 1
    level = np.where(at >= 0, values[np.maximum(at, 0)], np.nan) if len(seconds) else np.full(len(at), np.nan)
    which = np.searchsorted(edges, every[:-1], side="right") - 1
    return np.bincount(which, level * np.diff(every), len(edges) - 1) / np.diff(edges)


def bins_of(time: Times, settings: FlowSettings, *, source: str) -> tuple[np.datetime64, Array]:
    """Return the start and the edges [s] of the bins: the window asked for, or that of the readings, on full steps."""
    step = round(settings.step_h * 3600.0)
    if not len(time):
        raise InputError(source, "no row holds a value", "write numbers, or correct the flags")
    since, until = _seconds(settings.since), _seconds(settings.until)
    seconds = time.astype("datetime64[s]").astype(np.int64)
    first = since if since is not None else int(seconds.min()) // step * step
    last = until if until is not None else -(-int(seconds.max()) // step) * step
    bins = (last - first) // step
    if bins < 2 or seconds.max() < first or seconds.min() > last:
        what = f"readings run from {time.min()} to {time.max()} UTC, {max(bins, 0)} bins of {settings.step_h:g} h in the window"
        raise InputError(
            source,
            what,
            "move since and until in [flow], or shorten step_h, so that two bins or more hold readings",
        )
    start: np.datetime64 = np.datetime64(first, "s")
    return start, np.arange(bins + 1, dtype=np.float64) * step


def _seconds(time: np.datetime64 | None) -> int | None:
    return None if time is None else int(time.astype("datetime64[s]").astype(np.int64))
