"""The figure of how the answer moved: the probabilities of who led, run by run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np

from suyuan.clock import local
from suyuan.plot.style import INK, WIDTH, percent, styled
from suyuan.tracing.history import Answer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#bd0026", "#0b5394", "#2d7d46", "#b35900", "#7b3294", "#52606d")

MOST_RUNS = 60
"""Most runs in the figure, the latest."""

LEAST_APART = 0.07
"""Least distance between two names at the edge, as a share of the height."""


@styled
def answers_moved(history: Sequence[Answer], *, zone: tzinfo) -> Figure:
    """Return the probability of each leading candidate and of nobody, a point a run; below is where its readings end.

    Candidates below a hundredth count as 0, which no eye can tell apart.
    """
    from matplotlib.figure import Figure

    shown = history[-MOST_RUNS:]
    runs = np.arange(len(shown))
    lines = {name: np.array([a.probability(name) for a in shown]) for name in leading_names(shown)}
    figure = Figure(figsize=(WIDTH, 2.6))
    axes = figure.add_axes((0.08, 0.2, 0.68, 0.74))
    for (name, p), colour in zip(lines.items(), COLOURS, strict=False):
        axes.plot(runs, p, marker="o", ms=3.5, lw=1.5, color=colour, label=name)
    nobody = np.array([answer.nobody for answer in shown])
    axes.plot(runs, nobody, marker="o", ms=3.0, lw=1.2, ls="--", color=INK)
    ends = {**{name: float(p[-1]) for name, p in lines.items()}, "nobody": float(nobody[-1])}
    for (name, height), colour in zip(_spread(ends).items(), (*COLOURS[: len(lines)], INK), strict=True):
        axes.text(
            1.02,
            height,
            f"{name}, {percent(ends[name])}",
            color=colour,
            va="center",
            transform=axes.transAxes,
        )
    ticks = np.unique(np.linspace(0, len(shown) - 1, min(len(shown), 7)).round().astype(int))
    until = local(np.array([answer.run.until for answer in shown]), zone)
    axes.set_xticks(ticks, [str(t)[5:16].replace("T", " ") for t in until[ticks]], fontsize=8)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("probability")
    axes.grid(axis="y", color="#e4e7eb", lw=0.6)
    axes.set_axisbelow(True)
    return figure


def leading_names(history: Sequence[Answer]) -> tuple[str, ...]:
    """Return the candidates to draw, most probable at any time first: as many as there are colours."""
    best: dict[str, float] = {}
    for answer in history:
        for name, p in answer.leading:
            best[name] = max(best.get(name, 0.0), p)
    return tuple(sorted(best, key=lambda name: -best[name])[: len(COLOURS)])


def _spread(ends: dict[str, float]) -> dict[str, float]:
    """Return heights for names, as near to their own as LEAST_APART and the top of the figure allow, in the given order."""
    order = sorted(ends, key=ends.__getitem__)
    height = np.array([(ends[name] + 0.02) / 1.04 for name in order])
    for i in range(1, len(height)):
        height[i] = max(height[i], height[i - 1] + LEAST_APART)
    ceiling = 1.0 - LEAST_APART * np.arange(len(height))[::-1]
    placed = dict(zip(order, np.minimum(height, ceiling).tolist(), strict=True))
    return {name: placed[name] for name in ends}
