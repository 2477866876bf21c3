"""Figures over time: release histories, readings beside what was expected, hours that nobody could see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.plot.style import BAND, INK, WATER, WIDTH, finish, percent, styled
from suyuan.tracing.result import BlindSpot, Finding, Fit, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

STILL = "#7b8794"
"""Colour of the background."""


def leading(trace: Trace, least: float = 0.05) -> tuple[Finding, ...]:
    """Return the findings of at least this probability that have a release history, most probable first."""
    return tuple(f for f in trace.findings if f.probability >= least and f.release is not None)


@styled
def release_histories(trace: Trace, *, zone: tzinfo) -> Figure:
    """Return one panel a leading candidate: its release [g/s], median and 90 % band, if it released."""
    from matplotlib.figure import Figure

    findings = leading(trace)
    figure = Figure(figsize=(WIDTH, 0.5 + 1.6 * max(len(findings), 1)))
    panels = figure.subplots(max(len(findings), 1), 1, sharex=True, squeeze=False)[:, 0]
    seconds = np.round(trace.edges).astype("timedelta64[s]")
    edges = local(trace.start + seconds, zone)
    for axes, finding in zip(panels, findings, strict=False):
        assert finding.release is not None
        low, middle, high = (np.append(q, q[-1]) for q in finding.release)
        axes.fill_between(edges, low, high, step="post", color=BAND, lw=0, label="90 % interval")
        axes.step(edges, middle, where="post", color=WATER, lw=1.2, label="median")
        title = " ".join(filter(None, [finding.candidate.id, finding.candidate.name]))
        axes.set_title(f"{title}   {percent(finding.probability)}", loc="left")
        axes.set_ylabel(f"release, {release_unit(trace.unit)}")
        axes.set_ylim(0.0, max(float(high.max()), 1e-9) * 1.08)
        axes.set_xlim(edges[0], edges[-1])
        dated(axes)
    finish(figure, panels[0], rows=len(panels))
    return figure


def release_unit(unit: str) -> str:
    """Return the unit of a release for a concentration in `unit`.

    >>> release_unit("mg/L"), release_unit("uS/cm")
    ('g/s', '(uS/cm)·m3/s')
    """
    return "g/s" if unit == "mg/L" else f"({unit})·m3/s"


@styled
def readings(fits: Sequence[Fit], *, zone: tzinfo, thinned: int = 1000) -> Figure:
    """Return one panel a determinand of one station: readings over the background and the 90 % band expected.

    Of more than `thinned` readings in a panel every so manieth is drawn.
    """
    from matplotlib.figure import Figure

    rows = -(-len(fits) // 2)
    figure = Figure(figsize=(WIDTH, 0.5 + 2.0 * rows))
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in panels[len(fits) :]:
        axes.set_axis_off()
    for axes, fit in zip(panels, fits, strict=False):
        _draw_fit(axes, fit, zone=zone, every=-(-len(fit.time) // thinned))
    finish(figure, panels[0], rows=rows)
    return figure


@styled
def blind_hours(spots: Sequence[BlindSpot], trace: Trace, *, zone: tzinfo) -> Figure:
    """Return one strip a candidate, dark in the hours in which its test release would have stayed unseen, grey where only
    on a part of the reach."""
    from matplotlib.dates import date2num
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 0.8 + 0.2 * len(spots)))
    axes = figure.add_axes(
        (0.16, 0.42 / (0.8 + 0.2 * len(spots)), 0.82, 1.0 - 0.55 / (0.8 + 0.2 * len(spots)))
    )
    edges = date2num(local(trace.start + np.round(trace.edges).astype("timedelta64[s]"), zone))  # type: ignore[no-untyped-call]
    for row, spot in enumerate(spots):
        axes.broken_barh([(edges[0], edges[-1] - edges[0])], (row - 0.4, 0.8), color="#eef2f5")
        for where, colour in ((spot.is_blind, "#a3b1bf"), (spot.unseen == 1.0, "#52606d")):
            change = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(int), [0]])))
            runs = [(edges[a], edges[b] - edges[a]) for a, b in zip(change[::2], change[1::2], strict=True)]
            axes.broken_barh(runs, (row - 0.4, 0.8), color=colour)
    axes.set_yticks(range(len(spots)), [f"{s.candidate}  {percent(s.unseen_share)}" for s in spots])
    axes.set_ylim(len(spots) - 0.4, -0.6)
    axes.set_xlim(edges[0], edges[-1])
    axes.xaxis_date()
    dated(axes)
    return figure


def _draw_fit(axes: Axes, fit: Fit, *, zone: tzinfo, every: int) -> None:
    order = np.argsort(fit.time, kind="stable")
    until, is_long = local(fit.time[order], zone), fit.is_composite[order]
    since = until - np.round(fit.duration_s[order]).astype("timedelta64[s]")
    below, used = fit.is_below[order], fit.is_used[order]
    lines = np.vstack([fit.fitted, fit.background])[:, order]
    middle = since + (until - since) / 2
    short, long = used & ~is_long, used & is_long
    time, unbroken = _with_gaps(middle[short], lines[:, short])
    _draw_expected(axes, time, lines=unbroken)
    _draw_boxes(axes, since[long], until=until[long], lines=lines[:, long])
    observed = fit.observed[order]
    top = 1.5 * max(float(np.nanmax(lines[2], initial=0.0)), float(observed[used].max(initial=0.0)))
    observed = np.where(
        used, observed, np.minimum(observed, top)
    )  # a spike is drawn at the edge of the panel
    kinds: list[tuple[str, Any, dict[str, Any]]] = [
        ("observed", used & ~below, {"marker": ".", "ms": 3.5, "color": INK}),
        ("below detection", used & below, {"marker": "v", "ms": 4, "mfc": "none", "color": INK}),
        ("not used", ~used, {"marker": "x", "ms": 4, "color": "#b35900"}),
    ]
    for name, where, look in kinds:
        rows = np.flatnonzero(where)[::every]
        if len(rows):
            bars = rows[until[rows] > since[rows]]
            axes.hlines(observed[bars], since[bars], until[bars], color=look["color"], lw=1.5)
            axes.plot(middle[rows], observed[rows], ls="", label=name, **look)
    if is_long.any():  # the bars stand already: this names them
        axes.plot([], [], color=INK, lw=1.5, label="composite sample")
    axes.set_title(f"{fit.determinand}, {fit.unit}", loc="left")
    if fit.determinand != "EC":  # conductivity moves by a tenth of its level: from zero nothing would be seen
        axes.set_ylim(bottom=min(0.0, float(np.nanmin(lines[0], initial=0.0))))
    dated(axes)


def _draw_expected(axes: Axes, time: NDArray[np.datetime64], *, lines: Array) -> None:
    """Draw what is expected of grabs and sensors over time; `lines` (4, reading) are 5, 50, 95 % and background."""
    low, middle, high, background = lines
    axes.fill_between(time, low, high, color=BAND, lw=0, label="expected, 90 %")
    axes.plot(time, middle, color=WATER, lw=1.2, label="expected, 50 %")
    axes.plot(time, background, color=STILL, lw=1.0, ls="--", label="background")


def _draw_boxes(
    axes: Axes, since: NDArray[np.datetime64], *, until: NDArray[np.datetime64], lines: Array
) -> None:
    """Draw what is expected of composite samples, each over its hours; `lines` (4, reading) as of `_draw_expected`."""
    low, middle, high, background = lines
    for i in range(len(since)):
        hours = [since[i], until[i]]
        axes.fill_between(hours, low[i], high[i], color=BAND, lw=0)
        axes.plot(hours, [middle[i]] * 2, color=WATER, lw=1.2)
        axes.plot(hours, [background[i]] * 2, color=STILL, lw=1.0, ls="--")


def _with_gaps(time: NDArray[np.datetime64], lines: Array) -> tuple[NDArray[np.datetime64], Array]:
    """Return lines (line, reading) broken by NaN where readings are missing for long.

    >>> time = np.array([0, 1, 2, 9], "datetime64[s]")
    >>> _with_gaps(time, np.ones((1, 4)))[1].tolist()
    [[1.0, 1.0, 1.0, nan, 1.0]]
    """
    step = np.diff(time)
    if len(step) == 0:
        return time, lines
    gaps = np.flatnonzero(step > 3 * np.median(step)) + 1
    return np.insert(time, gaps, time[gaps - 1] + np.median(step)), np.insert(lines, gaps, np.nan, axis=1)


def dated(axes: Axes) -> None:
    """Write dates as month-day (and hour where days are few): readable in every language."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    first, last = axes.get_xlim()
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=8))  # type: ignore[no-untyped-call]
    shown = "%m-%d" if last - first > 4.0 else "%m-%d %H:%M"
    axes.xaxis.set_major_formatter(DateFormatter(shown))  # type: ignore[no-untyped-call]
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#e4e7eb", lw=0.6)
    axes.set_axisbelow(True)
