"""The map of the network with what is believed of every candidate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.plot.style import HOT, INK, WATER, WIDTH, WORTH_SHOWING, percent, styled
from suyuan.tracing.result import Finding, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


@styled
def network_map(trace: Trace, network: Network, *, flow: BalancedFlow | None = None) -> Figure:
    """Return the map: probability by colour, size and label; arrows show the mean direction of flow.

    Reaches whose flow changes direction for at least a tenth of the time carry a double arrow.
    """
    sheet = blank_map(network, flow=flow)
    labels = _draw_candidates(sheet.axes, network, lines=sheet.lines, trace=trace)
    labels += _draw_stations(sheet.axes, network, lines=sheet.lines)
    finish_map(sheet, network, labels=labels)
    _map_legend(sheet.figure)
    return sheet.figure


class Sheet(NamedTuple):
    """A map begun: its figure and axes, the drawn line of every reach, and how much longer a unit of y is than one of x."""

    figure: Figure
    axes: Axes
    lines: dict[str, Array]
    stretch: float


def blank_map(network: Network, *, flow: BalancedFlow | None) -> Sheet:
    """Return a map of the reaches, the mean direction of flow, and where water comes in and leaves."""
    from matplotlib.figure import Figure

    lines = drawn_lines(network)
    every = np.concatenate(list(lines.values()))
    stretch = _stretch(network, every)
    extent = np.maximum(np.ptp(every, axis=0) * [1.0, stretch], 1e-9)
    figure = Figure(figsize=(WIDTH, float(np.clip(WIDTH * extent[1] / extent[0] + 1.0, 3.6, 8.0))))
    axes = figure.add_axes((0.02, 0.1, 0.96, 0.88))
    axes.set_aspect(stretch)
    axes.set_axis_off()
    axes.margins(0.05, 0.06)
    _draw_reaches(axes, network, lines=lines)
    if flow is not None:
        _draw_arrows(axes, network, lines=lines, flow=flow)
    _draw_ends(axes, network, lines=lines)
    return Sheet(figure, axes, lines, stretch)


def finish_map(sheet: Sheet, network: Network, *, labels: list[Label]) -> None:
    """Write the labels where they cover nothing, the first ones first, and draw the scale bar."""
    sheet.axes.apply_aspect()
    _place_labels(sheet.axes, labels, lines=sheet.lines.values())
    _draw_scale(sheet.axes, network, stretch=sheet.stretch)


def drawn_lines(network: Network) -> dict[str, Array]:
    """Return for every reach its drawn line (point, 2), straight between its nodes where no line was drawn.

    A network without any coordinates is laid out by steps from its first node.
    """
    points = {n.id: n.point for n in network.nodes}
    for reach in network.reaches:
        if reach.line:
            points[reach.from_node] = points[reach.from_node] or reach.line[0]
            points[reach.to_node] = points[reach.to_node] or reach.line[-1]
    placed = {node: point for node, point in points.items() if point is not None}
    if len(placed) < len(points):
        placed = _laid_out(network)
    return {
        r.id: np.array(r.line or (placed[r.from_node], placed[r.to_node]), float) for r in network.reaches
    }


def point_at(line: Array, share: float) -> Array:
    """Return the point (2,) at this share of a drawn line's length.

    >>> point_at(np.array([[0.0, 0.0], [10.0, 0.0]]), 0.25).tolist()
    [2.5, 0.0]
    """
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    at = share * along[-1]
    return np.array([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])])


class Label(NamedTuple):
    """A text that wants to stand near a drawn point; `size` is the font size [pt]."""

    text: str
    at: Array
    size: float
    is_bold: bool


def _laid_out(network: Network) -> dict[str, tuple[float, float]]:
    """Return a place for every node: steps from the first reach across, siblings side by side."""
    neighbours: dict[str, list[str]] = {n.id: [] for n in network.nodes}
    for reach in network.reaches:
        neighbours[reach.from_node].append(reach.to_node)
        neighbours[reach.to_node].append(reach.from_node)
    first = network.reaches[0].from_node
    step, row, queue = {first: 0}, {0: 1}, [first]
    places = {first: (0.0, 0.0)}
    for node in queue:
        for other in neighbours[node]:
            if other not in step:
                step[other] = step[node] + 1
                places[other] = (
                    1000.0 * step[other],
                    -1000.0 * row.setdefault(step[other], 0) + places[node][1] * 0.1,
                )
                row[step[other]] += 1
                queue.append(other)
    return places


def _stretch(network: Network, points: Array) -> float:
    """Return how much longer a unit of y is than a unit of x on the ground."""
    return float(1.0 / np.cos(np.radians(points[:, 1].mean()))) if network.is_geographic else 1.0


def _draw_reaches(axes: Axes, network: Network, *, lines: dict[str, Array]) -> None:
    from matplotlib.collections import LineCollection

    is_pipe = [r.kind in ("storm_sewer", "foul_sewer", "concealed_pipe") for r in network.reaches]
    open_water = [lines[r.id] for r, pipe in zip(network.reaches, is_pipe, strict=True) if not pipe]
    pipes = [lines[r.id] for r, pipe in zip(network.reaches, is_pipe, strict=True) if pipe]
    axes.add_collection(
        LineCollection(open_water, colors="#9fb3c8", linewidths=1.6, capstyle="round", zorder=1)
    )
    axes.add_collection(
        LineCollection(pipes, colors="#9fb3c8", linewidths=1.0, linestyles="dashed", zorder=1)
    )
    axes.autoscale_view()


def _draw_arrows(axes: Axes, network: Network, *, lines: dict[str, Array], flow: BalancedFlow) -> None:
    """Draw an arrow at the middle of each reach along its mean flow, one each way where it reverses."""
    middle = 0.5 * (flow.discharge_start + flow.discharge_end)
    forward = np.mean(middle > 0.0, axis=0)
    look: dict[str, Any] = {
        "width": 0.002,
        "headwidth": 5.0,
        "headlength": 5.0,
        "scale_units": "inches",
        "scale": 9.0,
        "zorder": 2,
    }
    tails, along, both = [], [], []
    for r, reach in enumerate(network.reaches):
        line = lines[reach.id]
        step = point_at(line, 0.55) - point_at(line, 0.45)
        length = float(np.hypot(*step))
        if length > 0.0 and np.any(middle[:, r] != 0.0):
            tails.append(point_at(line, 0.5))
            along.append(step / length * (1.0 if middle[:, r].mean() >= 0.0 else -1.0))
            both.append(min(forward[r], 1.0 - forward[r]) >= 0.1)
    if not tails:
        return
    tail, step, reverses = np.array(tails), np.array(along), np.array(both)
    axes.quiver(*tail.T, *step.T, angles="xy", color="#7b8794", **look)
    if reverses.any():
        axes.quiver(*tail[reverses].T, *-step[reverses].T, angles="xy", color="#7b8794", **look)


def _draw_ends(axes: Axes, network: Network, *, lines: dict[str, Array]) -> None:
    """Draw where water comes in (hollow triangle) and where it leaves or is held (blue, pointing down)."""
    for node in network.nodes:
        if node.kind in ("boundary", "outlet", "lake"):
            at, is_inlet = _node_point(node.id, network, lines=lines), node.kind == "boundary"
            look: dict[str, Any] = {"edgecolor": "#52606d", "linewidth": 0.8, "zorder": 3}
            look |= (
                {"marker": "^", "s": 22, "facecolor": "white"}
                if is_inlet
                else {"marker": "v", "s": 60, "facecolor": WATER}
            )
            axes.scatter(at[0], at[1], **look)


def _colour(probability: float) -> str:
    return HOT[int(np.searchsorted([0.05, 0.2, 0.5, 0.8], probability, side="right"))]


def _area(probability: float) -> float:
    return 40.0 + 260.0 * probability


def _draw_candidates(axes: Axes, network: Network, *, lines: dict[str, Array], trace: Trace) -> list[Label]:
    """Draw every listed outfall, and every candidate worth showing by colour and size; return its label."""
    spots = [spot(o.reach, o.chainage_m, network=network, lines=lines) for o in network.outfalls]
    if spots:
        x, y = np.array(spots).T
        axes.scatter(x, y, s=14, facecolor="white", edgecolor="#52606d", linewidth=0.8, zorder=3)
    labels = []
    shown = [f for f in trace.findings if f.probability >= WORTH_SHOWING]
    for finding in reversed(shown):
        at = _draw_finding(axes, finding, network=network, lines=lines)
        size = 8.0 + 2.0 * finding.probability
        name = finding.candidate.id.rpartition(":")[2]
        labels.append(Label(f"{name} {percent(finding.probability)}", at, size, finding.probability >= 0.5))
    return labels[::-1]


def _draw_finding(axes: Axes, finding: Finding, *, network: Network, lines: dict[str, Array]) -> Array:
    """Draw one candidate: a disc for an outfall, a wide line for a reach, a triangle for a boundary."""
    p, candidate = finding.probability, finding.candidate
    look: dict[str, Any] = {"color": _colour(p), "zorder": 4.0 + p}
    if candidate.kind == "reach":
        line = lines[candidate.reach]
        axes.plot(*line.T, lw=3.0 + 7.0 * p, solid_capstyle="butt", alpha=0.9, **look)
        return point_at(line, 0.5)
    is_outfall = candidate.kind == "outfall"
    if is_outfall:
        at = spot(candidate.reach, candidate.chainage_m, network=network, lines=lines)
    else:
        at = _node_point(candidate.id.removeprefix("boundary:"), network, lines=lines)
    axes.scatter(
        at[0], at[1], s=_area(p), marker="o" if is_outfall else "^", edgecolor=INK, linewidth=0.9, **look
    )
    return at


def spot(reach_id: str, chainage_m: float, *, network: Network, lines: dict[str, Array]) -> Array:
    """Return the drawn point (2,) of a chainage."""
    return point_at(lines[reach_id], chainage_m / network.reach(reach_id).length_m)


def _node_point(node: str, network: Network, *, lines: dict[str, Array]) -> Array:
    touching = next(r for r in network.reaches if node in (r.from_node, r.to_node))
    return np.asarray(lines[touching.id][0 if touching.from_node == node else -1], float)


def _draw_stations(axes: Axes, network: Network, *, lines: dict[str, Array]) -> list[Label]:
    labels = []
    for station in network.stations:
        at = spot(station.reach, station.chainage_m, network=network, lines=lines)
        axes.scatter(
            at[0], at[1], s=42, marker="s", facecolor=WATER, edgecolor="white", linewidth=0.9, zorder=6
        )
        labels.append(Label(station.name or station.id, at, 8.5, False))
    return labels


def _place_labels(axes: Axes, labels: list[Label], *, lines: Iterable[Array]) -> None:
    """Write each label where it covers no other label and as little of the canals as may be, the most probable first."""
    dotted = [_dotted(axes.transData.transform(line)) for line in lines]
    canals = np.concatenate([*dotted, np.empty((0, 2))])
    marks = [axes.transData.transform(label.at) for label in labels]
    sheet = axes.get_window_extent()
    taken = [(x - 9.0, y - 9.0, x + 9.0, y + 9.0) for x, y in marks]
    for label in labels:
        x, y = axes.transData.transform(label.at)
        wide = (
            sum(1.0 if ord(ch) > 0x2E7F else 0.62 for ch in label.text)
            * label.size
            * (1.6 if label.is_bold else 1.39)
        )
        high = label.size * 1.9
        near = canals[(np.abs(canals - (x, y)) < FARTHEST_PX + np.array([wide, high])).all(axis=1)]
        boxes = [(_box(x, y, side=side, wide=wide, high=high), side[2]) for side in SIDES]
        boxes = [b for b in boxes if sheet.x0 <= b[0][0] and b[0][2] <= sheet.x1] or boxes
        free = [b for b in boxes if not any(_overlap(b[0], t) for t in taken)]
        box, _ = min(free or boxes, key=lambda b: _covered(b[0], near) + b[1] / DOT_PX)
        taken.append(box)
        middle = axes.transData.inverted().transform((0.5 * (box[0] + box[2]), 0.5 * (box[1] + box[3])))
        text = axes.text(middle[0], middle[1], label.text, fontsize=label.size, ha="center", va="center")
        text.set(color=INK, zorder=9)
        text.set_fontweight("bold" if label.is_bold else "normal")


FARTHEST_PX = 46.0
"""A label further from its point than that would seem to be another's."""

SIDES = tuple(
    (np.cos(a), np.sin(a), reach)
    for reach in (13.0, 28.0, FARTHEST_PX)
    for a in np.radians([90, 270, 0, 180, 45, 135, 225, 315])
)
"""Where a label may stand about its point: direction and gap [pixels]; of equally good ones the first."""

DOT_PX = 4.0
"""Canals under a label are counted in steps of so many pixels; a gap is as bad as a canal of its length."""


def _box(
    x: float, y: float, *, side: tuple[float, float, float], wide: float, high: float
) -> tuple[float, float, float, float]:
    cx = x + side[0] * (side[2] + 0.5 * wide)
    cy = y + side[1] * (side[2] + 0.5 * high)
    return cx - 0.5 * wide, cy - 0.5 * high, cx + 0.5 * wide, cy + 0.5 * high


def _dotted(line: Array) -> Array:
    """Return points (dot, 2) along a line (point, 2), DOT_PX apart."""
    step = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(step)])
    at = np.arange(0.0, along[-1], DOT_PX)
    return np.column_stack([np.interp(at, along, line[:, k]) for k in range(2)])


def _covered(box: tuple[float, float, float, float], dots: Array) -> int:
    """Return how many of the dots (dot, 2) lie in the box."""
    low, high = np.array(box[:2]), np.array(box[2:])
    return int(((dots > low) & (dots < high)).all(axis=1).sum())


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _metres_a_unit(network: Network) -> float:
    """Return 1 where a CRS in metres is named; else what most lengths say: models are drawn in feet, or in nothing at all."""
    if network.crs:
        return 1.0
    points = {node.id: node.point for node in network.nodes}
    shares = []
    for reach in network.reaches:
        ends = [points[reach.from_node], points[reach.to_node]]
        line = np.array(reach.line if len(reach.line) > 1 else [end for end in ends if end is not None])
        drawn = float(np.hypot(*np.diff(line, axis=0).T).sum()) if len(line) > 1 else 0.0
        if drawn > 0.0:
            shares.append(reach.length_m / drawn)
    return float(np.median(shares)) if shares else 1.0


def _draw_scale(axes: Axes, network: Network, *, stretch: float) -> None:
    """Draw a scale bar of a round length, about a sixth of the width."""
    metres = 111_320.0 / stretch if network.is_geographic else _metres_a_unit(network)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    wanted = (right - left) * metres / 6.0
    tens = 10.0 ** np.floor(np.log10(wanted))
    length = tens * max(m for m in (1.0, 2.0, 5.0) if m * tens <= wanted)
    y = bottom + 0.02 * (top - bottom)
    axes.plot([left, left + length / metres], [y, y], color=INK, lw=2.0, solid_capstyle="butt", zorder=8)
    text = f"{length / 1000.0:g} km" if length >= 1000.0 else f"{length:g} m"
    axes.text(left, y + 0.015 * (top - bottom), text, fontsize=8, color=INK, zorder=8)


ONE_WAY = (
    (-1.0, 0.07),
    (0.3, 0.07),
    (0.3, 0.4),
    (1.0, 0.0),
    (0.3, -0.4),
    (0.3, -0.07),
    (-1.0, -0.07),
    (-1.0, 0.07),
)
BOTH_WAYS = (
    *((-1.0, 0.0), (-0.3, 0.4), (-0.3, 0.07), (0.3, 0.07), (0.3, 0.4)),
    *((1.0, 0.0), (0.3, -0.4), (0.3, -0.07), (-0.3, -0.07), (-0.3, -0.4), (-1.0, 0.0)),
)


def _map_legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.path import Path

    hot: dict[str, Any] = {"color": HOT[3], "markeredgecolor": INK}
    grey: dict[str, Any] = {"color": "#7b8794", "ms": 17, "markeredgewidth": 0.0}
    handles = [
        Line2D([], [], marker="o", ls="", ms=9, label="outfall", **hot),
        Line2D([], [], lw=5, color=HOT[3], label="unlisted source"),
        Line2D([], [], marker="^", ls="", ms=9, label="boundary", **hot),
        Line2D([], [], marker="s", ls="", ms=7, color=WATER, label="station"),
        Line2D([], [], marker="v", ls="", ms=8, color=WATER, markeredgecolor="#52606d", label="outlet"),
        Line2D([], [], marker=Path(ONE_WAY, closed=True), ls="", label="mean flow", **grey),
        Line2D([], [], marker=Path(BOTH_WAYS, closed=True), ls="", label="flow reverses", **grey),
    ]
    figure.legend(handles=handles, loc="lower center", ncols=7, frameon=False)
