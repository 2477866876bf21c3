"""The map of a sampling plan: numbered stops of every crew, joined in the order they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.plot.network_map import Label, blank_map, finish_map, spot
from suyuan.plot.style import INK, WATER, styled
from suyuan.tracing.advice import Advice, Stop

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CREWS = ("#bd0026", "#54278f", "#006d2c", "#08519c", "#a63603", "#525252")
"""Colours of crews; a seventh has that of the first."""

MARKS = {"kit": "o", "strip": "D", "grab": "s"}


@styled
def plan_map(advice: Advice, network: Network, *, flow: BalancedFlow | None = None) -> Figure:
    """Return the map of the plan; a stop is labelled with crew, number and place."""
    sheet = blank_map(network, flow=flow)
    figure, axes, lines = sheet.figure, sheet.axes, sheet.lines
    if network.outfalls:
        x, y = np.array(
            [spot(o.reach, o.chainage_m, network=network, lines=lines) for o in network.outfalls]
        ).T
        axes.scatter(x, y, s=14, facecolor="white", edgecolor="#52606d", linewidth=0.8, zorder=3)
    labels = []
    for crew in sorted({stop.crew for stop in advice.stops}):
        own = [stop for stop in advice.stops if stop.crew == crew]
        points = np.array(
            [spot(s.place.reach, s.place.chainage_m, network=network, lines=lines) for s in own]
        )
        colour = CREWS[(crew - 1) % len(CREWS)]
        axes.plot(*points.T, color=colour, lw=1.2, ls=(0, (4, 2)), zorder=5)
        for stop, point in zip(own, points, strict=True):
            axes.scatter(
                point[0],
                point[1],
                marker=MARKS[stop.method],
                s=70,
                color=colour,
                edgecolor=INK,
                linewidth=0.9,
                zorder=7,
            )
            labels.append(Label(_name(stop), point, 9.0, True))
    for station in network.stations:
        at = spot(station.reach, station.chainage_m, network=network, lines=lines)
        axes.scatter(
            at[0], at[1], s=42, marker="s", facecolor=WATER, edgecolor="white", linewidth=0.9, zorder=4
        )
        labels.append(Label(station.name or station.id, at, 8.0, False))
    finish_map(sheet, network, labels=labels)
    _legend(figure)
    return figure


def _name(stop: Stop) -> str:
    return f"{stop.crew}.{stop.number} {stop.place.id}"


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    words = {"kit": "kit, + or -", "strip": "strip", "grab": "grab sample"}
    handles = [
        Line2D([], [], marker=MARKS[m], ls="", ms=8, color=CREWS[0], markeredgecolor=INK, label=words[m])
        for m in MARKS
    ]
    handles.append(Line2D([], [], color=CREWS[0], ls=(0, (4, 2)), label="route"))
    handles.append(Line2D([], [], marker="s", ls="", ms=7, color=WATER, label="station"))
    figure.legend(handles=handles, loc="lower center", ncols=5, frameon=False)
