"""Daily discharge at stations: a table of times, stations and m3/s."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.errors import Fault, InputError
from suyuan.io.tables import Column, Table, read_table
from suyuan.io.times import times_of
from suyuan.observations import Observations

Array = NDArray[np.float64]
Dates = NDArray[np.datetime64]

DISCHARGE = "discharge"
"""The determinand of discharge among readings."""

COLUMNS = (
    Column("time", ("date", "datetime", "日期", "时间")),
    Column("discharge", ("q", "flow", "流量", "日均流量", "平均流量")),
    Column("station", ("断面", "站点", "断面名称", "站点名称", "监测点"), is_required=False),
)


class DailyMean(NamedTuple):
    """Means over days: `date` (day,) datetime64[D], ascending, and `value` (day,)."""

    date: Dates
    value: Array


def read_discharge(path: str | Path, zone: tzinfo) -> Mapping[str, DailyMean]:
    """Return the daily mean discharge [m3/s] of each station of a table; one station without a name goes by ''.

    Several values of a day are averaged; cells without a number are days without discharge. Raises InputError with every fault.
    """
    table = read_table(path, COLUMNS)
    time, faults = times_of(table, zone)
    value, value_faults = table.numbers("discharge")
    faults += value_faults
    if not np.isfinite(value).any() and not faults:
        faults.append(
            Fault(table.source, 0, "there is no discharge", "write at least one row below the header")
        )
    if faults:
        raise InputError.of(faults)
    station = table.text("station").to_numpy(dtype=np.str_)
    return {
        name: daily_means(time[station == name], value[station == name], zone=zone) for name in _names(table)
    }


def under_names(tables: Mapping[str, DailyMean], names: Collection[str]) -> DailyMean:
    """Return the discharge of the station that goes by `names`, days that stand under several averaged; no days where none does.

    A table without stations is that of any.

    >>> days = DailyMean(np.array(["2024-07-01"], "datetime64[D]"), np.array([3.0]))
    >>> under_names({"S1": days}, ["S2"]).value.tolist(), under_names({"": days}, ["S2"]).value.tolist()
    ([], [3.0])
    """
    own = [one for name, one in tables.items() if name in names or list(tables) == [""]]
    if not own:
        return DailyMean(np.empty(0, "datetime64[D]"), np.empty(0))
    date, at = np.unique(np.concatenate([one.date for one in own]), return_inverse=True)
    return DailyMean(date, np.bincount(at, np.concatenate([one.value for one in own])) / np.bincount(at))


def daily_means(time: NDArray[np.datetime64], value: Array, *, zone: tzinfo) -> DailyMean:
    """Return means over the days of the zone; values that are NaN do not count.

    >>> from datetime import UTC
    >>> time = np.array(["2024-07-01T06", "2024-07-01T18", "2024-07-03T00"], "datetime64[s]")
    >>> daily_means(time, np.array([1.0, 3.0, 5.0]), zone=UTC).value.tolist()
    [2.0, 5.0]
    """
    there = np.isfinite(value)
    if not there.any():
        return DailyMean(np.empty(0, "datetime64[D]"), np.empty(0))
    day = local(time[there], zone).astype("datetime64[D]")
    date, at = np.unique(day, return_inverse=True)
    return DailyMean(date, np.bincount(at, value[there]) / np.bincount(at))


def daily_bounds(readings: Observations, *, zone: tzinfo) -> tuple[DailyMean, DailyMean]:
    """Return least and greatest daily means of readings: equal but on days with some below detection or above range."""
    low = np.where(readings.qualifier == "<", 0.0, readings.value)
    high = np.where(readings.qualifier == ">", np.inf, readings.value)
    day = local(readings.time, zone).astype("datetime64[D]")
    date, at = np.unique(day, return_inverse=True)
    count = np.bincount(at)
    is_open = np.bincount(at, np.isinf(high)) > 0.0
    least = np.bincount(at, low) / count
    most = np.where(is_open, np.inf, np.bincount(at, np.where(np.isinf(high), 0.0, high)) / count)
    return DailyMean(date, least), DailyMean(date, most)


def _names(table: Table) -> list[str]:
    return sorted(set(table.text("station").tolist()))
