"""The map of what closing the water balance changed, reach by reach, and how many reaches by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from suyuan.balance import WaterBalance
from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.plot.network_map import Label, blank_map, finish_map
from suyuan.plot.style import INK, WATER, WIDTH, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = ((0.01, "#4393c3"), (0.05, "#92c5de"), (0.20, "#f4a582"), (0.50, "#d6604d"))
BEYOND = "#67001f"
"""Root mean square change as a share of discharge, and the colour of reaches with no more; beyond the last, BEYOND."""

LABELLED = 5
"""So many reaches, those that were changed most for their discharge, carry their name."""


@styled
def closure_map(flow: BalancedFlow, network: Network) -> Figure:
    """Return the map: reaches coloured by the change of discharge as a share of it; arrows show the mean direction."""
    sheet = blank_map(network, flow=flow)
    share = flow.balance.correction_share
    for reach, value in zip(network.reaches, share, strict=True):
        colour = next((colour for most, colour in STEPS if value <= most), BEYOND)
        sheet.axes.plot(*sheet.lines[reach.id].T, color=colour, lw=3.0, solid_capstyle="round", zorder=1.5)
    labels = []
    for r in np.argsort(-share, kind="stable")[:LABELLED]:
        line = sheet.lines[network.reaches[r].id]
        labels.append(Label(network.reaches[r].id, line.mean(axis=0), 8.5, False))
    finish_map(sheet, network, labels=labels)
    _legend(sheet.figure)
    return sheet.figure


@styled
def closure_histogram(balance: WaterBalance) -> Figure:
    """Return how many reaches were changed by how much of their discharge: root mean square, and at the most."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.9))
    axes = figure.add_axes((0.08, 0.2, 0.89, 0.7))
    edges = np.logspace(-6.0, 1.0, 29)
    for values, colour, label in (
        (balance.correction_share, WATER, "root mean square change"),
        (balance.largest_share, INK, "largest change"),
    ):
        axes.hist(
            np.clip(values, edges[0], edges[-1]),
            bins=edges.tolist(),
            histtype="step",
            lw=1.4,
            color=colour,
            label=label,
        )
    axes.set_xscale("log")
    axes.set_xlabel("change / discharge")
    axes.set_ylabel("reaches")
    axes.legend(frameon=False, loc="upper left")
    return figure


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    handles = [
        *(Line2D([], [], lw=3.0, color=colour, label=f"≤ {most:.0%}") for most, colour in STEPS),
        Line2D([], [], lw=3.0, color=BEYOND, label=f"> {STEPS[-1][0]:.0%}"),
    ]
    figure.legend(handles=handles, loc="lower center", ncols=6, frameon=False, columnspacing=1.2)
