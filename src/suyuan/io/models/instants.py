"""The instants at which a model wrote its state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

Array = NDArray[np.float64]

_HAS_OFFSET = re.compile(r"since .*\d\d?:\d.*(?:Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)\s*$", re.IGNORECASE)
_HEC = ("%d%b%Y %H:%M:%S:%f", "%d%b%Y %H:%M:%S", "%d%b%Y %H:%M", "%d%b%Y %H%M", "%Y-%m-%dT%H:%M:%S")


def instants(when: Sequence[datetime], zone: tzinfo, *, source: str) -> tuple[np.datetime64, Array]:
    """Return the first of some instants, UTC, and all in seconds from it; naive ones are in `zone`.

    Raises InputError where there are fewer than two or they do not increase: a single moment is no flow over time.
    """
    if len(when) < 2:
        what = (
            f"there are {len(when)} instants in it" if len(when) != 1 else "there is a single instant in it"
        )
        raise InputError(source, what, "let the model write its results at several times")
    utc = [(t if t.tzinfo else t.replace(tzinfo=zone)).astimezone(UTC) for t in when]
    seconds = np.array([(t - utc[0]).total_seconds() for t in utc])
    back = np.flatnonzero(np.diff(seconds) <= 0.0)
    if len(back):
        what = f"time {when[int(back[0]) + 1]} comes after {when[int(back[0])]}"
        raise InputError(source, what, "run the model again, in a file of its own")
    return np.datetime64(utc[0].replace(tzinfo=None), "s"), seconds


def instants_of_netcdf(variable: Any, zone: tzinfo, *, source: str) -> tuple[np.datetime64, Array]:
    """Return the instants of a time variable of a NetCDF file, as `instants` does."""
    import netCDF4

    units = str(getattr(variable, "units", ""))
    if "since" not in units:
        what = f"the units of time are '{units}'"
        raise InputError(source, what, "write them as 'seconds since 2024-07-01 00:00:00'")
    numbers: Array = np.ma.filled(np.ma.asarray(variable[:], dtype=float), np.nan)
    if not np.isfinite(numbers).all():
        raise InputError(
            source, "time is missing at some instants", "the file may be half-written; run again"
        )
    calendar = str(getattr(variable, "calendar", "standard"))
    dates = netCDF4.num2date(numbers, units, calendar, only_use_cftime_datetimes=False)
    when = [datetime.fromisoformat(str(d)) for d in np.asarray(dates).ravel()]
    return instants(when, UTC if _HAS_OFFSET.search(units) else zone, source=source)


def hec_time(text: str, *, source: str) -> datetime:
    """Return a time as HEC's programs write it; '24:00' is the midnight that follows.

    >>> hec_time("01JUL2024 24:00:00", source="plan.hdf")
    datetime.datetime(2024, 7, 2, 0, 0)
    """
    clean = text.strip()
    day, _, clock = clean.partition(" ")
    late = clock.startswith("24")
    for form in _HEC:
        try:
            found = datetime.strptime(f"{day} 00{clock[2:]}" if late else clean, form)
        except ValueError:
            continue
        return found + timedelta(days=1) if late else found
    raise InputError(source, f"time '{clean}' is not understood", "HEC writes it as 01JUL2024 13:00:00")
