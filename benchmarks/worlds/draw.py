"""Draws invented networks: a stem canal to a lake, branches, loops, storm sewers, outfalls and stations."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.worlds.style import KINDS, Style
from suyuan.network import Network, Node, Outfall, Reach, Station

Point = tuple[float, float]
PIECE_M = 100.0


def pieces(reach: Reach) -> int:
    """Return into how many SWMM pieces of about 100 m a reach is cut."""
    return max(2, round(reach.length_m / PIECE_M))


def chainage(reach: Reach, cut: int) -> float:
    """Return the chainage of the cut between two pieces, rounded as it is written."""
    return round(reach.length_m * cut / pieces(reach), 1)


def cut_at(reach: Reach, chainage_m: float) -> int:
    """Return the cut between pieces that lies at a chainage."""
    return round(chainage_m / reach.length_m * pieces(reach))


class Sketch:
    """Nodes and reaches while they are being drawn."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.points: dict[str, Point] = {}
        self.reaches: list[Reach] = []

    def reach(self, begin: str, end: str, *, length: float, width: float, kind: str = "canal") -> None:
        line = (self.points[begin], self.points[end])
        name = f"R{len(self.reaches) + 1}"
        self.reaches.append(
            Reach(name, begin, end, round(length, 1), kind, width_m=round(width, 2), line=line)  # type: ignore[arg-type]
        )

    def beyond(self, node: str, length: float, *, angle: float) -> Point:
        x, y = self.points[node]
        return x + length * math.cos(angle), y + length * math.sin(angle)


def draw_network(style: Style, family: str, *, rng: np.random.Generator, name: str) -> Network:
    """Return a network of this style; outfalls lie on cuts between pieces and never share one."""
    sketch = Sketch(rng)
    stem = _draw_stem(sketch, style, family=family)
    tips = _draw_branches(sketch, style, stem=stem)
    _draw_loops(sketch, style)
    heads = _draw_sewers(sketch, style)
    kinds = {"M0": "boundary", f"M{stem}": "outlet"} | dict.fromkeys((*tips, *heads), "boundary")
    nodes = [Node(n, kinds.get(n, "junction"), point=p) for n, p in sketch.points.items()]  # type: ignore[arg-type]
    outfalls = _draw_outfalls(sketch, style)
    stations = _draw_stations(sketch, stem, family=family)
    return Network(
        tuple(nodes),
        tuple(sketch.reaches),
        outfalls,
        stations,
        crs="EPSG:4549",
        source=f"world {name}",
    )


def _draw_stem(sketch: Sketch, style: Style, *, family: str) -> int:
    rng = sketch.rng
    n = int(rng.integers(style.stem[0], style.stem[1] + 1))
    sketch.points["M0"] = (500000.0, 3500000.0)
    for i in range(n):
        length = rng.uniform(800.0, 1800.0)
        if family == "reversing" and i == n - 1:
            length = rng.uniform(3500.0, 4200.0)
        sketch.points[f"M{i + 1}"] = sketch.beyond(f"M{i}", length, angle=rng.normal(0.0, 0.15))
        sketch.reach(f"M{i}", f"M{i + 1}", length=length, width=rng.uniform(9.0, 18.0))
    return n


def _draw_branches(sketch: Sketch, style: Style, *, stem: int) -> list[str]:
    rng, tips, count = sketch.rng, [], 0
    for i in range(1, stem):
        side = rng.choice([-1.0, 1.0])
        for _ in range(int(rng.choice(3, p=style.branch_odds))):
            node = f"M{i}"
            side = -side
            for _ in range(int(rng.integers(style.branch_reaches[0], style.branch_reaches[1] + 1))):
                count += 1
                length = rng.uniform(550.0, 1450.0)
                angle = side * math.pi / 2.0 + rng.normal(0.0, 0.35)
                sketch.points[f"B{count}"] = sketch.beyond(node, length, angle=angle)
                sketch.reach(f"B{count}", node, length=length, width=rng.uniform(3.5, 8.0))
                node = f"B{count}"
            tips.append(node)
    return tips


def _draw_loops(sketch: Sketch, style: Style) -> None:
    rng = sketch.rng
    joined = {frozenset((r.from_node, r.to_node)) for r in sketch.reaches}
    branch = [n for n in sketch.points if n.startswith("B")]
    pairs = [(a, b) for a in branch for b in branch if a != b and frozenset((a, b)) not in joined]
    near = [p for p in pairs if math.dist(sketch.points[p[0]], sketch.points[p[1]]) < 3800.0]
    wanted = int(rng.integers(style.loops[0], style.loops[1] + 1))
    for k in rng.permutation(len(near))[:wanted]:
        a, b = near[k]
        if frozenset((a, b)) in joined:
            continue
        joined.add(frozenset((a, b)))
        length = max(600.0, math.dist(sketch.points[a], sketch.points[b])) * rng.uniform(1.0, 1.15)
        sketch.reach(a, b, length=length, width=rng.uniform(3.5, 7.0))


def _draw_sewers(sketch: Sketch, style: Style) -> list[str]:
    rng, heads = sketch.rng, []
    canal = [n for n in sketch.points if n != "M0"][:-1]
    canal = [n for n in canal if n != sketch.reaches[-1].to_node or n.startswith("B")]
    outlet = max((n for n in sketch.points if n.startswith("M")), key=lambda n: int(n[1:]))
    canal = [n for n in canal if n != outlet]
    count = len([n for n in sketch.points if n.startswith("B")])
    for at in rng.choice(canal, size=int(rng.integers(style.sewers[0], style.sewers[1] + 1)), replace=False):
        node, angle = str(at), rng.uniform(0.0, 2.0 * math.pi)
        for _ in range(int(rng.integers(2, 5))):
            count += 1
            length = max(320.0, rng.uniform(260.0, 450.0))
            sketch.points[f"S{count}"] = sketch.beyond(node, length, angle=angle + rng.normal(0.0, 0.2))
            sketch.reach(f"S{count}", node, length=length, width=1.0, kind="storm_sewer")
            node = f"S{count}"
        heads.append(node)
    return heads


def _point(reach: Reach, chainage_m: float) -> Point:
    (x0, y0), (x1, y1) = reach.line[0], reach.line[-1]
    share = chainage_m / reach.length_m
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


def point_of(network: Network, item: Outfall | Station) -> Point:
    """Return the drawn place of an outfall or station."""
    return _point(network.reach(item.reach), item.chainage_m)


def _draw_outfalls(sketch: Sketch, style: Style) -> tuple[Outfall, ...]:
    rng = sketch.rng
    wanted = round(len(sketch.reaches) * rng.uniform(*style.outfalls_per_reach))
    taken: set[tuple[int, int]] = set()
    while len(taken) < wanted:
        r = int(rng.integers(len(sketch.reaches)))
        taken.add((r, int(rng.integers(1, pieces(sketch.reaches[r])))))
    shuffled = sorted(taken, key=lambda place: (place[0], rng.random()))
    return tuple(
        Outfall(f"O{k}", sketch.reaches[r].id, chainage(sketch.reaches[r], cut), str(rng.choice(KINDS)))  # type: ignore[arg-type]
        for k, (r, cut) in enumerate(shuffled, start=1)
    )


def _draw_stations(sketch: Sketch, stem: int, *, family: str) -> tuple[Station, ...]:
    rng = sketch.rng

    def station(name: str, label: str, *, reach: Reach, share: float) -> Station:
        return Station(name, reach.id, chainage(reach, int(share * pieces(reach))), label)

    drawn = [station("section", "assessment section", reach=sketch.reaches[stem - 2], share=0.5)]
    if family != "sparse" and stem > 3:
        drawn.append(station("mid", "town inlet", reach=sketch.reaches[max(stem // 2 - 1, 0)], share=0.5))
    branches = [r for r in sketch.reaches if r.from_node.startswith("B") and r.kind == "canal"]
    if branches and rng.random() < 0.6:
        drawn.append(station("branch", "branch", reach=branches[int(rng.integers(len(branches)))], share=0.7))
    return tuple(drawn)
