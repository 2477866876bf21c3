"""The figure of what each reading says: hours by station and determinand, red for the leading suspicion, blue against it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.plot.series import dated
from suyuan.plot.style import WIDTH, styled
from suyuan.tracing.reasons import HOURS, Contest, Speech
from suyuan.tracing.result import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

MOST_ROWS = 24
"""Rows of a figure, those in which most is said."""

SHADES = ("#0b5394", "#4f8ac2", "#9ecae1", "#d6e6f2", "#f4f4f2", "#fee3b5", "#feb24c", "#f03b20", "#bd0026")
"""From what speaks most against to what speaks most for."""


@styled
def speeches(contest: Contest, trace: Trace, *, zone: tzinfo) -> Figure:
    """Return one strip a station and determinand, coloured by what its readings of every few hours say (log ratio)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.figure import Figure

    loudest: dict[tuple[str, str], float] = {}
    for speech in contest.speeches:
        key = speech.station, speech.determinand
        loudest[key] = max(loudest.get(key, 0.0), abs(speech.log_ratio))
    rows = sorted(sorted(loudest, key=lambda key: -loudest[key])[:MOST_ROWS])
    top = max(max(loudest.values(), default=0.0), 0.1)
    bounds = np.linspace(-top, top, len(SHADES) + 1)
    norm = BoundaryNorm(bounds.tolist(), len(SHADES))
    shades = ListedColormap(SHADES)
    high = 0.95 + 0.2 * len(rows)
    figure = Figure(figsize=(WIDTH, high))
    axes = figure.add_axes((0.16, 0.42 / high, 0.7, 1.0 - 0.8 / high))
    for row, key in enumerate(rows):
        own = sorted(
            (s for s in contest.speeches if (s.station, s.determinand) == key), key=lambda s: s.since
        )
        shade = np.digitize([s.log_ratio for s in own], bounds[1:-1])
        begin, end = _hours(own, trace, zone=zone)
        new = (np.diff(shade, prepend=-1) != 0) | (begin != np.append(begin[:1], end[:-1]))
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(own)) - 1
        runs = list(zip(begin[first], end[last] - begin[first], strict=True))
        axes.broken_barh(runs, (row - 0.42, 0.84), color=[SHADES[k] for k in shade[first]], lw=0)
    axes.set_yticks(range(len(rows)), [" · ".join(key) for key in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title(f"log ratio, {contest.one.label} / {contest.rival.label}", loc="left")
    axes.xaxis_date()
    axes.autoscale(axis="x", tight=True)
    dated(axes)
    axes.grid(visible=False)
    scale = figure.add_axes((0.88, 0.42 / high, 0.015, 1.0 - 0.8 / high))
    ticks = [-top, 0.0, top]
    bar = figure.colorbar(ScalarMappable(norm, shades), cax=scale, ticks=ticks, spacing="uniform")
    bar.ax.minorticks_off()
    bar.ax.set_yticklabels([f"{tick:+.2g}" if tick else "0" for tick in ticks], fontsize=8)
    return figure


def _hours(own: Sequence[Speech], trace: Trace, *, zone: tzinfo) -> tuple[Array, Array]:
    """Return begin and end of the hours of each speech, as matplotlib counts days."""
    from matplotlib.dates import date2num

    since = np.array([speech.since for speech in own], "datetime64[s]")
    hours = (since - trace.start) // np.timedelta64(HOURS, "h") * HOURS
    begin, end = (trace.start + h.astype("timedelta64[h]") for h in (hours, hours + HOURS))
    first, last = (date2num(local(time, zone)) for time in (begin, end))  # type: ignore[no-untyped-call]
    return np.asarray(first), np.asarray(last)
