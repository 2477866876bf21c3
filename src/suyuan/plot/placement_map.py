"""The map of stations to add, with how soon a release anywhere would be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.plot.network_map import Label, Sheet, blank_map, finish_map, spot
from suyuan.plot.style import INK, WATER, styled
from suyuan.tracing.placement.result import Placement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEW = "#ffd92f"
SOON = ((6.0, "#2166ac"), (12.0, "#92c5de"), (24.0, "#f4a582"))
LATE = "#b2182b"
"""Hours until an unlisted release on a reach is seen in the mean, and the reach's colour; both ends of a scale that the
colour-blind tell apart."""


@styled
def placement_map(placement: Placement, network: Network, *, flow: BalancedFlow | None = None) -> Figure:
    """Return the map: new stations numbered by what they add, reaches coloured by how soon a release there is seen."""
    sheet = blank_map(network, flow=flow)
    _draw_hours(sheet, placement)
    labels = _draw_new(sheet, placement, network=network) + _draw_kept(sheet, placement, network=network)
    finish_map(sheet, network, labels=labels)
    _legend(sheet.figure)
    return sheet.figure


def _draw_hours(sheet: Sheet, placement: Placement) -> None:
    for candidate, hours in zip(placement.candidates, placement.candidate_hours, strict=True):
        if candidate.kind == "reach":
            colour = next((colour for most, colour in SOON if hours <= most), LATE)
            sheet.axes.plot(
                *sheet.lines[candidate.reach].T, color=colour, lw=3.2, solid_capstyle="round", zorder=1.5
            )


def _draw_new(sheet: Sheet, placement: Placement, *, network: Network) -> list[Label]:
    labels = []
    for rank, station in enumerate(placement.stations, start=1):
        at = spot(station.reach, station.chainage_m, network=network, lines=sheet.lines)
        sheet.axes.scatter(
            at[0], at[1], s=95, marker="D", facecolor=NEW, edgecolor=INK, linewidth=1.1, zorder=7
        )
        labels.append(Label(f"{rank}: {station.id}", at, 9.0, True))
    return labels


def _draw_kept(sheet: Sheet, placement: Placement, *, network: Network) -> list[Label]:
    labels = []
    for station in placement.kept:
        at = spot(station.reach, station.chainage_m, network=network, lines=sheet.lines)
        sheet.axes.scatter(
            at[0], at[1], s=42, marker="s", facecolor=WATER, edgecolor="white", linewidth=0.9, zorder=6
        )
        labels.append(Label(station.name or station.id, at, 8.5, False))
    return labels


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="D", ls="", ms=8, color=NEW, markeredgecolor=INK, label="new station"),
        Line2D([], [], marker="s", ls="", ms=7, color=WATER, label="station that stands"),
        *(Line2D([], [], lw=3.2, color=colour, label=f"seen within {h:g} h") for h, colour in SOON),
        Line2D([], [], lw=3.2, color=LATE, label="later or never"),
    ]
    figure.legend(handles=handles, loc="lower center", ncols=6, frameon=False, columnspacing=1.2)
