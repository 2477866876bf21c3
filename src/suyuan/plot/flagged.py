"""Readings of a station with what quality control says of them."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.observations import FAIL, SUSPECT, Observations
from suyuan.plot.series import dated
from suyuan.plot.style import INK, WIDTH, finish, styled
from suyuan.substances import determinands

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("suspect", SUSPECT, {"marker": "o", "ms": 4, "mfc": "none", "color": "#b35900"}),
    ("fail", FAIL, {"marker": "x", "ms": 5, "color": "#bd0026"}),
)


@styled
def flagged_readings(observations: Observations, *, zone: tzinfo, thinned: int = 1500) -> Figure:
    """Return one panel a determinand of one station: all readings, those that are suspect and those that fail marked.

    Of more than `thinned` good readings in a panel every so manieth is drawn, of the flagged ones all. What lies far
    beyond the good readings is drawn at the edge of the panel.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(observations.determinand.tolist()))
    rows = -(-len(names) // 2)
    figure = Figure(figsize=(WIDTH, 0.5 + 1.7 * rows))
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(panels, names, strict=False):
        one = observations.where(np.flatnonzero(observations.determinand == name))
        _draw(axes, one, time=local(one.time, zone), thinned=thinned)
    finish(figure, panels[0], rows=rows)
    return figure


def _draw(axes: Axes, one: Observations, *, time: NDArray[np.datetime64], thinned: int) -> None:
    order = np.argsort(time, kind="stable")
    order = order[np.isfinite(one.value[order])]
    good = order[one.flag[order] < SUSPECT]
    value = one.value
    if len(good) > 10:
        low, high = np.quantile(value[good], (0.0, 1.0))
        room = 0.6 * max(float(high - low), 1e-9)
        value = np.clip(value, low - room, high + room)
    every = -(-len(good) // thinned) if len(good) else 1
    axes.plot(
        time[good][::every], value[good][::every], ls="", marker=".", ms=1.8, color=INK, label="not flagged"
    )
    for name, flag, look in LOOKS:
        rows = order[one.flag[order] == flag]
        axes.plot(time[rows], value[rows], ls="", label=name, **look)
    known = determinands().get(str(one.determinand[0]))
    axes.set_title(f"{one.determinand[0]}, {known.unit if known else ''}", loc="left")
    dated(axes)
