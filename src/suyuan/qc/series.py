"""Readings as series: one station, one determinand, one way of taking them, in order of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from suyuan.observations import FAIL, MISSING, SUSPECT, Observations
from suyuan.qc.settings import Setting, setting

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

FEWEST = 20
"""Readings below which a series has no spread or jitter of its own, and its shape is not judged."""

ABOUT = 30
"""Readings to either side from which the jitter of the day is taken: five days of 4-hourly readings."""


@dataclass(frozen=True)
class Alarm:
    """A run of readings that one check speaks against.

    `rows` (reading,) are their rows; `measured` is the number that decided and `limit` what it may be, in the unit that belongs
    to the check (report/quality.py says both in words). `flag` is SUSPECT or FAIL.
    """

    check: str
    rows: Rows
    measured: float
    limit: float
    flag: int = SUSPECT


@dataclass(frozen=True)
class Asked:
    """What a check that needs something to compare with says: its `alarms`, and the `rows` (reading,) that had it."""

    alarms: tuple[Alarm, ...]
    rows: Rows


@dataclass(frozen=True)
class Series:
    """Readings of one station and determinand in order of time, no two at the same time.

    All arrays have shape (reading,): `rows` in the observations, `hours` since the first reading of all, `value` in the
    determinand's own unit, `hour_of_day` in UTC.
    """

    station: str
    determinand: str
    rows: Rows
    hours: Array
    value: Array
    hour_of_day: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def setting(self) -> Setting:
        """What is known of the determinand."""
        return setting(self.determinand)


def series_of(observations: Observations) -> tuple[Series, ...]:
    """Return the series that can be judged: finite values, not flagged FAIL or MISSING, not beyond the instrument's end (`>`).

    Composite samples, grabs (with a sample_id) and sensor readings of one station are series of their own. Of
    readings at the same time the lowest stands for all.
    """
    is_used = (
        np.isfinite(observations.value)
        & ~np.isin(observations.flag, (FAIL, MISSING))
        & (observations.qualifier != ">")
    )
    rows = np.flatnonzero(is_used)
    if not len(rows):
        return ()
    kind = (observations.duration_s[rows] > 0.0) + 2 * (observations.sample_id[rows] != "")
    keys = (observations.station[rows], observations.determinand[rows], kind)
    codes = [np.unique(key, return_inverse=True)[1].reshape(-1) for key in keys]
    time = observations.time[rows].astype("datetime64[s]").astype(np.int64)
    order = np.lexsort((observations.value[rows], time, codes[2], codes[1], codes[0]))
    is_new = np.append(True, (np.diff(np.stack([code[order] for code in codes])) != 0).any(axis=0))
    parts = np.split(order, np.flatnonzero(is_new)[1:])
    return tuple(_series(observations, rows[part], first=int(time.min())) for part in parts)


def _series(observations: Observations, rows: Rows, *, first: int) -> Series:
    seconds = observations.time[rows].astype("datetime64[s]").astype(np.int64)
    kept = np.append(True, np.diff(seconds) > 0)
    rows, seconds = rows[kept], seconds[kept]
    return Series(
        station=str(observations.station[rows[0]]),
        determinand=str(observations.determinand[rows[0]]),
        rows=rows,
        hours=(seconds - first) / 3600.0,
        value=observations.value[rows],
        hour_of_day=seconds // 3600 % 24,
    )


def usual_step(series: Series) -> float:
    """Return the usual time between two readings [h], infinite for a single one."""
    return float(np.median(np.diff(series.hours))) if len(series) > 1 else float("inf")


def robust_sd(value: Array) -> float:
    """Return the standard deviation as the median absolute deviation tells it (times 1.4826; Hampel, 1974).

    >>> round(robust_sd(np.array([1.0, 2.0, 3.0, 4.0, 100.0])), 4)
    1.4826
    """
    return float(1.4826 * np.median(np.abs(value - np.median(value))))


def running_median(value: Array, about: int) -> Array:
    """Return the median (reading,) of each reading and `about` to either side, NaN left out; fewer at the ends.

    >>> running_median(np.array([1.0, 9.0, 2.0, 3.0]), 1).tolist()
    [5.0, 2.0, 3.0, 2.5]
    """
    padded = np.pad(value, about, constant_values=np.nan)
    ordered = np.sort(sliding_window_view(padded, 2 * about + 1), axis=1)  # NaN last
    known, row = np.isfinite(ordered).sum(axis=1), np.arange(len(value))
    return np.asarray(0.5 * (ordered[row, np.maximum(known - 1, 0) // 2] + ordered[row, known // 2]))


def spread(series: Series) -> float:
    """Return how far readings of the series usually lie from its median: its robust sd, at least what the instrument can tell.

    Where half of the readings or more are below detection it is at least the detection limit.
    """
    known = series.setting
    is_hidden = known.detection > 0.0 and float(np.median(series.value)) <= known.detection
    return max(robust_sd(series.value), known.detection if is_hidden else known.tells, 1e-12)
