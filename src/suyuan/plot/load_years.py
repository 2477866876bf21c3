"""Figures of loads over years: concentration with its estimates, yearly means with the flow-normalised line, the surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.loads import Loads
from suyuan.loads.periods import PeriodLoad
from suyuan.plot.style import BAND, HOT, INK, WATER, WIDTH, finish, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

STILL = "#9aa5b1"
"""Colour of single days, behind everything else."""

DRAWN = 3000
"""Points of a line, at most: of more days every so manieth is drawn."""

LEVELS = 9
"""Levels of concentration on the surface."""


@styled
def concentration_over_time(loads: Loads) -> Figure:
    """Return readings over the estimate of every day, and the yearly flow-normalised mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.add_subplot()
    every = -(-len(loads.daily) // DRAWN)
    axes.plot(
        *broken(loads.daily.date[::every], loads.concentration[::every], every=every),
        color=STILL,
        lw=0.5,
        label="daily estimate",
    )
    samples, known = loads.samples, loads.samples.is_known
    dots: dict[str, Any] = {"ls": "", "ms": 3.0, "mew": 0.7, "color": HOT[-1]}
    axes.plot(samples.date[known], samples.high[known], marker="o", label="observed", **dots)
    if not known.all():
        bound = np.where(np.isfinite(samples.high), samples.high, samples.low)[~known]
        axes.plot(samples.date[~known], bound, marker="v", mfc="none", label="below detection", **dots)
    whole = [year for year in loads.years if year.is_whole]
    axes.plot(
        _middles(whole),
        [y.normalised_concentration.value for y in whole],
        color=WATER,
        lw=2.0,
        label="flow-normalised",
    )
    axes.set_ylabel("concentration, mg/L")
    axes.set_ylim(0.0)
    axes.set_xlim(loads.daily.date[0], loads.daily.date[-1])
    finish(figure, axes, rows=1)
    return figure


@styled
def yearly_means(loads: Loads) -> Figure:
    """Return load and concentration of years with their intervals, and the flow-normalised lines with theirs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 4.6))
    panels = figure.subplots(2, 1, sharex=True)
    whole = [year for year in loads.years if year.is_whole] or list(loads.years)
    _draw_years(panels[0], whole, name="load")
    _draw_years(panels[1], whole, name="concentration")
    panels[0].set_ylabel("load, kg/d")
    panels[1].set_ylabel("concentration, mg/L")
    finish(figure, panels[0], rows=2)
    return figure


@styled
def surface_of(loads: Loads) -> Figure:
    """Return the concentration of a weighted regression over time and discharge; of a rating curve, over discharge alone."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.6))
    axes = figure.add_subplot()
    if loads.surface is None:
        _draw_rating(axes, loads)
    else:
        _draw_surface(figure, axes, loads=loads)
    finish(figure, axes, rows=1)
    return figure


def broken(date: NDArray[np.datetime64], value: Array, *, every: int) -> tuple[NDArray[np.datetime64], Array]:
    """Return a line that breaks where days are missing."""
    gap = np.flatnonzero(np.diff(date) > np.timedelta64(every + 1, "D"))
    return np.insert(date, gap + 1, date[gap]), np.insert(value, gap + 1, np.nan)


def _middles(years: list[PeriodLoad]) -> NDArray[np.datetime64]:
    return np.array([f"{year.label}-07-01" for year in years], "datetime64[D]")


def _draw_years(axes: Axes, years: list[PeriodLoad], *, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    at = np.array([int(year.label) for year in years])
    value, low, high = np.array([getattr(year, name) for year in years]).T
    axes.errorbar(
        at, value, yerr=[value - low, high - value], fmt="o", ms=4, color=INK, lw=0.8, label="estimate, 95 %"
    )
    value, low, high = np.array([getattr(year, f"normalised_{name}") for year in years]).T
    axes.fill_between(at, low, high, color=BAND, alpha=0.7, lw=0, label="95 % interval")
    axes.plot(at, value, color=WATER, lw=2.0, label="flow-normalised")
    axes.set_ylim(0.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_surface(figure: Figure, axes: Axes, *, loads: Loads) -> None:
    surface = loads.surface
    assert surface is not None
    low, high = np.quantile(loads.concentration, [0.01, 0.99])
    levels = np.linspace(low, max(high, low * 1.01), LEVELS + 1)
    drawn = axes.contourf(
        surface.year,
        np.exp(surface.log_q),
        surface.concentration,
        levels=levels,
        cmap="YlGnBu",
        extend="both",
    )
    bar = figure.colorbar(drawn, ax=axes, format="%.3g", pad=0.01)
    bar.set_label("concentration, mg/L")
    year, band = usual_discharge(loads)
    axes.plot(year, band[0], color=INK, lw=0.6, label="discharge, 5 to 95 %")
    axes.plot(year, band[1], color=INK, lw=0.6)
    axes.plot(loads.samples.year, np.exp(loads.samples.log_q), ".", ms=2.0, color=HOT[-1], label="observed")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(loads.daily.discharge.min(), loads.daily.discharge.max())
    axes.set_xlim(loads.daily.year[0], loads.daily.year[-1])
    axes.set_ylabel("discharge, m3/s")


def _draw_rating(axes: Axes, loads: Loads) -> None:
    from matplotlib.ticker import LogFormatter

    every = -(-len(loads.daily) // DRAWN)
    axes.plot(
        loads.daily.discharge[::every],
        loads.concentration[::every],
        ".",
        ms=2.0,
        color=STILL,
        label="daily estimate",
    )
    known, samples = loads.samples.is_known, loads.samples
    axes.plot(np.exp(samples.log_q[known]), samples.high[known], "o", ms=3.0, color=HOT[-1], label="observed")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.0, 0.4)))
    axes.set_xlabel("discharge, m3/s")
    axes.set_ylabel("concentration, mg/L")


def usual_discharge(loads: Loads) -> tuple[Array, Array]:
    """Return decimal years (month,) and the 5 and 95 % quantiles (2, month) of discharge in that month of any year."""
    months = loads.daily.date.astype("datetime64[M]")
    of_year = months.astype(int) % 12
    quantiles = {
        m: np.quantile(loads.daily.discharge[of_year == m], [0.05, 0.95]) for m in np.unique(of_year)
    }
    each = np.unique(months).astype(int)
    year = 1970.0 + (each + 0.5) / 12.0
    return year, np.array([quantiles[m % 12] for m in each]).T
