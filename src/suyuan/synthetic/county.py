"""Invented counties: a network with widths, lengths, drawn lines, outfalls, stations and a gate."""

from __future__ import annotations

import numpy as np

from suyuan.network import Line, Network, Node, Outfall, OutfallKind, Reach, Station, Structure
from suyuan.synthetic.layout import CountySize, Plan, Point, Role, Stretch, draw_plan
from suyuan.synthetic.names import outfall_name

CRS = "EPSG:4549"
"""CGCS2000 / 3-degree Gauss-Krueger, central meridian 120 E."""

SPACING_M = 100.0
"""Least distance between two outfalls on one reach."""

WIDTH_M: dict[Role, tuple[float, float]] = {
    "main": (13.0, 18.0),
    "parallel": (8.0, 12.0),
    "cross": (5.0, 8.0),
    "side": (4.0, 7.0),
    "bypass": (6.0, 8.0),
    "gate": (4.0, 5.0),
    "sewer": (0.6, 1.2),
}
DEPTH_M: dict[Role, tuple[float, float]] = {
    "main": (1.5, 2.0),
    "parallel": (1.3, 1.7),
    "cross": (1.1, 1.4),
    "side": (0.9, 1.3),
    "bypass": (1.2, 1.5),
    "gate": (1.2, 1.5),
    "sewer": (0.1, 0.2),
}
KINDS: tuple[OutfallKind, ...] = ("industrial", "domestic", "storm", "agricultural", "aquaculture", "other")
KIND_SHARE: dict[Role, tuple[float, ...]] = {
    "main": (0.30, 0.28, 0.20, 0.10, 0.07, 0.05),
    "parallel": (0.28, 0.27, 0.15, 0.15, 0.10, 0.05),
    "cross": (0.20, 0.30, 0.20, 0.15, 0.10, 0.05),
    "side": (0.15, 0.20, 0.10, 0.30, 0.20, 0.05),
    "bypass": (0.20, 0.25, 0.15, 0.20, 0.15, 0.05),
    "gate": (0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
    "sewer": (0.40, 0.45, 0.15, 0.0, 0.0, 0.0),
}


def draw_county(rng: np.random.Generator, size: CountySize | None = None) -> Network:
    """Return an invented plain-river county that drains to a tidal lake (node LAKE, kind outlet).

    A main canal with a parallel one joined to it in loops, a bypass with a gate, side canals from boundary
    nodes and storm sewers whose heads are boundary nodes; coordinates in EPSG:4549, names in Chinese and
    English.

    >>> county = draw_county(np.random.default_rng(1))
    >>> len(county.outfalls), [s.id for s in county.stations]
    (40, ['section', 'inlet', 'branch'])
    """
    size = size or CountySize()
    plan = draw_plan(rng, size)
    nodes = tuple(Node(i, plan.kinds.get(i, "junction"), point=p) for i, p in plan.points.items())
    reaches = tuple(
        _draw_reach(rng, f"R{i}", stretch=s, plan=plan) for i, s in enumerate(plan.stretches, start=1)
    )
    return Network(
        nodes=nodes,
        reaches=reaches,
        outfalls=_draw_outfalls(rng, size, plan=plan, reaches=reaches),
        stations=_stations(plan, reaches)[: size.stations],
        structures=tuple(
            Structure("G1", r.id, "gate")
            for r, s in zip(reaches, plan.stretches, strict=True)
            if s.role == "gate"
        ),
        crs=CRS,
    )


def _draw_reach(rng: np.random.Generator, reach_id: str, *, stretch: Stretch, plan: Plan) -> Reach:
    start, end = plan.points[stretch.from_node], plan.points[stretch.to_node]
    is_straight = stretch.role in ("gate", "sewer")
    line = (start, end) if is_straight else _bent(rng, start, end=end)
    length = float(np.sum(np.hypot(*np.diff(np.array(line), axis=0).T)))
    width = rng.uniform(*WIDTH_M[stretch.role])
    if stretch.role == "main":  # the canal grows towards the lake
        west, east = plan.points["M0"][0], plan.points["LAKE"][0]
        width *= 0.7 + 0.7 * (start[0] - west) / (east - west)
    return Reach(
        id=reach_id,
        from_node=stretch.from_node,
        to_node=stretch.to_node,
        length_m=round(length, 1),
        kind="storm_sewer" if stretch.role == "sewer" else "canal",
        width_m=round(width, 2),
        depth_m=round(rng.uniform(*DEPTH_M[stretch.role]), 2),
        roughness=round(
            rng.uniform(0.013, 0.015) if stretch.role == "sewer" else rng.uniform(0.024, 0.034), 4
        ),
        name=stretch.name,
        line=line,
    )


def _bent(rng: np.random.Generator, start: Point, *, end: Point) -> Line:
    """Return a gently bent line: a bow and a double bow of a few per cent of the chord."""
    a, b = np.array(start), np.array(end)
    chord = b - a
    normal = np.array([-chord[1], chord[0]])
    s = np.linspace(0.0, 1.0, 9)
    bow = rng.normal(0.0, 0.025) * np.sin(np.pi * s) + rng.normal(0.0, 0.015) * np.sin(2.0 * np.pi * s)
    points = a + s[:, None] * chord + bow[:, None] * normal
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in points)


def _draw_outfalls(
    rng: np.random.Generator, size: CountySize, *, plan: Plan, reaches: tuple[Reach, ...]
) -> tuple[Outfall, ...]:
    """Return outfalls spread over the reaches in proportion to length, of kinds that suit the canal."""
    count, pull = size.outfalls, {"gate": 0.0, "sewer": size.sewer_pull}
    lengths = np.array(
        [pull.get(s.role, 1.0) * r.length_m for r, s in zip(reaches, plan.stretches, strict=True)]
    )
    taken: dict[int, list[float]] = {}
    placed: list[tuple[int, float]] = []
    for _ in range(50 * count):
        r = int(rng.choice(len(reaches), p=lengths / lengths.sum()))
        chainage = round(float(rng.uniform(0.05, 0.95)) * reaches[r].length_m, 1)
        if all(abs(chainage - other) >= SPACING_M for other in taken.get(r, [])):
            taken.setdefault(r, []).append(chainage)
            placed.append((r, chainage))
        if len(placed) == count:
            break
    outfalls = []
    for number, (r, chainage) in enumerate(sorted(placed), start=1):
        kind = KINDS[int(rng.choice(len(KINDS), p=KIND_SHARE[plan.stretches[r].role]))]
        name = outfall_name(rng, kind, number=number)
        outfalls.append(Outfall(f"O{number}", reaches[r].id, chainage, kind, name, "listed"))
    return tuple(outfalls)


def _stations(plan: Plan, reaches: tuple[Reach, ...]) -> tuple[Station, ...]:
    """Return the assessment section low on the main canal, the town inlet half-way and one on a branch."""
    main = [r for r, s in zip(reaches, plan.stretches, strict=True) if s.role == "main"]
    roles = [s.role for s in plan.stretches]
    role: Role = "parallel" if "parallel" in roles else "side"
    branches = [r for r, s in zip(reaches, plan.stretches, strict=True) if s.role == role]
    section, inlet = main[round(0.72 * len(main))], main[round(0.42 * len(main))]
    branch = branches[(2 * len(branches)) // 3]
    return (
        Station(
            "section",
            section.id,
            round(0.5 * section.length_m, 1),
            "新河大桥断面 New Canal Bridge section",
            "III",
        ),
        Station("inlet", inlet.id, round(0.6 * inlet.length_m, 1), "入城口 Town inlet"),
        Station("branch", branch.id, round(0.6 * branch.length_m, 1), "支流口 Branch"),
    )
