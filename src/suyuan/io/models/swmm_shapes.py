"""Cross-sections of SWMM 5: how wide and deep a conduit is, and whether it is closed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from suyuan.io.models.swmm_inp import Inp, Row, number

_OF_HEIGHT = {
    "CIRCULAR": math.pi / 4.0,
    "FORCE_MAIN": math.pi / 4.0,
    "FILLED_CIRCULAR": math.pi / 4.0,
    "EGG": 0.5105,
    "HORSESHOE": 0.8293,
    "GOTHIC": 0.6554,
    "CATENARY": 0.70277,
    "SEMIELLIPTICAL": 0.785,
    "BASKETHANDLE": 0.7862,
    "SEMICIRCULAR": 1.2697,
}
"""Full area over the square of the height (xsect.c of SWMM 5.2.4; Chow, 1959, for the closed shapes)."""

Sizes = Sequence[float]

_OF_SIZES: dict[str, Callable[[Sizes], float]] = {
    "RECT_CLOSED": lambda g: g[1],
    "RECT_OPEN": lambda g: g[1],
    "TRAPEZOIDAL": lambda g: g[1] + 0.5 * (g[2] + g[3]) * g[0],
    "TRIANGULAR": lambda g: 0.5 * g[1],
    "PARABOLIC": lambda g: 2.0 / 3.0 * g[1],
    "POWER": lambda g: g[1] / (1.0 + 1.0 / g[2]) if g[2] > 0.0 else math.nan,
    "RECT_TRIANGULAR": lambda g: g[1] * (1.0 - 0.5 * g[2] / g[0]),
    "RECT_ROUND": lambda g: g[1],
    "MODBASKETHANDLE": lambda g: g[1],
    "HORIZ_ELLIPSE": lambda g: 0.25 * math.pi * g[1] if g[1] > 0.0 else math.nan,
    "VERT_ELLIPSE": lambda g: 0.25 * math.pi * g[1] if g[1] > 0.0 else math.nan,
    "ARCH": lambda g: 0.7879 * g[1] if g[1] > 0.0 else math.nan,
}
"""Mean width of a shape from its sizes, in their unit; NaN for a code of a standard pipe."""

OPEN = ("RECT_OPEN", "TRAPEZOIDAL", "TRIANGULAR", "PARABOLIC", "POWER", "IRREGULAR", "STREET")
"""Shapes without a lid."""

_UNIT_FREE = {"TRAPEZOIDAL": (2, 3), "POWER": (2,)}
"""Sizes that are slopes or powers, not lengths."""


@dataclass(frozen=True)
class CrossSection:
    """Shape, full depth and mean width [m], so that both together are the full area; Manning's n where the shape brings one.

    NaN means not known. `barrels` pipes lie side by side; the width is that of all.
    """

    shape: str
    width_m: float = math.nan
    depth_m: float = math.nan
    roughness: float = math.nan
    barrels: int = 1

    @property
    def is_open(self) -> bool:
        """Whether it is a channel."""
        return self.shape in OPEN


def cross_sections(inp: Inp, metres: float) -> dict[str, CrossSection]:
    """Return the cross-section of every link that has one; `metres` is the model's unit of length."""
    transects = dict(_transects(inp, metres))
    return {row.cell(0): _one(inp, row, metres=metres, transects=transects) for row in inp.rows("XSECT")}


def _one(inp: Inp, row: Row, *, metres: float, transects: dict[str, CrossSection]) -> CrossSection:
    shape = row.cell(1).upper()
    if shape == "IRREGULAR":
        return transects.get(row.cell(2), CrossSection(shape))
    if shape in ("DUMMY", "STREET"):
        return CrossSection(shape)
    if shape == "CUSTOM":
        height = metres * number(row, 2, what="height", source=inp.source)
        return CrossSection(shape, depth_m=height, barrels=_barrels(row.cell(4)))
    sizes = [number(row, 2 + k, what=f"size Geom{k + 1}", source=inp.source, default="0") for k in range(4)]
    lengths = [g if k in _UNIT_FREE.get(shape, ()) else g * metres for k, g in enumerate(sizes)]
    barrels = _barrels(row.cell(6))
    if shape in _OF_HEIGHT:
        width = _OF_HEIGHT[shape] * lengths[0]
    else:
        width = _OF_SIZES[shape](lengths) if shape in _OF_SIZES and lengths[0] > 0.0 else math.nan
    return CrossSection(shape, width * barrels, lengths[0] or math.nan, barrels=barrels)


def _barrels(cell: str) -> int:
    return max(1, int(cell)) if cell.isdecimal() else 1


def _transects(inp: Inp, metres: float) -> Iterator[tuple[str, CrossSection]]:
    """Yield the irregular sections: NC gives roughness, X1 a name, GR elevations and stations up to the next X1."""
    name, scale, roughness, points = "", 1.0, math.nan, list[float]()
    for row in inp.rows("TRANSECT"):
        word = row.cell(0).upper()
        if word == "GR":
            points += [number(row, k, what="point", source=inp.source) for k in range(1, len(row.cells))]
            continue
        if name:
            yield name, _irregular(points, metres=metres, scale=scale, roughness=roughness)
        name, points = "", []
        if word == "NC":
            roughness = (
                number(row, 3, what="channel roughness", source=inp.source, default="nan") or roughness
            )
        elif word == "X1":
            scale = number(row, 9, what="width factor", source=inp.source, default="1") or 1.0
            name = row.cell(1)
    if name:
        yield name, _irregular(points, metres=metres, scale=scale, roughness=roughness)


def _irregular(points: Sequence[float], *, metres: float, scale: float, roughness: float) -> CrossSection:
    """Return the section below its highest point; `points` are elevation and station in turn."""
    pairs = np.array(points[: len(points) // 2 * 2]).reshape(-1, 2) * metres
    if len(pairs) < 2:
        return CrossSection("IRREGULAR", roughness=roughness)
    depth = float(np.ptp(pairs[:, 0]))
    area = float(np.trapezoid(pairs[:, 0].max() - pairs[:, 0], pairs[:, 1] * scale))
    return CrossSection("IRREGULAR", area / depth if depth > 0.0 else math.nan, depth or math.nan, roughness)
