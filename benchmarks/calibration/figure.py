"""Reliability diagrams and rank histograms as one SVG, in the style of suyuan.plot; words stay text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suyuan.plot.style import BAND, INK, WATER, WIDTH, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Table = dict[str, Any]

ROW_INCHES = 2.6


@styled
def calibration_figure(tables: dict[str, Table]) -> Figure:
    """Return one row of panels a set: stated against right, and where true masses and starts fall among quantiles."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, ROW_INCHES * len(tables)), layout="constrained")
    panels = figure.subplots(len(tables), 3, squeeze=False)
    for row, (name, table) in zip(panels, tables.items(), strict=True):
        _draw_reliability(row[0], table)
        row[0].set_title(f"{name}, {table['n']} events", loc="left")
        for axes, quantity in zip(row[1:], ("mass", "start"), strict=True):
            _draw_ranks(axes, table["ranks"][quantity], quantity=quantity)
    return figure


def write(tables: dict[str, Table], path: Path) -> None:
    """Write the figure as SVG; the same numbers give the same bytes."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "calibration"}):
        calibration_figure(tables).savefig(path, format="svg", metadata={"Date": None})


def _draw_reliability(axes: Axes, table: Table) -> None:
    rows = [row for row in table["reliability"] if row["n"]]
    stated, right, low, high = (
        np.array([row[key] for row in rows]) for key in ("stated", "right", "low", "high")
    )
    axes.plot([0.0, 1.0], [0.0, 1.0], color="#7b8794", lw=1.0, ls="--")
    axes.vlines(stated, low, high, color=BAND, lw=3.0)
    axes.plot(stated, right, ls="", marker="o", ms=5, color=WATER)
    for row in rows:
        axes.annotate(
            str(row["n"]),
            (row["stated"], row["right"]),
            (4, -9),
            textcoords="offset points",
            fontsize=7,
            color=INK,
        )
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), xlabel="probability stated", ylabel="share that released")


def _draw_ranks(axes: Axes, table: Table, *, quantity: str) -> None:
    axes.set_xlabel(f"quantile of the stated {quantity}")
    axes.set_ylabel("events over expected")
    if not table["n"]:
        axes.text(0.5, 0.5, "no interval stated", ha="center", transform=axes.transAxes)
        return
    edges = np.array([0.0, *table["levels"], 1.0])
    shares, expected = np.array(table["shares"]), np.array(table["expected"])
    sd = np.sqrt((1.0 - expected) / (expected * table["n"]))  # of share over expected, binomial
    axes.bar(edges[:-1], shares / expected, np.diff(edges), align="edge", color=BAND, edgecolor=WATER, lw=0.8)
    axes.vlines(0.5 * (edges[1:] + edges[:-1]), 1.0 - 1.96 * sd, 1.0 + 1.96 * sd, color=INK, lw=1.0)
    axes.axhline(1.0, color="#7b8794", lw=1.0, ls="--")
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, None))
    axes.set_title(f"n {table['n']}, chi-square p {table['p']:.2g}", loc="left")
