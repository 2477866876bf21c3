"""The budget of a section's month: its mean so far, how it may end, and what the rest of it may carry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.outlook.joint import Ends, chance_of_any
from suyuan.outlook.paths import past_means, rest_means
from suyuan.outlook.rolled import Rolled
from suyuan.outlook.scale import Scale, scale_of
from suyuan.standards.assessment import Mean, Note
from suyuan.standards.rounding import rounded
from suyuan.standards.scheme import Item, Scheme
from suyuan.standards.section import Section
from suyuan.substances import determinands

Array = NDArray[np.float64]

RATE_DAYS = 14
"""Days from which it is told how many readings a day the rest of the month will bring."""

BAND = (0.05, 0.50, 0.95)

KG_PER_DAY = 86.4
"""kg/d of 1 g/m3 in 1 m3/s."""


@dataclass(frozen=True)
class Month:
    """The month of a budget: its label, its first day, the day of the question (`today`), and the days from the question to
    its end (`time_left`): a day that runs counts by what is left of it.
    """

    label: str
    first: np.datetime64
    today: np.datetime64
    time_left: float

    @property
    def days_left(self) -> int:
        """The days that are not over."""
        return math.ceil(self.time_left)


@dataclass(frozen=True)
class Score:
    """How the same question was answered in `months` of the past, asked on the same day of the month: median relative error of
    the month's mean by our median (`ours`) and by the mean so far (`so_far`), and the share inside the 90 % band.
    """

    months: int
    ours: float
    so_far: float
    covered: float


@dataclass(frozen=True)
class ItemBudget:
    """The budget of one item; values as an instrument shows them.

    `so_far` is the mean until today with its readings, `ahead` how many readings the rest is expected to bring. `month` and
    `rest` are 5, 50 and 95 % of the month's mean and of that of its rest. `ends` holds the chance to miss the target class, and
    what it is joined by with those of other items. `allowed` (lowest, highest) is what the mean of the rest may be; a bound is
    None where there is none, and `is_lost` where no rest can reach the target. `discharge` [m3/s], of either sign, turns it
    into kg/d, NaN without.
    """

    item: Item
    limit: tuple[Decimal | None, Decimal | None]
    so_far: Mean
    ahead: float
    month: tuple[float, float, float]
    rest: tuple[float, float, float]
    ends: Ends
    allowed: tuple[float | None, float | None]
    is_lost: bool
    score: Score
    discharge: float = float("nan")

    @property
    def probability(self) -> float:
        """The chance to end worse than the target class, by the rounded mean."""
        return self.ends.chance

    @property
    def change(self) -> float | None:
        """By what share the rest must be better than expected (its median) to end at the limit; negative: there is room. None
        for pH, and where the month is lost.
        """
        low, high = self.allowed
        if self.is_lost or self.item.statistic == "hydrogen_mean" or self.rest[1] <= 0.0:
            return None
        if high is not None:
            return 1.0 - high / self.rest[1]
        return None if low is None else low / self.rest[1] - 1.0

    def load(self, concentration: float) -> float | None:
        """Return kg/d of a concentration, whichever way water runs; None without flow, or for what is no mass in water."""
        known = np.isfinite(self.discharge) and determinands()[self.item.determinand].unit == "mg/L"
        return concentration * abs(self.discharge) * KG_PER_DAY if known else None


@dataclass(frozen=True)
class Budget:
    """The budget of a section's month. `missing` are items without readings this month, `short` those with too short a past:
    no chance is known of either.
    """

    section: Section
    scheme: Scheme
    month: Month
    items: tuple[ItemBudget, ...]
    missing: tuple[str, ...]
    notes: tuple[Note, ...]
    short: tuple[str, ...] = ()
    mode: str = "assessment"

    @property
    def worst(self) -> ItemBudget | None:
        """The item that is most probably beyond its limit at the end."""
        return max(self.items, key=lambda one: one.probability, default=None)

    @property
    def probability(self) -> float:
        """The chance that the month's class ends above the target: that any item foretold does."""
        return chance_of_any([one.ends for one in self.items])

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts, for JSON."""
        return {
            "mode": self.mode,
            "too_short": list(self.short),
            "station": self.section.station,
            "water_type": self.section.water_type,
            "target_class": self.section.target_class,
            "month": self.month.label,
            "as_of": str(self.month.today),
            "days_left": self.month.days_left,
            "probability": self.probability,
            "items": [_item_dict(one) for one in self.items],
            "missing": list(self.missing),
            "notes": [{"code": note.code, "values": list(note.values)} for note in self.notes],
            "scheme": self.scheme.id,
            "version": self.scheme.version,
        }


def item_budget(
    item: Item,
    rolled: Rolled,
    *,
    so_far: Mean,
    section: tuple[Section, int],
    time_left: float,
    rng: np.random.Generator,
) -> ItemBudget:
    """Return the budget of one item from its mean so far and its forecasts; `section` comes with the index of its target class.

    The month's mean weighs readings equally, so the rest counts by the readings it is expected to bring: `time_left` days of
    them. The record ends with the last day that is over.
    """
    days_left = math.ceil(time_left)
    water, target = section[0].water_type, section[1]
    row, daily = len(rolled.daily) - 1, rolled.daily
    rest = rest_means(rolled, row, days=days_left, rng=rng)
    ahead = expected_readings(daily.count, time_left)
    month = month_means(daily.scale, so_far, rest=rest, ahead=ahead)
    classes = [item.class_of(rounded(Decimal(repr(float(v))), item.decimals), water) for v in month]
    misses = (np.array(classes) > target)[np.argsort(rest, kind="stable")]
    limit = item.limits[water][target]
    allowed, is_lost = allowed_rest(item, limit, so_far=so_far, ahead=ahead)
    is_lost = is_lost or _is_out_of_reach(rolled, allowed)
    return ItemBudget(
        item,
        limit,
        so_far,
        ahead,
        _band(month),
        _band(daily.scale.read(rest)),
        Ends(misses, past_means(rolled, row, days=days_left)),
        allowed,
        is_lost,
        score_of(rolled, days_left=days_left, rng=rng),
    )


def expected_readings(count: NDArray[np.int64], days: float) -> float:
    """Return how many readings so many days will bring, as the RATE_DAYS days up to the last reading did; at least one tenth.

    An outage at the end is not taken to last, one before it counts: instruments that fail do so again.

    >>> expected_readings(np.array([6] * 20 + [0] * 10), 10.0), expected_readings(np.array([6] * 7 + [0] * 6 + [6]), 14.0)
    (60.0, 48.0)
    """
    has = np.flatnonzero(count)
    if len(has) == 0:
        return 1.0
    recent = count[: has[-1] + 1][-RATE_DAYS:]
    return max(float(recent.mean()) * days, 0.1)


def month_means(scale: Scale, so_far: Mean, *, rest: Array, ahead: float) -> Array:
    """Return the month's mean (member,), as an instrument shows it, for means of its rest (member,).

    90 readings of 0.10 and 90 of 0.20 are 0.15:

    >>> float(month_means(Scale("log"), Mean(Decimal("0.1"), 90, 0, 0, 0), rest=np.array([0.2]), ahead=90.0)[0].round(3))
    0.15
    """
    begun = float(scale.averaged(np.array(float(so_far.value)))) * so_far.count
    return scale.read((begun + ahead * rest) / (so_far.count + ahead))


def allowed_rest(
    item: Item, limit: tuple[Decimal | None, Decimal | None], *, so_far: Mean, ahead: float
) -> tuple[tuple[float | None, float | None], bool]:
    """Return the lowest and highest mean of the rest with which the rounded mean of the month keeps a limit, and whether none
    does.

    The limit is met up to half a unit of its last digit. After 90 readings of 0.30 the same number may carry 0.101 on average:

    >>> from suyuan.standards.scheme import scheme
    >>> tp = scheme().item("TP")
    >>> bounds, lost = allowed_rest(tp, tp.limits["river"][2], so_far=Mean(Decimal("0.3"), 90, 0, 0, 0), ahead=90.0)
    >>> round(bounds[1], 4), lost
    (0.101, False)
    """
    scale, half = scale_of(item.determinand), Decimal(5).scaleb(-item.decimals - 1)
    begun = float(scale.averaged(np.array(float(so_far.value)))) * so_far.count
    whole = so_far.count + ahead

    def rest(bound: Decimal) -> float:
        return (float(scale.averaged(np.array(float(bound)))) * whole - begun) / ahead

    low, high = (
        None if limit[0] is None else rest(limit[0] - half),
        None if limit[1] is None else rest(limit[1] + half),
    )
    if scale.kind == "hydrogen":  # many ions are a low pH: the bounds change places
        is_lost = low is not None and low <= 0.0
        return (_shown(scale, low), None if high is None else _shown(scale, high)), is_lost
    is_lost = high is not None and high <= 0.0
    return (None if low is None or low <= 0.0 else low, high), is_lost


def _is_out_of_reach(rolled: Rolled, allowed: tuple[float | None, float | None]) -> bool:
    """Return whether the rest would have to be below where the instrument ends, or higher than any day of the record."""
    low, high = allowed
    highest = float(np.nanmax(rolled.daily.mean))
    if rolled.daily.scale.kind == "hydrogen":
        return False
    return (high is not None and high < rolled.daily.floor) or (low is not None and low > highest)


def _shown(scale: Scale, mean: float | None) -> float | None:
    return float(scale.read(np.array(mean))) if mean is not None and mean > 0.0 else None


def score_of(rolled: Rolled, *, days_left: int, rng: np.random.Generator) -> Score:
    """Return how months of the past would have been foretold with as many days left, by daily means weighed by readings."""
    daily = rolled.daily
    months = daily.days.astype("datetime64[M]")
    ours, so_far, inside = [], [], []
    for label in np.unique(months)[:-1]:
        rows = np.flatnonzero(months == label)
        row = int(rows[-1]) - days_left
        if row < rows[0] or rolled.row_refit[row] < 0:
            continue
        before, after = rows[rows <= row], rows[rows > row]
        if daily.count[before].sum() < len(before) or daily.count[after].sum() < len(after):
            continue  # fewer than a reading a day: no month to be measured by
        rest = rest_means(rolled, row, days=days_left, rng=rng)
        ahead = expected_readings(daily.count[: row + 1], days_left)
        count = daily.count[before]
        begun = float(np.nansum(daily.mean[before] * count)) / float(count.sum())
        means = (begun * float(count.sum()) + ahead * rest) / (float(count.sum()) + ahead)
        full = float(np.nansum(daily.mean[rows] * daily.count[rows])) / float(daily.count[rows].sum())
        shown, came = daily.scale.read(means), float(daily.scale.read(np.array(full)))
        if came == 0.0:
            continue  # nothing that an error could be a share of
        low, middle, high = np.quantile(shown, BAND)
        ours.append(abs(middle - came) / abs(came))
        so_far.append(abs(float(daily.scale.read(np.array(begun))) - came) / abs(came))
        inside.append(low - 1e-12 <= came <= high + 1e-12)
    if not ours:
        return Score(0, float("nan"), float("nan"), float("nan"))
    return Score(len(ours), float(np.median(ours)), float(np.median(so_far)), float(np.mean(inside)))


def _band(values: Array) -> tuple[float, float, float]:
    low, middle, high = (float(q) for q in np.quantile(values, BAND))
    return low, middle, high


def _item_dict(one: ItemBudget) -> dict[str, Any]:
    limit = [None if bound is None else float(bound) for bound in one.limit]
    highest = one.allowed[1]
    return {
        "item": one.item.id,
        "limit": limit,
        "mean_so_far": float(one.so_far.value),
        "readings": one.so_far.count,
        "below_detection": one.so_far.below,
        "left_out": one.so_far.left_out,
        "readings_expected": one.ahead,
        "month_q05_q50_q95": list(one.month),
        "rest_q05_q50_q95": list(one.rest),
        "probability": one.probability,
        "allowed_rest": list(one.allowed),
        "is_lost": one.is_lost,
        "change_needed": one.change,
        "discharge_m3_s": one.discharge if np.isfinite(one.discharge) else None,
        "allowed_kg_d": None if highest is None else one.load(max(highest, 0.0)),
        "expected_kg_d": one.load(one.rest[1]),
        "past_months": one.score.months,
        "past_error": _known(one.score.ours),
        "past_error_so_far": _known(one.score.so_far),
        "past_covered_90": _known(one.score.covered),
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
