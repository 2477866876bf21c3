"""Times without a year, as the national table has them: the last year in which they do not lie after the table itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault
from suyuan.io.tables import Table
from suyuan.io.times import NOT_A_TIME, utc_of

if TYPE_CHECKING:
    import pandas as pd

Times = NDArray[np.datetime64]

_YEARLESS = re.compile(r"^(\d{1,2})[-/月](\d{1,2})日?\s+(\d{1,2}):(\d{2})(?::\d{2})?$")
_LAST_SECOND = np.timedelta64(86_399, "s")
_SLACK = np.timedelta64(3_600, "s")
"""A table may hold a reading a little later than itself: clocks differ."""


def times_with_years(
    table: Table, roles: Mapping[str, str], *, zone: tzinfo, taken: np.datetime64 | None
) -> tuple[Times, list[Fault]]:
    """Return the time of each row in UTC, NaT where a stopped station has none, and faults.

    `roles` names the columns `time` and `taken`; without the latter, `taken` is when the whole table was taken.
    """
    text = table.text(roles["time"])
    is_yearless = text.str.match(_YEARLESS).to_numpy(dtype=bool)
    time = np.full(len(table), NOT_A_TIME)
    if not is_yearless.all():
        time[~is_yearless] = utc_of(text[~is_yearless], zone)
    if is_yearless.any():
        upto = _taken(table, roles, zone=zone, taken=taken)
        if np.isnat(upto[is_yearless]).any():
            what = f"times such as '{text[is_yearless].iloc[0]}' have no year"
            remedy = "say when the table was taken: --taken 2024-07-20T09:00, a column 抓取时间, or a date in the file's name"
            return time, [Fault(table.source, int(table.row[is_yearless][0]), what, remedy)]
        cells = text[is_yearless].reset_index(drop=True)
        time[is_yearless] = with_year(cells, upto[is_yearless], zone=zone)
    is_empty = text.isin(("", "--", "-", "None", "null")).to_numpy(dtype=bool)
    remedy = "write 2024-07-20 08:00, or 07-20 08:00 as the national table does"
    wrong = np.isnat(time) & ~is_empty
    return time, table.faults(wrong, text, say=lambda cell: (f"time '{cell}' cannot be read", remedy))


def with_year(cells: pd.Series[str], taken: Times, *, zone: tzinfo) -> Times:
    """Return times such as 12-31 20:00 in the last year in which each does not lie after `taken` (cell,); NaT if in none.

    >>> import pandas as pd
    >>> from suyuan.io.times import timezone_of
    >>> cells, taken = pd.Series(["12-31 20:00", "02-29 08:00"]), np.array(["2023-01-01T02"] * 2, "datetime64[s]")
    >>> with_year(cells, taken, zone=timezone_of("UTC")).astype(str).tolist()
    ['2022-12-31T20:00:00', '2020-02-29T08:00:00']
    """
    import pandas as pd

    parts = cells.str.extract(_YEARLESS).astype("int64")
    found = np.full(len(cells), NOT_A_TIME)
    first = taken.astype("datetime64[Y]").astype(int) + 1970 + 1
    for back in range(9):  # 02-29 may need eight years
        open_ = np.flatnonzero(np.isnat(found))
        if not len(open_):
            break
        year = pd.Series(first[open_] - back).astype("str")
        month, day, hour, minute = (
            parts[i].iloc[open_].reset_index(drop=True).astype("str").str.zfill(2) for i in range(4)
        )
        times = utc_of(year + "-" + month + "-" + day + " " + hour + ":" + minute, zone)
        is_past = ~np.isnat(times) & (times <= taken[open_] + _SLACK)
        found[open_[is_past]] = times[is_past]
    return found


def _taken(table: Table, roles: Mapping[str, str], *, zone: tzinfo, taken: np.datetime64 | None) -> Times:
    """Return for each row when it was taken, in UTC; a day without a time counts to its end. NaT where nothing says so."""
    if "taken" in roles:
        text = table.text(roles["taken"])
        at = utc_of(text, zone)
        return np.where(text.str.len().to_numpy() <= 10, at + _LAST_SECOND, at)
    return np.full(len(table), NOT_A_TIME if taken is None else taken)
