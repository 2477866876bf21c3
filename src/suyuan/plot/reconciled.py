"""Reconciled flow: where it is sure on the map, and hydrographs with bands at gauges and where nobody measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.network import Network
from suyuan.plot.network_map import drawn_lines
from suyuan.plot.style import BAND, HOT, INK, WATER, WIDTH, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

STEPS = (0.05, 0.1, 0.2, 0.5)
"""Bounds of the colours: standard deviation as a share of the reach's own usual discharge."""


@dataclass(frozen=True)
class Hydrograph:
    """Discharge of one reach over time (bin,) [m3/s] with its 90 % band, and what was read there, NaN where nothing."""

    reach: str
    mean: Array
    low: Array
    high: Array
    read: Array


@styled
def reconciled_map(
    network: Network, share: Array, *, hydrographs: Sequence[Hydrograph], time: NDArray[np.datetime64]
) -> Figure:
    """Return the map, each reach coloured by its `share` (reach,) of uncertainty, with hydrographs below.

    `time` (bin,) is the local time at the beginning of each bin.
    """
    from matplotlib.figure import Figure

    rows = -(-len(hydrographs) // 2)
    figure = Figure(figsize=(WIDTH, 4.4 + 1.7 * rows), layout="constrained")
    grid = figure.add_gridspec(1 + rows, 2, height_ratios=[4.0] + [1.5] * rows)
    _draw_map(figure.add_subplot(grid[0, :]), network, share=share)
    for i, graph in enumerate(hydrographs):
        _draw_hydrograph(figure.add_subplot(grid[1 + i // 2, i % 2]), graph, time=time)
    return figure


def _draw_map(axes: Axes, network: Network, *, share: Array) -> None:
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    colours = (WATER, *HOT[1:])
    lines = drawn_lines(network)
    for reach, doubt in zip(network.reaches, share, strict=True):
        line = lines[reach.id]
        colour = colours[int(np.searchsorted(STEPS, doubt))]
        axes.plot(line[:, 0], line[:, 1], color=colour, linewidth=2.2, solid_capstyle="round")
        if len(network.reaches) <= 40:
            middle = line.mean(axis=0)
            axes.annotate(reach.id, (float(middle[0]), float(middle[1])), fontsize=7, color=INK)
    words = [
        f"< {STEPS[0]:.0%}",
        *(f"{a:.0%} - {b:.0%}" for a, b in pairwise(STEPS)),
        f"> {STEPS[-1]:.0%}",
    ]
    for colour, word in zip(colours, words, strict=True):
        axes.plot([], [], color=colour, linewidth=2.2, label=word)
    title = "standard deviation as a share of the usual discharge"
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, -0.12), "alignment": "left"}
    axes.legend(title=title, frameon=False, fontsize=8, title_fontsize=8, ncols=len(words), **place)


def _draw_hydrograph(axes: Axes, graph: Hydrograph, *, time: NDArray[np.datetime64]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.fill_between(time, graph.low, graph.high, step="post", color=BAND, linewidth=0.0)
    axes.step(time, graph.mean, where="post", color=WATER, linewidth=1.0)
    axes.plot(time, graph.read, ".", color=INK, markersize=2.0)
    axes.axhline(0.0, color=INK, linewidth=0.4)
    axes.set_title(f"{graph.reach}, m3/s", loc="left")
    locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
