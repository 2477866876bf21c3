"""The plan of an invented plain-river county: where canals and sewers run, before they have widths."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suyuan.network import NodeKind
from suyuan.synthetic.names import canal_names

Array = NDArray[np.float64]
Point = tuple[float, float]
Role = Literal["main", "parallel", "cross", "side", "bypass", "gate", "sewer"]

MAIN_NAME, PARALLEL_NAME, BYPASS_NAME = "新河 New Canal", "北新塘 North Canal", "闸河 Gate Canal"


@dataclass(frozen=True)
class CountySize:
    """How large a county is: `columns` main-canal reaches, `loops` of a parallel canal (0: none) and so on.

    `side_canals` and `sewers` are as many as find room; `gates` is 0 or 1. A metre of sewer has `sewer_pull` times
    as many outfalls as one of canal.
    """

    columns: int = 9
    loops: int = 3
    gates: int = 1
    side_canals: int = 8
    sewers: int = 3
    outfalls: int = 40
    stations: int = 3
    sewer_pull: float = 1.0


@dataclass(frozen=True)
class Stretch:
    """A reach to be: the nodes it joins, its role in the plan and the canal it belongs to."""

    from_node: str
    to_node: str
    role: Role
    name: str = ""


@dataclass(frozen=True)
class Plan:
    """Places [m] and kinds of nodes (a node without a kind is a junction), and the stretches between them."""

    points: dict[str, Point]
    kinds: dict[str, NodeKind]
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Grid:
    """The columns of the plan: `x`, `south` (main canal), `north` (parallel canal), each (column + 1,) [m].

    The parallel canal runs from the first to the last of `crosses`, where cross canals join it to the main
    one; `bypass` is the column that the gated bypass begins at, or -1.
    """

    x: Array
    south: Array
    north: Array
    crosses: tuple[int, ...]
    bypass: int

    @property
    def columns(self) -> int:
        """The number of main-canal reaches."""
        return len(self.x) - 1

    def has_parallel(self, column: int) -> bool:
        """Say whether the parallel canal passes this column."""
        return bool(self.crosses) and self.crosses[0] <= column <= self.crosses[-1]


def draw_plan(rng: np.random.Generator, size: CountySize) -> Plan:
    """Return a county's plan: a main canal to a lake, loops, a gated bypass, side canals and storm sewers."""
    grid = _draw_grid(rng, size)
    parts = [_main_canal(grid), _parallel_canal(grid, rng), _bypass(grid)]
    parts.append(_side_canals(grid, rng, count=size.side_canals))
    parts.append(_sewers(grid, rng, count=size.sewers))
    points: dict[str, Point] = {}
    kinds: dict[str, NodeKind] = {}
    for part in parts:
        points.update(part.points)
        kinds.update(part.kinds)
    drawn = {node: (round(x, 1), round(y, 1)) for node, (x, y) in points.items()}
    return Plan(drawn, kinds, tuple(s for part in parts for s in part.stretches))


def _draw_grid(rng: np.random.Generator, size: CountySize) -> Grid:
    n = size.columns
    x = 5e5 + rng.uniform(-2e4, 2e4) + np.r_[0.0, np.cumsum(rng.uniform(1150.0, 1850.0, n))]
    swing = rng.uniform(150.0, 350.0) * np.sin(
        (x - x[0]) / rng.uniform(1800.0, 3000.0) + rng.uniform(0.0, 6.28)
    )
    south = 3.5e6 + rng.uniform(-2e4, 2e4) + swing + rng.normal(0.0, 60.0, n + 1)
    north = south + rng.uniform(1500.0, 2000.0) + rng.normal(0.0, 90.0, n + 1)
    loops = min(size.loops, n - 3)
    crosses: tuple[int, ...] = ()
    if loops > 0:
        inner = rng.choice(np.arange(2, n - 1), loops - 1, replace=False)
        crosses = (1, *sorted(map(int, inner)), n - 1)
    bypass = int(rng.integers(max(1, n // 2 - 1), n - 2)) if size.gates else -1
    return Grid(x, south, north, crosses, bypass)


def _main_canal(grid: Grid) -> Plan:
    ids = [f"M{c}" for c in range(grid.columns)] + ["LAKE"]
    points = {name: (float(x), float(y)) for name, x, y in zip(ids, grid.x, grid.south, strict=True)}
    stretches = tuple(Stretch(a, b, "main", MAIN_NAME) for a, b in itertools.pairwise(ids))
    return Plan(points, {"M0": "boundary", "LAKE": "outlet"}, stretches)


def _parallel_canal(grid: Grid, rng: np.random.Generator) -> Plan:
    if not grid.crosses:
        return Plan({}, {}, ())
    first, last = grid.crosses[0], grid.crosses[-1]
    columns = range(first, last + 1)
    points = {f"P{c}": (float(grid.x[c]), float(grid.north[c])) for c in columns}
    points["B0"] = (
        float(grid.x[first] - rng.uniform(900.0, 1500.0)),
        float(grid.north[first] + rng.uniform(0.0, 400.0)),
    )
    ids = ["B0", *(f"P{c}" for c in columns)]
    stretches = [Stretch(a, b, "parallel", PARALLEL_NAME) for a, b in itertools.pairwise(ids)]
    for k, c in enumerate(grid.crosses):
        southward = c == last or (c != first and bool(rng.random() < 0.5))
        ends = (f"P{c}", f"M{c}") if southward else (f"M{c}", f"P{c}")
        stretches.append(Stretch(*ends, "cross", f"{'东西南北中'[k % 5]}连浜 Link Canal {k + 1}"))
    return Plan(points, {"B0": "boundary"}, tuple(stretches))


def _bypass(grid: Grid) -> Plan:
    if grid.bypass < 0:
        return Plan({}, {}, ())
    a, b = grid.bypass, grid.bypass + 1
    gap = grid.x[b] - grid.x[a]
    depth = min(grid.south[a], grid.south[b]) - 800.0
    middle = grid.x[a] + 0.5 * gap
    points = {
        "X1": (float(middle - 0.22 * gap), float(depth)),
        "X2": (float(middle - 30.0), float(depth - 20.0)),
        "X3": (float(middle + 30.0), float(depth - 20.0)),
        "X4": (float(middle + 0.22 * gap), float(depth)),
    }
    ids = [f"M{a}", "X1", "X2", "X3", "X4", f"M{b}"]
    roles: tuple[Role, ...] = ("bypass", "bypass", "gate", "bypass", "bypass")
    pairs = zip(ids[:-1], ids[1:], roles, strict=True)
    return Plan(points, {}, tuple(Stretch(p, q, role, BYPASS_NAME) for p, q, role in pairs))


def _side_canals(grid: Grid, rng: np.random.Generator, *, count: int) -> Plan:
    slots = _side_slots(grid)
    picked = rng.permutation(len(slots))[:count]
    names = canal_names(rng, len(picked))
    points: dict[str, Point] = {}
    kinds: dict[str, NodeKind] = {}
    stretches: list[Stretch] = []
    for k, (slot, name) in enumerate(zip(sorted(picked), names, strict=True), start=1):
        mouth, (x, y), heading = slots[slot]
        hops = int(rng.integers(1, 3))
        ids = [f"B{k}", f"J{k}", mouth] if hops == 2 else [f"B{k}", mouth]
        for node in reversed(ids[:-1]):
            x += float(rng.normal(0.0, 110.0))
            y += heading * float(rng.uniform(750.0, 1350.0))
            points[node] = (x, y)
        kinds[f"B{k}"] = "boundary"
        stretches += [Stretch(p, q, "side", name) for p, q in itertools.pairwise(ids)]
    return Plan(points, kinds, tuple(stretches))


def _side_slots(grid: Grid) -> list[tuple[str, Point, int]]:
    """Return the mouths that have room for a side canal: node, place, and +1 northward or -1 southward."""
    slots = []
    for c in range(1, grid.columns):
        here = (float(grid.x[c]), float(grid.south[c]))
        if grid.bypass < 0 or c not in (grid.bypass, grid.bypass + 1):
            slots.append((f"M{c}", here, -1))
        if grid.has_parallel(c):
            slots.append((f"P{c}", (float(grid.x[c]), float(grid.north[c])), 1))
        else:
            slots.append((f"M{c}", here, 1))
    return slots


def _sewers(grid: Grid, rng: np.random.Generator, *, count: int) -> Plan:
    """Return storm sewers of three or four pipes and a branch, each slanting through a block of the grid."""
    headings = [
        (c, side)
        for c in range(1, grid.columns - 1)
        for side in (-1, 1)
        if not (side < 0 and c == grid.bypass)
    ]
    order = rng.permutation(len(headings))[:count]
    points: dict[str, Point] = {}
    kinds: dict[str, NodeKind] = {}
    stretches: list[Stretch] = []
    for k, slot in enumerate(sorted(order), start=1):
        c, side = headings[slot]
        name = f"雨水管{k} Storm sewer {k}"
        place, below = np.array([grid.x[c], grid.south[c]]), f"M{c}"
        pipes = int(rng.integers(3, 5))
        for p in range(pipes):
            angle = np.radians(rng.uniform(42.0, 56.0))
            place = place + rng.uniform(230.0, 300.0) * np.array([np.cos(angle), side * np.sin(angle)])
            node = f"W{k}{p + 1}" if p < pipes - 1 else f"D{k}1"
            points[node] = (float(place[0]), float(place[1]))
            kinds[node] = "manhole" if p < pipes - 1 else "boundary"
            stretches.append(Stretch(node, below, "sewer", name))
            below = node
        fork = np.array(points[f"W{k}2"])
        points[f"D{k}2"] = (
            float(fork[0] - rng.uniform(120.0, 180.0)),
            float(fork[1] + side * rng.uniform(100.0, 180.0)),
        )
        kinds[f"D{k}2"] = "boundary"
        stretches.append(Stretch(f"D{k}2", f"W{k}2", "sewer", name))
    return Plan(points, kinds, tuple(stretches))
