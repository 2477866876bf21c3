"""What loads are made from: the discharge of every day, and readings of some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Dates = NDArray[np.datetime64]

KG_PER_DAY = 86.4
"""kg/d in a g/s: 86,400 s over 1,000 g. One mg/L in one m3/s is one g/s."""

NORMAL_95 = 1.96
"""Half width of a 95 % interval in standard deviations."""

NARROW = 0.05
"""A concentration between bounds whose ln differ by no more is known, at their middle: little beside errors of ln c of 0.2 up."""


class Bounded(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of_error(cls, value: float, error: float) -> Bounded:
        """Return the interval of a positive value of which `error` is the standard error: lognormal, with that mean.

        As LOADEST has it (Runkel et al., 2004, equation 15). There the upper bound falls as an error far above the value grows;
        from an error as large as the value the upper bound is that of a lognormal with the value as its median.

        >>> [round(part, 6) for part in Bounded.of_error(10.0, 0.0)]
        [10.0, 10.0, 10.0]
        """
        log_sd = np.sqrt(np.log1p((error / value) ** 2))
        middle = np.log(value) - 0.5 * log_sd**2
        above = middle if error <= value else np.log(value)
        low, high = np.exp(middle - NORMAL_95 * log_sd), np.exp(above + NORMAL_95 * log_sd)
        return cls(float(value), float(low), float(high))


@dataclass(frozen=True)
class Daily:
    """Discharge of days: `date` (day,) datetime64[D] ascending, `discharge` [m3/s] above 0, `year` decimal at noon.

    Days without discharge are not there.
    """

    date: Dates
    discharge: Array
    year: Array

    @classmethod
    def of(cls, date: Dates, discharge: Array, *, where: str = "discharge") -> Daily:
        """Return the discharge of days; raises InputError, which names `where`, if a day stands twice or carries no
        water.

        >>> Daily.of(np.array(["2024-07-01"], "datetime64[D]"), np.array([3.0])).year.round(4).tolist()
        [2024.4986]
        """
        date = np.asarray(date).astype("datetime64[D]")
        wrong = np.flatnonzero(~(discharge > 0.0))
        if len(wrong):
            first = f"{discharge[wrong[0]]:g} m3/s on {date[wrong[0]]}"
            what = f"{len(wrong)} days have a discharge that is not above 0, the first {first}"
            remedy = (
                "these models take the logarithm of flow that runs one way: leave those days out, or measure the load "
                "across the section"
            )
            raise InputError(where, what, remedy)
        twice = np.flatnonzero(np.diff(date) <= np.timedelta64(0, "D"))
        if len(twice):
            remedy = "give one row a day, sorted"
            raise InputError(where, f"{date[twice[0] + 1]} does not come after {date[twice[0]]}", remedy)
        return cls(date, np.asarray(discharge, float), decimal_year(date))

    def __len__(self) -> int:
        return len(self.date)

    @property
    def log_q(self) -> Array:
        """ln of the discharge in m3/s, (day,)."""
        return np.log(self.discharge)


@dataclass(frozen=True)
class Samples:
    """Readings of days: `low` and `high` (reading,) bound the concentration [g/m3], equal where it is known.

    `low` is 0 below detection, `high` inf above range. `year` is decimal, `log_q` the ln of the day's discharge [m3/s].
    """

    date: Dates
    year: Array
    log_q: Array
    low: Array
    high: Array

    def __len__(self) -> int:
        return len(self.date)

    @classmethod
    def of(cls, date: Dates, *, low: Array, high: Array, daily: Daily) -> Samples:
        """Return the readings of days that have a discharge; bounds within NARROW are a reading at their (geometric) middle.

        Raises InputError where dates are not ascending, or bounds are not 0 <= low <= high.
        """
        date, low, high = np.asarray(date).astype("datetime64[D]"), np.asarray(low), np.asarray(high)
        _require_readings(date, low=low, high=high)
        close = (low > 0.0) & (low < high) & (high <= low * np.exp(NARROW))
        middle = np.sqrt(low[close] * high[close])
        low, high = low.astype(float), high.astype(float)
        low[close] = high[close] = middle
        at = np.minimum(np.searchsorted(daily.date, date), len(daily) - 1)
        has = daily.date[at] == date
        at = at[has]
        return cls(date[has], daily.year[at], daily.log_q[at], low[has], high[has])

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Whether each concentration is known exactly, (reading,)."""
        return np.asarray(self.low == self.high)

    @property
    def logs(self) -> Array:
        """Decimal years, ln Q and the bounds of ln c, (4, reading)."""
        with np.errstate(divide="ignore"):
            return np.ascontiguousarray([self.year, self.log_q, np.log(self.low), np.log(self.high)])


def _require_readings(date: Dates, *, low: Array, high: Array) -> None:
    twice = np.flatnonzero(np.diff(date) <= np.timedelta64(0, "D"))
    if len(twice):
        what = f"{date[twice[0] + 1]} does not come after {date[twice[0]]}"
        raise InputError("readings", what, "give one reading a day, sorted")
    wrong = np.flatnonzero(~((low >= 0.0) & (low <= high) & (high > 0.0)))
    if len(wrong):
        first = f"{low[wrong[0]]:g} to {high[wrong[0]]:g} mg/L on {date[wrong[0]]}"
        remedy = "give 0 <= low <= high: both alike where it is known, low = 0 below detection"
        raise InputError(
            "readings", f"{len(wrong)} days have no concentration between bounds, the first {first}", remedy
        )


def decimal_year(date: Dates) -> Array:
    """Return noon of days as decimal years, (day,).

    >>> decimal_year(np.array(["2023-01-01", "2024-12-31"], "datetime64[D]")).round(5).tolist()
    [2023.00137, 2024.99863]
    """
    years = date.astype("datetime64[Y]")
    start = years.astype("datetime64[D]")
    length = ((years + 1).astype("datetime64[D]") - start).astype(float)
    return np.asarray(years.astype(int) + 1970 + ((date - start).astype(float) + 0.5) / length)


def calendar_day(date: Dates) -> Index:
    """Return the day of the year from 0, as if every year had a February 29, (day,); that day counts as the one before.

    >>> calendar_day(np.array(["2024-02-29", "2023-03-01"], "datetime64[D]")).tolist()
    [58, 60]
    """
    months = date.astype("datetime64[M]")
    before = np.array([0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335])
    day = before[months.astype(int) % 12] + (date - months.astype("datetime64[D]")).astype(int)
    return np.where(day == 59, 58, day)
