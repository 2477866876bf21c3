"""Why a section moved, drawn: the waterfall of a change, the line between two waters, readings beside what the drivers make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.explain.explanation import Change, Explanation
from suyuan.plot.series import dated
from suyuan.plot.style import BAND, INK, WATER, WIDTH, finish, styled
from suyuan.substances import determinands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAMES = {
    "mixing": "mixing",
    "upstream": "upstream inflow",
    "flow": "flow and rain",
    "season": "season and temperature",
    "saturation": "oxygen saturation",
    "respiration": "life in the water",
    "release": "traced releases",
    "analyser": "analyser",
    "unexplained": "unexplained",
}
"""What parts are called in a figure."""

UP, DOWN, OPEN, LEVEL = "#d1605e", "#4c8f6b", "#a3b1bf", "#52606d"
FLAGGED = "#b35900"


@styled
def waterfall(change: Change) -> Figure:
    """Return the waterfall of one change: from the earlier mean, part by part with its 90 % band if any, to the later mean."""
    from matplotlib.figure import Figure

    known = [
        replace(part, low=_or(part.low, part.value), high=_or(part.high, part.value)) for part in change.parts
    ]
    parts = [part for part in known if part.is_possible and (part.value or part.low or part.high)]
    rows = len(parts) + 2
    figure = Figure(figsize=(WIDTH, 0.9 + 0.34 * rows))
    high = 0.9 + 0.34 * rows
    axes = figure.add_axes((0.2, 0.5 / high, 0.76, 1.0 - 0.85 / high))
    ends = [change.before]
    for part in parts:
        ends.append(ends[-1] + part.value)
    edges = [ends[k] + end for k, part in enumerate(parts) for end in (part.low, part.high)]
    low, top = min([*ends, *edges]), max([*ends, *edges])
    room = max(top - low, 1e-9)
    axes.hlines([0, rows - 1], low - 0.2 * room, [change.before, change.after], color=LEVEL, lw=7)
    for row, part in enumerate(parts, start=1):
        colour = OPEN if part.code == "unexplained" else UP if part.value >= 0.0 else DOWN
        axes.hlines(row, ends[row - 1], ends[row], color=colour, lw=11)
        axes.hlines(row, ends[row - 1] + part.low, ends[row - 1] + part.high, color=INK, lw=1.0)
        axes.vlines(ends[row], row, row + 1, color="#7b8794", lw=0.6)
        edge = max(ends[row - 1], ends[row], ends[row - 1] + part.high)
        axes.text(edge + 0.015 * room, row, f"{part.value:+.3g}", va="center", fontsize=8, color=INK)
    for row, value in ((0, change.before), (rows - 1, change.after)):
        axes.text(value + 0.015 * room, row, f"{value:.3g}", va="center", fontsize=8, color=INK)
    axes.set_yticks(range(rows), ["before", *(NAMES[part.code] for part in parts), "after"])
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_xlim(low - 0.2 * room, top + 0.15 * room)
    axes.set_title(_label(change.determinand), loc="left")
    axes.tick_params(labelsize=8, length=0)
    axes.grid(axis="x", color="#e4e7eb", lw=0.6)
    axes.set_axisbelow(True)
    return figure


def _or(value: float, other: float) -> float:
    """Return a number, the other where it is not known."""
    return value if np.isfinite(value) else other


def _label(determinand: str) -> str:
    """Return a determinand and its unit for an axis."""
    unit = determinands()[determinand].unit
    return determinand if unit == "1" else f"{determinand}, {unit}"


@styled
def mixing_diagram(found: Explanation, *, most: int = 9) -> Figure:
    """Return the first tracer against every other determinand, with the line between the two waters where one was found."""
    from matplotlib.figure import Figure

    mixing, table = found.mixing, found.table
    tracer = mixing.tracers[0] if mixing.tracers else "EC"
    names = [one.determinand for one in mixing.followers][:most]
    rows = -(-len(names) // 3)
    figure = Figure(figsize=(WIDTH, 0.6 + 2.1 * rows))
    panels = figure.subplots(rows, 3, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(panels, names, strict=False):
        x, y = table.column(tracer), table.column(name)
        flagged = table.doubtful(name) | table.doubtful(tracer)
        axes.plot(x[~flagged], y[~flagged], ".", ms=4, color=INK, label="readings")
        axes.plot(x[flagged], y[flagged], "x", ms=4, color=FLAGGED, label="flagged")
        for bound, values in ((axes.set_xlim, x[~flagged]), (axes.set_ylim, y[~flagged])):
            low, high = float(np.nanmin(values)), float(np.nanmax(values))
            bound(
                low - 0.08 * (high - low) - 1e-9, high + 0.08 * (high - low) + 1e-9
            )  # faults may lie outside
        one = mixing.follower(name)
        if one is not None and mixing.is_found:
            look = {"color": WATER, "lw": 1.4} if one.follows else {"color": OPEN, "lw": 1.0, "ls": "--"}
            axes.plot([mixing.low[0], mixing.high[0]], [one.low, one.high], label="mixing line", **look)
            axes.plot(
                [mixing.low[0], mixing.high[0]],
                [one.low, one.high],
                "o",
                ms=7,
                mfc="none",
                color=WATER,
                label="two waters",
            )
        share = "" if one is None else f"   r² {one.share:.2f}"
        axes.set_title(f"{_label(name)}{share}", loc="left", fontsize=9)
        axes.set_xlabel(_label(tracer), fontsize=8)
        axes.tick_params(labelsize=7)
    finish(figure, panels[0], rows=rows)
    figure.subplots_adjust(hspace=0.75, wspace=0.28, bottom=1.0 / (0.6 + 2.1 * rows))
    return figure


@styled
def told_series(changes: Sequence[Change], found: Explanation, *, zone: tzinfo) -> Figure:
    """Return one panel a determinand: readings beside what the drivers make; and one of the share of the second water."""
    from matplotlib.figure import Figure

    rows = len(changes) + int(found.mixing.is_found)
    figure = Figure(figsize=(WIDTH, 0.8 + 1.5 * rows))
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for axes, change in zip(panels, changes, strict=False):
        time, good = local(change.time, zone), change.is_good
        for start, end in _spans(found, zone=zone):
            axes.axvspan(start, end, color="#f0f4f8", lw=0)
        axes.plot(time, change.expected, color=WATER, lw=1.1, label="made by the drivers")
        axes.plot(time[good], change.value[good], ".", ms=4, color=INK, label="readings")
        axes.plot(time[~good], change.value[~good], "x", ms=4, color=FLAGGED, label="flagged")
        axes.set_title(_label(change.determinand), loc="left")
        dated(axes)
    if found.mixing.is_found:
        _draw_fraction(panels[-1], found, zone=zone)
    finish(figure, panels[0], rows=rows)
    return figure


def _draw_fraction(axes: Axes, found: Explanation, *, zone: tzinfo) -> None:
    time, share, sd = local(found.table.time, zone), found.mixing.fraction, found.mixing.fraction_sd
    there = np.isfinite(share)
    axes.fill_between(time[there], (share - sd)[there], (share + sd)[there], color=BAND, lw=0)
    axes.plot(time[there], share[there], color=WATER, lw=1.1)
    axes.set_title("share of the second water", loc="left")
    dated(axes)


def _spans(found: Explanation, *, zone: tzinfo) -> list[tuple[np.datetime64, np.datetime64]]:
    """Return the period asked about, to be shaded; nothing where it is held against itself."""
    if found.periods.against is None:
        return []
    first, last = local(np.array([found.periods.since, found.periods.until]), zone)
    return [(first, last)]
