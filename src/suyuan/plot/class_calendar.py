"""The class of each item of a section, month by month, as coloured squares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suyuan.plot.style import INK, styled
from suyuan.standards.record import Record
from suyuan.standards.scheme import Scheme

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
                axes.add_patch(_square(column, row, colour=class_colour(index, len(month.scheme.classes))))
                label = _label(month.scheme, index)
                size = min(7.0, 24.0 / len(label))
                axes.text(column, row, label, ha="center", va="center", fontsize=size, color=INK)
    axes.set_xlim(-0.55, len(months) - 0.45)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xticks(range(len(months)), [month.period for month in months], rotation=90, fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def class_colour(index: int, count: int) -> str:
    """Return the colour of a class, spread from blue for the best to red for the last of `count` classes.

    >>> class_colour(2, 6), class_colour(1, 2)
    ('#8fce8f', '#e07a7a')
    """
    return COLOURS[round(index * (len(COLOURS) - 1) / max(count - 1, 1))]


def _label(scheme: Scheme, index: int) -> str:
    """Return a class in a square, in either language: >V is worse than V, as the last class has no limits of its own."""
    is_last = index == len(scheme.classes) - 1
    return f">{scheme.classes[-2].id}" if is_last and index else scheme.classes[index].id


def _square(column: int, row: int, *, colour: str) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, facecolor=colour, edgecolor="none")
