"""Bins from the times at which they begin; what is said of times that go back, repeat or leave gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError

_GAP = 1.5
"""A step this many times longer than the usual one is a gap."""


def bin_edges(
    starts: NDArray[np.datetime64], source: str, *, until: np.datetime64 | None = None
) -> tuple[np.datetime64, NDArray[np.float64]]:
    """Return the beginning, UTC, and the edges (bin + 1,) [s] of bins that begin at `starts`, datetime64[s].

    The last bin ends at `until`, else is as long as the one before. Raises InputError for gaps.

    >>> hours = np.array(["2024-07-20T00", "2024-07-20T01"], dtype="datetime64[s]")
    >>> bin_edges(hours, "flow.nc")[1]
    array([   0., 3600., 7200.])
    """
    if not len(starts):
        raise InputError(source, "there is no time in it", "export the flow again")
    if len(starts) < 2 and until is None:
        what = f"a single time, {starts[0]} UTC, does not say how long its bin is"
        raise InputError(source, what, "give at least two times")
    faults = _faults(starts if until is None else np.append(starts, until), source)
    if faults:
        raise InputError.of(faults)
    ends = np.append(starts, starts[-1] + (starts[-1] - starts[-2]) if until is None else until)
    return starts[0], (ends - ends[0]) / np.timedelta64(1, "s")


def _faults(times: NDArray[np.datetime64], source: str) -> list[Fault]:
    if np.isnat(times).any():
        row = int(np.argmax(np.isnat(times))) + 1
        return [
            Fault(
                source,
                row,
                f"time {row} is missing, or the clocks showed it twice",
                "give every bin its time, in UTC",
            )
        ]
    step = np.diff(times) / np.timedelta64(1, "s")
    back = np.flatnonzero(step <= 0.0)
    if len(back):
        i = int(back[0])
        says = "comes twice" if step[i] == 0.0 else f"comes after {times[i]} UTC"
        return [Fault(source, i + 2, f"time {times[i + 1]} UTC {says}", "sort by time, every time once")]
    usual = float(np.median(step))
    return [
        Fault(
            source,
            int(i) + 1,
            f"there is a gap of {step[i] / 3600:.3g} h between {times[i]} and {times[i + 1]} UTC, usual is "
            f"{usual / 3600:.3g} h",
            "fill it from the model",
        )
        for i in np.flatnonzero(step > _GAP * usual)[:20]
    ]
