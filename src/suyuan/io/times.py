"""Times as people and instruments write them, to UTC."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError, nearest
from suyuan.io.tables import Table

if TYPE_CHECKING:
    import pandas as pd

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?")
_HAS_OFFSET = r"[T ]\d{1,2}(?::\d{2}){0,2}(?:\.\d+)?\s*(?:Z|z|[+-]\d{2}(?::?\d{2})?)$"
_LOCAL_FORMATS = (
    *("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"),
    *(
        "%Y年%m月%d日 %H:%M:%S",
        "%Y年%m月%d日 %H:%M",
        "%Y年%m月%d日%H时%M分",
        "%Y年%m月%d日%H时",
        "%Y年%m月%d日",
    ),
)
_FIRST, _LAST = np.datetime64("1900-01-01"), np.datetime64("2200-01-01")
NOT_A_TIME = np.datetime64("NaT", "s")


def timezone_of(name: str | tzinfo, *, where: str = "timezone") -> tzinfo:
    """Return the zone of an IANA name or of an offset such as UTC+08:00.

    >>> timezone_of("UTC+08:00").utcoffset(None)
    datetime.timedelta(seconds=28800)
    """
    if isinstance(name, tzinfo):
        return name
    text = name.strip()
    if text.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    offset = _OFFSET.fullmatch(text.upper())
    if offset and int(offset[2]) <= 14 and int(offset[3] or 0) < 60:
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-size if offset[1] == "-" else size)
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        remedy = nearest(text, _zones()) if text else "write Asia/Shanghai or UTC+08:00"
        raise InputError(where, f"timezone '{name}' is not known", remedy) from error


def utc_of_datetime(time: datetime, zone: tzinfo) -> np.datetime64:
    """Return an instant in UTC, datetime64[s]; a time without offset is in `zone`.

    >>> utc_of_datetime(datetime(2024, 7, 20, 8), timezone_of("Asia/Shanghai"))
    np.datetime64('2024-07-20T00:00:00')
    """
    aware = time if time.tzinfo else time.replace(tzinfo=zone)
    return np.datetime64(aware.astimezone(UTC).replace(tzinfo=None), "s")


def instant_of(value: object, zone: tzinfo, *, is_end: bool = False) -> np.datetime64 | None:
    """Return a written or parsed time in UTC, datetime64[s]; None where it is no time of the years 1900 to 2200.

    A day without a time of day is its first instant; as an end (`is_end`) it is None, for whether its hours count is not said.

    >>> zone = timezone_of("Asia/Shanghai")
    >>> instant_of("2024-07-20", zone), instant_of("2024-07-20", zone, is_end=True)
    (np.datetime64('2024-07-19T16:00:00'), None)
    """
    try:
        if isinstance(value, str):
            value = value.strip()
            value = date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = None if is_end else datetime.combine(value, time())
        found = utc_of_datetime(value, zone) if isinstance(value, datetime) else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and _FIRST <= found <= _LAST else None


def utc_of(cells: pd.Series[str], zone: tzinfo) -> NDArray[np.datetime64]:
    """Return instants in UTC, datetime64[s]; NaT where a cell is no time that the zone's clocks showed.

    ISO 8601 with or without offset, or 2024/7/20 8:00, 2024年7月20日8时; those without are in `zone`.
    """
    import pandas as pd

    codes, distinct = pd.factorize(cells)
    texts = pd.Series(distinct, dtype="str").str.strip()
    with_offset = texts.str.contains(_HAS_OFFSET, regex=True).to_numpy(dtype=bool)
    utc = np.full(len(texts), NOT_A_TIME)
    if with_offset.any():
        parsed = pd.to_datetime(texts[with_offset], format="ISO8601", utc=True, errors="coerce")
        utc[with_offset] = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    if not with_offset.all():
        utc[~with_offset] = localised(_local_of(texts[~with_offset]), zone)
    utc[(utc < _FIRST) | (utc > _LAST)] = NOT_A_TIME
    return np.append(utc, NOT_A_TIME)[codes]


def localised(local: pd.Series[pd.Timestamp], zone: tzinfo) -> NDArray[np.datetime64]:
    """Return clock times in `zone` as UTC, datetime64[s]; NaT for an hour that came twice or not at all."""
    aware = local.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")
    return aware.dt.tz_localize(None).to_numpy().astype("datetime64[s]")


def times_of(table: Table, zone: tzinfo) -> tuple[NDArray[np.datetime64], list[Fault]]:
    """Return the column `time` of a table in UTC, datetime64[s], and a fault for every other cell."""
    import pandas as pd

    cells = table.columns["time"]
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        utc = cells.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    elif pd.api.types.is_datetime64_dtype(cells.dtype):
        utc = localised(cells, zone)
    else:
        utc = utc_of(table.text("time"), zone)
    wrong = np.isnat(utc)
    remedy = "write 2024-07-20T08:00:00+08:00, or 2024-07-20 08:00 in the project's timezone"
    shown = table.text("time") if wrong.any() else pd.Series([], dtype="str")
    return utc, table.faults(wrong, shown, say=lambda cell: (f"time '{cell}' cannot be read", remedy))


def _local_of(texts: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    """Return times without an offset, NaT where no form fits."""
    import pandas as pd

    local = pd.to_datetime(texts, format="ISO8601", errors="coerce").astype("datetime64[s]")
    for form in _LOCAL_FORMATS:
        open_ = local.isna()
        if not open_.any():
            break
        local[open_] = pd.to_datetime(texts[open_], format=form, errors="coerce").astype("datetime64[s]")
    return local


@cache
def _zones() -> list[str]:
    return sorted(zoneinfo.available_timezones())
