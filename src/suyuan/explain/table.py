"""Readings of one station side by side: a row a time, a column a determinand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.observations import MISSING, SUSPECT, Observations
from suyuan.qc.settings import setting

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Times = NDArray[np.datetime64]

SAMPLED = ("NH3-N", "TP", "TN", "CODMn", "COD", "TOC", "PO4-P", "NO3-N", "NO2-N")
"""Determinands that one analyser cabinet measures in one drawn sample; probes in the water are not among them."""

HOUR = np.timedelta64(3600, "s")


@dataclass(frozen=True)
class StationTable:
    """Readings of a station, in order of time.

    `time` (time,) is UTC; `value` (time, determinand) in the determinand's own unit, NaN where there is none; `is_doubtful`
    (time, determinand) where quality control or the source flags the reading. `is_repeat` (time,): the cabinet shows an
    earlier sample again, every determinand of SAMPLED equal to it; these say nothing new, but time passes (`lasts`).
    """

    station: str
    time: Times
    determinands: tuple[str, ...]
    value: Array
    is_doubtful: Mask
    is_repeat: Mask

    def __len__(self) -> int:
        return len(self.time)

    @property
    def hours(self) -> Array:
        """Hours (time,) since the first row."""
        return np.asarray((self.time - self.time[0]) / HOUR, float)

    def column(self, determinand: str) -> Array:
        """Return the readings (time,) of a determinand, NaN where there are none or an earlier sample is shown again."""
        if determinand not in self.determinands:
            return np.full(len(self), np.nan)
        value = self.value[:, self.determinands.index(determinand)]
        return np.where(self.is_repeat, np.nan, value) if determinand in SAMPLED else value

    def lasts(self, determinand: str, *, side: NDArray[np.int64]) -> Array:
        """Return for how many rows (time,) each reading of a determinand stands: those on its own `side` (time,) in which its
        sample is shown again and not flagged count with it, for that time passed too and nothing else is known of it."""
        own = np.isfinite(self.column(determinand))
        again = np.isfinite(self.shown(determinand)) & ~own & ~self.doubtful(determinand)
        last = np.maximum.accumulate(np.where(own, np.arange(len(self)), 0))
        again &= side == side[last]
        return 1.0 + np.bincount(last[again], minlength=len(self)).astype(float)

    def shown(self, determinand: str) -> Array:
        """Return the readings (time,) of a determinand, samples that are shown again included: loads need every hour."""
        if determinand not in self.determinands:
            return np.full(len(self), np.nan)
        return np.asarray(self.value[:, self.determinands.index(determinand)])

    def doubtful(self, determinand: str) -> Mask:
        """Return where the readings (time,) of a determinand are flagged."""
        if determinand not in self.determinands:
            return np.zeros(len(self), bool)
        return np.asarray(self.is_doubtful[:, self.determinands.index(determinand)])

    def good(self, determinand: str) -> Array:
        """Return the readings (time,) of a determinand that are not flagged, NaN elsewhere."""
        return np.where(self.doubtful(determinand), np.nan, self.column(determinand))


def station_table(observations: Observations, names: tuple[str, ...]) -> StationTable:
    """Return the readings that stand under any of a station's `names`, the first of them its own.

    Of several readings at one time the best flagged counts, of equal ones the mean. Composite samples stand at their end.

    >>> time = np.array(["2024-07-20T00", "2024-07-20T04"], "datetime64[s]")
    >>> one = Observations(time, np.full(2, "S"), np.full(2, "EC"), np.array([500.0, 520.0]), np.full(2, ""),
    ...                    np.ones(2, np.int8), np.zeros(2), np.full(2, ""))
    >>> station_table(one, ("S",)).column("EC").tolist()
    [500.0, 520.0]
    """
    own = observations.select(stations=names)
    own = own.where(np.isfinite(own.value) & (own.flag != MISSING))
    time, row = np.unique(own.time.astype("datetime64[s]"), return_inverse=True)
    known, column = np.unique(own.determinand, return_inverse=True)
    flag = np.full((len(time), len(known)), 99)
    np.minimum.at(flag, (row, column), own.flag)
    best = own.flag == flag[row, column]
    total, count = np.zeros(flag.shape), np.zeros(flag.shape)
    np.add.at(total, (row[best], column[best]), own.value[best])
    np.add.at(count, (row[best], column[best]), 1.0)
    with np.errstate(invalid="ignore"):
        value = np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)
    determinands = tuple(map(str, known))
    doubtful = (flag >= SUSPECT) & (count > 0.0)
    is_told = value > np.array([setting(name).detection for name in determinands])
    below = best & (own.qualifier == "<")
    is_told[row[below], column[below]] = False
    repeats = _repeats(value, determinands, is_told=is_told)
    return StationTable(names[0], time, determinands, value, doubtful, repeats)


def _repeats(value: Array, determinands: tuple[str, ...], *, is_told: Mask) -> Mask:
    """Return where every determinand of one drawn sample equals that of the sample before, (time,).

    Two at least must be above detection, `is_told` (time, determinand): what is below it is alike in every sample.
    """
    columns = [k for k, name in enumerate(determinands) if name in SAMPLED]
    repeats, before = np.zeros(len(value), bool), np.full(len(columns), np.nan)
    for row, sample in enumerate(value[:, columns]):
        there = np.isfinite(sample)
        if not there.any():
            continue
        repeats[row] = is_told[row, columns].sum() >= 2 and np.array_equal(sample, before, equal_nan=True)
        before = sample
    return repeats


def at_times(time: Times, of_time: Times, *, value: Array, within_s: float) -> Array:
    """Return values at other times (time,), linear between neighbours that are no farther apart than twice `within_s`.

    Elsewhere the nearest value if it is within `within_s`, else NaN.

    >>> hour = np.array(["2024-07-20T00", "2024-07-20T04"], "datetime64[s]")
    >>> at_times(np.array(["2024-07-20T01", "2024-07-21T00"], "datetime64[s]"), hour,
    ...          value=np.array([1.0, 5.0]), within_s=7200.0)
    array([ 2., nan])
    """
    there = np.isfinite(value)
    x, known, y = (
        part.astype(float) for part in (time.astype("datetime64[s]"), of_time[there], value[there])
    )
    if not len(known):
        return np.full(len(time), np.nan)
    right = np.clip(np.searchsorted(known, x), 0, len(known) - 1)
    left = np.clip(np.searchsorted(known, x, side="right") - 1, 0, len(known) - 1)
    found = np.interp(x, known, y)
    is_between = (known[left] <= x) & (x <= known[right])
    near = np.where(x - known[left] < known[right] - x, y[left], y[right])
    gap, distance = known[right] - known[left], np.minimum(np.abs(x - known[left]), np.abs(known[right] - x))
    found = np.where(is_between & (gap <= 2.0 * within_s), found, near)
    return np.where(is_between & (gap <= 2.0 * within_s) | (distance <= within_s), found, np.nan)
