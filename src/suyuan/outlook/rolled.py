"""Forecasts of the past as they would have been made: refitted month by month, each from the days before alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.outlook.daily import Daily
from suyuan.outlook.helped import help_of, signals_of
from suyuan.outlook.level import Followed, ahead, follow, motion_of

Array = NDArray[np.float64]

HORIZONS = np.arange(1, 32)
"""Days ahead that are forecast: a month at most."""

HELPED = 7
"""Days ahead for which other determinands are asked."""

MOST_REFITS = 24
"""Months of the past that are forecast again; what is older is learnt from and not scored."""

FEWEST_DAYS = 8
"""Days with readings from which on forecasts are made at all."""


@dataclass(frozen=True)
class Refit:
    """What was known at `start` (a row of the days): the followed days of every determinand, with motions learnt before it.

    It serves the forecasts made on the rows `start` - 1 to `end` - 1.
    """

    start: int
    end: int
    followed: Mapping[str, Followed]


@dataclass(frozen=True)
class Rolled:
    """Forecasts of one determinand made on every day: `mean` and `sd` (day, horizon) of the level, NaN where none could be
    made. `followed` is that of the last refit, `row_refit` (day,) the refit of each row, -1 without.
    """

    daily: Daily
    mean: Array
    sd: Array
    refits: tuple[Refit, ...]
    row_refit: NDArray[np.int64]

    @property
    def days_since(self) -> int:
        """How many days before the last one the last reading was made."""
        known = np.flatnonzero(np.isfinite(self.daily.level))
        return len(self.daily) - 1 - int(known[-1]) if len(known) else len(self.daily)

    @property
    def errors(self) -> Array:
        """The standardised errors (day, horizon) of all forecasts whose day has a reading, NaN elsewhere."""
        return standard_errors(self.came, self.mean, sd=self.sd, floor=self.daily.floor_level)

    @property
    def came(self) -> Array:
        """The level that came (day, horizon), NaN where unknown."""
        level, n = self.daily.level, len(self.daily)
        found = np.full(self.mean.shape, np.nan)
        for k, h in enumerate(HORIZONS):
            found[: max(n - h, 0), k] = level[h:]
        return found

    def known_errors(self, row: int) -> Array:
        """Return the errors (day, horizon) that were known on day `row`: those of days up to it, NaN elsewhere."""
        errors = self.errors[: row + 1].copy()
        origin = np.arange(row + 1)[:, None]
        errors[origin + HORIZONS[None, :] > row] = np.nan
        return errors


def refits_of(
    dailies: Mapping[str, Daily],
    *,
    most: int = MOST_REFITS,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Refit, ...]:
    """Return what was known at the start of each of the last `most` months, and at the end of determinands that are newer; all
    series must have the same days.
    """
    days = next(iter(dailies.values())).days
    months = days.astype("datetime64[M]")
    starts = [int(k) for k in np.flatnonzero(months[1:] != months[:-1]) + 1]
    starts = [k for k in starts if _enough(dailies, k)][-most:]
    if not starts:
        starts = [len(days)] if _enough(dailies, len(days)) else []
    found: list[Refit] = []
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(days)
        known = {name: one for name, one in dailies.items() if _known(one, start) >= FEWEST_DAYS}
        before = found[-1].followed if found else {}
        followed = {name: _follow(one, before.get(name), start=start, end=end) for name, one in known.items()}
        found.append(Refit(start, end, followed))
        progress((number + 1) / len(starts))
    return (*found, *_late(dailies, found, row=len(days)))


def _late(dailies: Mapping[str, Daily], found: Sequence[Refit], *, row: int) -> tuple[Refit, ...]:
    """Return a refit at the end of the record for determinands that were not known at the last start, none without them."""
    known = found[-1].followed if found else dailies
    late = {
        name: one for name, one in dailies.items() if name not in known and _known(one, row) >= FEWEST_DAYS
    }
    followed = {name: _follow(one, None, start=row, end=row) for name, one in late.items()}
    return (Refit(row, row, followed),) if followed else ()


def roll(dailies: Mapping[str, Daily], name: str, *, refits: Sequence[Refit]) -> Rolled:
    """Return the forecasts of one determinand on every day that a refit serves."""
    if name not in dailies:
        raise InputError("determinand", f"'{name}' has no readings here", nearest(name, list(dailies)))
    daily = dailies[name]
    shape = len(daily), len(HORIZONS)
    mean, sd, row_refit = np.full(shape, np.nan), np.full(shape, np.nan), np.full(len(daily), -1)
    for number, refit in enumerate(refits):
        if name not in refit.followed:
            continue
        rows = slice(max(refit.start - 1, 0), refit.end)
        every_mean, every_sd = ahead(refit.followed[name], daily.days[: refit.end], horizons=HORIZONS)
        every_mean = every_mean + _help(daily, refit, mean=every_mean, sd=every_sd)
        mean[rows], sd[rows], row_refit[rows] = every_mean[rows], every_sd[rows], number
    return Rolled(daily, mean, sd, tuple(refits), row_refit)


def standard_errors(came: Array, mean: Array, *, sd: Array, floor: float) -> Array:
    """Return (came - mean) / sd; where the level that came is the floor, the error in the middle of those that it may be.

    A level foretold at the floor that came at the floor may have erred by anything below 0, half of it by less than -0.67:

    >>> one = np.array([1.0])
    >>> standard_errors(one, one, sd=one, floor=1.0).round(2).tolist()
    [-0.67]
    """
    from scipy.special import ndtr, ndtri

    found = (came - mean) / sd
    censored = came <= floor + 1e-9
    found[censored] = ndtri(np.maximum(ndtr(found[censored]) / 2.0, 1e-15))
    return np.asarray(found)


def _help(daily: Daily, refit: Refit, *, mean: Array, sd: Array) -> Array:
    """Return what to add to the forecasts (day, horizon) for what other determinands say, learnt before the refit."""
    name, start = daily.determinand, refit.start
    others = [one for other, one in refit.followed.items() if other != name]
    signals = signals_of(refit.followed[name], others, learnt=start)
    level = daily.level[:start]
    daily = daily.until(daily.days[start - 1])
    found = np.zeros_like(mean)
    for k, h in enumerate(HORIZONS[:HELPED]):
        error = np.full(start, np.nan)
        rows = slice(0, start - h)
        error[rows] = standard_errors(level[h:], mean[rows, k], sd=sd[rows, k], floor=daily.floor_level)
        error[~np.isfinite(level)] = np.nan
        found[:, k] = help_of(signals[:start], error, horizon=int(h)).correction(signals) * sd[:, k]
    return found


def _follow(daily: Daily, before: Followed | None, *, start: int, end: int) -> Followed:
    """Return a determinand followed to row `end` with the motion learnt before row `start`."""
    near = None if before is None else before.motion
    level, days = daily.level[:end], daily.days[:end]
    floor = daily.until(days[start - 1]).floor_level
    motion = motion_of(level[:start], days[:start], near=near, floor=floor)
    return follow(level, days, motion=motion, floor=floor)


def _known(daily: Daily, row: int) -> int:
    return int(np.isfinite(daily.level[:row]).sum())


def _enough(dailies: Mapping[str, Daily], row: int) -> bool:
    return any(_known(daily, row) >= FEWEST_DAYS for daily in dailies.values())
