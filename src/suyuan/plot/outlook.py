"""The month so far with what its rest may be, and forecasts behind their past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.outlook.budget import Budget, ItemBudget
from suyuan.outlook.forecast import Forecast
from suyuan.outlook.rolled import Rolled
from suyuan.outlook.spread import members_of
from suyuan.plot.series import dated
from suyuan.plot.style import BAND, INK, WATER, WIDTH, finish, styled
from suyuan.substances import determinands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

LIMIT = "#bd0026"
PAST_DAYS = 42
"""Days of the past that are drawn before a forecast."""


@styled
def month_fans(budget: Budget, rolled: dict[str, Rolled]) -> Figure:
    """Return one panel an item: the days of the month so far, the fan of the days left, the limit, and where the month's mean
    may end.
    """
    from matplotlib.figure import Figure

    rows = -(-len(budget.items) // 2)
    figure = Figure(figsize=(WIDTH, 0.5 + 2.1 * rows))
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in panels[len(budget.items) :]:
        axes.set_axis_off()
    for axes, one in zip(panels, budget.items, strict=False):
        _draw_month(axes, one, rolled=rolled[one.item.id], budget=budget)
    finish(figure, panels[0], rows=rows)
    return figure


@styled
def forecast_fans(found: Sequence[Forecast]) -> Figure:
    """Return one panel a determinand: the last PAST_DAYS days and the intervals of the days ahead."""
    from matplotlib.figure import Figure

    rows = -(-len(found) // 2)
    figure = Figure(figsize=(WIDTH, 0.5 + 2.1 * rows))
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    for axes, one in zip(panels, found, strict=False):
        _draw_forecast(axes, one)
    finish(figure, panels[0], rows=rows)
    return figure


def _draw_month(axes: Axes, one: ItemBudget, *, rolled: Rolled, budget: Budget) -> None:
    daily, row, left = rolled.daily, len(rolled.daily) - 1, budget.month.days_left
    inside = daily.days >= budget.month.first
    _draw_past(axes, daily.days[inside], mean=daily.scale.read(daily.mean[inside]))
    errors = rolled.known_errors(row)
    level = [rolled.mean[row, h] + rolled.sd[row, h] * members_of(errors[:, h]) for h in range(left)]
    shown = daily.scale.read(np.maximum(daily.scale.mean(np.stack(level)), daily.floor))
    _draw_fan(
        axes,
        daily.days[row] + np.arange(1, left + 1),
        quantiles=np.quantile(shown, (0.05, 0.1, 0.5, 0.9, 0.95), axis=1),
    )
    _draw_limits(axes, [float(bound) for bound in one.limit if bound is not None])
    end = daily.days[row] + left
    axes.errorbar(
        [end], [one.month[1]], [[one.month[1] - one.month[0]], [one.month[2] - one.month[1]]],
        color=INK, marker="D", ms=4, capsize=3, lw=1.4, label="mean of the month",
    )  # fmt: skip
    axes.axhline(float(one.so_far.value), color=INK, lw=0.8, ls=":", label="mean so far")
    _titled(axes, one.item.determinand)


def _draw_forecast(axes: Axes, found: Forecast) -> None:
    past = slice(-PAST_DAYS, None)
    _draw_past(axes, found.daily.days[past], mean=found.daily.scale.read(found.daily.mean[past]))
    _draw_fan(
        axes,
        np.array([one.day for one in found.ahead]),
        quantiles=np.array([one.quantiles for one in found.ahead]).T,
    )
    low, high = axes.get_ylim()
    room = high - low  # a limit farther off would flatten the fan
    _draw_limits(axes, [bound for bound in found.limit or () if low - room < bound < high + room])
    _titled(axes, found.determinand)


def _draw_limits(axes: Axes, bounds: Sequence[float]) -> None:
    for k, bound in enumerate(bounds):
        axes.axhline(bound, color=LIMIT, lw=1.0, label="_again" if k else "limit")


def _draw_past(axes: Axes, days: NDArray[np.datetime64], *, mean: Array) -> None:
    axes.plot(days, mean, color=INK, lw=0.9, marker=".", ms=3.5, label="daily mean")


def _draw_fan(axes: Axes, days: NDArray[np.datetime64], *, quantiles: Array) -> None:
    low90, low80, middle, high80, high90 = quantiles
    axes.fill_between(days, low90, high90, color=BAND, alpha=0.5, lw=0, label="90 % interval")
    axes.fill_between(days, low80, high80, color=BAND, lw=0, label="80 % interval")
    axes.plot(days, middle, color=WATER, lw=1.3, label="median")


def _titled(axes: Axes, name: str) -> None:
    unit = determinands()[name].unit
    axes.set_title(name if unit == "1" else f"{name}, {unit}", loc="left")
    dated(axes)
