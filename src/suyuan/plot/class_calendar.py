"""The class of each item of a section, month by month, as coloured squares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suyuan.plot.style import INK, styled
from suyuan.standards.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

COLOURS = ("#7fb2e5", "#7fb2e5", "#8fce8f", "#f2dc6b", "#f0a35e", "#e07a7a")
"""Blue, green, yellow, orange, red, as the maps of 环办〔2011〕22号, in tints on which black letters can be read."""

MOST_MONTHS = 36
"""Older months of a long record are left to the table."""


@styled
def class_calendar(record: Record) -> Figure:
    """Return the calendar of a record: a column a month, a row an item, the section itself on top."""
    from matplotlib.figure import Figure

    months = record.months[-MOST_MONTHS:]
    names = list(dict.fromkeys(one.item.id for month in months for one in month.judged))
    rows = [record.section.station, *names]
    figure = Figure(figsize=(1.6 + 0.32 * len(months), 0.7 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for column, month in enumerate(months):
        classes = {one.item.id: one.class_index for one in month.judged}
        for row, name in enumerate(rows):
            index = month.class_index if row == 0 else classes.get(name)
            if index is not None:
                colour = COLOURS[min(index, len(COLOURS) - 1)]
                axes.add_patch(_square(column, row, colour=colour))
                label = ">V" if index == len(month.scheme.classes) - 1 else month.scheme.classes[index].id
                axes.text(column, row, label, ha="center", va="center", fontsize=7, color=INK)
    axes.set_xlim(-0.55, len(months) - 0.45)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xticks(range(len(months)), [month.period for month in months], rotation=90, fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def _square(column: int, row: int, *, colour: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, facecolor=colour, edgecolor="none")
