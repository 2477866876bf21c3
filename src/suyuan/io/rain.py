"""Rain: a table of times and millimetres."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.tables import Column, read_table
from suyuan.io.times import times_of

COLUMNS = (Column("time", ("时间", "日期", "date")), Column("rain_mm", ("雨量", "降雨量", "降水量", "rain")))

MOST_MM = 1000.0
"""No row of a table of hours or days holds more rain."""


def read_rain(path: str | Path, timezone: tzinfo) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Return times (row,) [UTC], in order, and the rain [mm] of each, NaN in rows without a number.

    Raises InputError with every fault: times that cannot be read or are there twice, negative or impossible rain, no row.
    """
    table = read_table(path, COLUMNS)
    time, faults = times_of(table, timezone)
    rain, wrong = table.numbers("rain_mm")
    faults += wrong
    outside = (rain < 0.0) | (rain > MOST_MM)
    remedy = f"write millimetres of rain, 0 to {MOST_MM:.0f}"
    faults += table.faults(
        outside, table.text("rain_mm"), say=lambda cell: (f"rain_mm is {cell}, which cannot be", remedy)
    )
    if faults:
        raise InputError.of(faults)
    there = np.isfinite(rain)
    if not there.any():
        raise InputError(table.source, "there is no row with rain", "give a row a time, 0 where it was dry")
    order = np.argsort(time, kind="stable")
    time, rain = time[order], rain[order]
    if (np.diff(time) == np.timedelta64(0, "s")).any():
        raise InputError(table.source, "a time is there twice", "keep one of the rows")
    return time, rain
