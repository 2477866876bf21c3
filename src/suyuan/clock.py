"""Instants as clocks show them: UTC inside, the wall clock of a zone for people and files."""

from __future__ import annotations

from datetime import tzinfo

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.datetime64]


def local(times: Times, zone: tzinfo) -> Times:
    """Return UTC instants as the clock on the wall in `zone` shows them, datetime64[s].

    >>> from zoneinfo import ZoneInfo
    >>> str(local(np.array(["2024-07-20T01:00:00"], "datetime64[s]"), ZoneInfo("Asia/Shanghai"))[0])
    '2024-07-20T09:00:00'
    """
    import pandas as pd

    stamps = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return np.asarray(stamps.to_numpy(), "datetime64[s]")


def stamped(times: Times, zone: tzinfo) -> NDArray[np.str_]:
    """Return UTC instants as ISO 8601 texts in `zone`, each with its offset.

    >>> from zoneinfo import ZoneInfo
    >>> print(stamped(np.array(["2024-07-20T00:00:00"], "datetime64[s]"), ZoneInfo("Asia/Shanghai")))
    ['2024-07-20T08:00:00+08:00']
    """
    clock = local(times, zone)
    minutes = ((clock - times) / np.timedelta64(60, "s")).astype(int)
    shifts, which = np.unique(minutes, return_inverse=True)
    offsets = [f"{'-' if m < 0 else '+'}{abs(m) // 60:02}:{abs(m) % 60:02}" for m in shifts]
    return np.char.add(np.datetime_as_string(clock, unit="s"), np.array(offsets)[which])


def iso(time: np.datetime64, zone: tzinfo) -> str:
    """Return a UTC instant as ISO 8601 in `zone`, with its offset.

    >>> from zoneinfo import ZoneInfo
    >>> iso(np.datetime64("2024-07-20T01:00:00"), ZoneInfo("Asia/Shanghai"))
    '2024-07-20T09:00:00+08:00'
    """
    return str(stamped(np.array([time], "datetime64[s]"), zone)[0])


def clocked(time: np.datetime64, zone: tzinfo) -> str:
    """Return a UTC instant for a message: as the inspector's clock shows it, to the minute, with its offset.

    >>> from zoneinfo import ZoneInfo
    >>> clocked(np.datetime64("2024-07-19T16:00:00"), ZoneInfo("Asia/Shanghai"))
    '2024-07-20 00:00+08:00'
    """
    text = iso(time, zone)
    return f"{text[:10]} {text[11:16]}{text[19:]}"


def dated(times: Times, zone: tzinfo) -> list[str]:
    """Return UTC instants for a table: day and clock in `zone`, to the minute.

    >>> from zoneinfo import ZoneInfo
    >>> dated(np.array(["2024-07-19T16:00:00"], "datetime64[s]"), ZoneInfo("Asia/Shanghai"))
    ['2024-07-20 00:00']
    """
    return [str(time)[:16].replace("T", " ") for time in local(times, zone)]


def undated(times: Times, zone: tzinfo) -> list[str]:
    """Return UTC instants where the year is known: month, day and clock in `zone`, to the minute.

    >>> from zoneinfo import ZoneInfo
    >>> undated(np.array(["2024-07-19T16:00:00"], "datetime64[s]"), ZoneInfo("Asia/Shanghai"))
    ['07-20 00:00']
    """
    return [text[5:] for text in dated(times, zone)]
