"""The days ahead of one determinand at a station, with probabilities, and with how good such forecasts were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.outlook.daily import Daily
from suyuan.outlook.rolled import Rolled
from suyuan.outlook.skilled import Skill, skill_of
from suyuan.outlook.spread import at_least, members_of

Array = NDArray[np.float64]

MOST_DAYS = 7
STALE_DAYS = 2
"""Days without a reading after which nothing is forecast: the intervals would be those of a record that goes on."""

QUANTILES = (0.05, 0.10, 0.50, 0.90, 0.95)


@dataclass(frozen=True)
class Ahead:
    """The daily mean of one day ahead: `quantiles` by QUANTILES, the `point` whose skill is given (what is expected of the
    level, where the instrument may end), and the chance that it lies `beyond` the limit of the target
    class (None without one).
    """

    day: np.datetime64
    quantiles: tuple[float, ...]
    point: float
    beyond: float | None
    skill: Skill


@dataclass(frozen=True)
class Forecast:
    """Forecasts of one determinand from the last day with a reading (`made_from`). `daily` is the past that was used, `learnt`
    how many days of it have readings; `limit` the bounds of the target class, None where there is none.
    """

    station: str
    determinand: str
    made_from: np.datetime64
    learnt: int
    daily: Daily
    ahead: tuple[Ahead, ...]
    limit: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        return {
            "determinand": self.determinand,
            "made_from": str(self.made_from),
            "days_learnt": self.learnt,
            "limit": None if self.limit is None else [_number(bound) for bound in self.limit],
            "ahead": [
                {
                    "day": str(one.day),
                    **{f"q{q * 100:02.0f}": v for q, v in zip(QUANTILES, one.quantiles, strict=True)},
                    "point": one.point,
                    "beyond_limit": one.beyond,
                    "skill": _skill_dict(one.skill),
                }
                for one in self.ahead
            ],
        }


def forecast(
    rolled: Rolled,
    station: str,
    *,
    days: int,
    is_beyond: Callable[[float], bool] | None,
    limit: tuple[float, float] | None,
) -> Forecast:
    """Return the forecasts of the 1 to `days` days after the last one of the record, which must have a forecast.

    Where the last readings are some days older, errors and skill are those of forecasts from so many days more before.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InputError("days", f"{days} days ahead", f"ask for 1 to {MOST_DAYS}")
    row, daily = len(rolled.daily) - 1, rolled.daily
    if rolled.row_refit[row] < 0:
        what = f"{daily.determinand} at {station} has {int(np.isfinite(daily.mean).sum())} days with readings, too few"
        raise InputError("readings", what, "import more of its past")
    late = rolled.days_since
    if late > STALE_DAYS:
        what = f"{daily.determinand} at {station} has no readings after {daily.days[row - late]}"
        raise InputError("readings", what, f"forecast from that day with --at {daily.days[row - late]}")
    found = []
    known = rolled.known_errors(row)
    for h in range(1, days + 1):
        value = members(rolled, row, h=h, errors=known[:, h + late - 1])
        beyond = None if is_beyond is None else float(np.mean([is_beyond(float(v)) for v in value]))
        level = at_least(rolled.mean[row, h - 1], rolled.sd[row, h - 1], floor=daily.floor_level)
        point = float(daily.scale.read(daily.scale.mean(np.asarray(level))))
        quantiles = tuple(float(q) for q in np.quantile(value, QUANTILES))
        found.append(Ahead(daily.days[row] + h, quantiles, point, beyond, skill_of(rolled, h + late)))
    learnt = int(np.isfinite(daily.mean).sum())
    return Forecast(station, daily.determinand, daily.days[row - late], learnt, daily, tuple(found), limit)


def members(rolled: Rolled, row: int, *, h: int, errors: Array) -> Array:
    """Return equally likely daily means, as an instrument would show them, `h` days after a row, from past errors (case,)."""
    level = rolled.mean[row, h - 1] + rolled.sd[row, h - 1] * members_of(errors)
    scale = rolled.daily.scale
    return np.sort(scale.read(np.maximum(scale.mean(level), rolled.daily.floor)))


def _skill_dict(one: Skill) -> dict[str, Any]:
    return {
        "days_scored": one.days,
        "has_skill": one.has_skill,
        "against": {name: _number(value) for name, value in one.against.items()},
        "doubt": {name: _number(value) for name, value in one.doubt.items()},
        "crps": _number(one.crps),
        "covered_80": _number(one.covered_80),
        "covered_90": _number(one.covered_90),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
