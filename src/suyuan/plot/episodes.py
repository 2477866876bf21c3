"""Episodes, drawn: readings over their baseline, and what stands above it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np

from suyuan.clock import local
from suyuan.episodes import Watched
from suyuan.plot.series import dated
from suyuan.plot.style import BAND, INK, WATER, WIDTH, finish, styled
from suyuan.substances import determinands

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARK = "#f03b20"
MOST = 4000
"""Readings drawn in a panel; of more the last ones."""


@styled
def episode_series(watched: Sequence[Watched], *, zone: tzinfo) -> Figure:
    """Return one panel a series: readings, baseline, the band in which nothing is an episode, and the episodes."""
    from matplotlib.figure import Figure

    rows = max(len(watched), 1)
    figure = Figure(figsize=(WIDTH, 0.8 + 1.5 * rows))
    panels = figure.subplots(rows, 1, squeeze=False)[:, 0]
    for axes, one in zip(panels, watched, strict=False):
        kept = slice(max(len(one.time) - MOST, 0), None)
        time, value = local(one.time[kept], zone), one.value[kept]
        axes.fill_between(time, one.baseline[kept], one.limit[kept], color=BAND, lw=0, alpha=0.6)
        axes.plot(time, one.baseline[kept], color=WATER, lw=1.0, label="baseline")
        axes.plot(time, value, color=INK, lw=0.5, marker=".", ms=1.8, label="readings")
        inside = np.zeros(len(one.time), bool)
        for episode in one.episodes:
            inside |= (one.time >= episode.start) & (one.time <= episode.end)
        mine = inside[kept]
        axes.plot(time[mine], value[mine], ".", ms=5, color=MARK, label="episode")
        unit = determinands()[one.determinand].unit
        axes.set_title(f"{one.station} {one.determinand}, {unit}", loc="left")
        dated(axes)
    finish(figure, panels[0], rows=rows)
    return figure
