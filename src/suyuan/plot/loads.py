"""What enters and leaves a town, drawn: loads in, loads out and what is between them, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np

from suyuan.clock import local
from suyuan.explain.balance import DAY_S, Balance
from suyuan.plot.series import dated
from suyuan.plot.style import INK, WATER, WIDTH, finish, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAVES = "#d1605e"


@styled
def loads_past(balances: Sequence[Balance], *, zone: tzinfo) -> Figure:
    """Return one panel a determinand: loads in and out [kg/d], means over days, and the out less the in as bars."""
    from matplotlib.figure import Figure

    rows = len(balances)
    figure = Figure(figsize=(WIDTH, 0.8 + 1.6 * rows))
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for axes, one in zip(panels, balances, strict=True):
        seconds = np.diff(one.edges)
        day = ((one.edges[:-1] - one.edges[0]) // DAY_S).astype(int)
        weight = np.bincount(day, weights=seconds)
        entered, left = (
            np.bincount(day, weights=load * seconds) / weight for load in (one.entered, one.left)
        )
        begin = one.start + np.round(one.edges[0] + DAY_S * (np.arange(len(weight)) + 0.5)).astype(
            "timedelta64[s]"
        )
        time = local(begin, zone)
        axes.bar(time, left - entered, width=np.timedelta64(64800, "s"), color="#c6ccd3", label="net")
        axes.plot(time, entered, ".-", color=WATER, lw=1.2, label="in")
        axes.plot(time, left, ".-", color=LEAVES, lw=1.2, label="out")
        axes.axhline(0.0, color=INK, lw=0.6)
        axes.set_title(f"{one.determinand}, kg/d", loc="left")
        dated(axes)
    finish(figure, panels[0], rows=rows)
    return figure
