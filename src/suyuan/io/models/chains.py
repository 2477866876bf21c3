"""Branches as river models store them, faces with discharge and cells with water between, to reaches that close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.io.models.notes import Note, listed
from suyuan.network import Line, Network, Node, NodeKind, Reach, Structure

Array = NDArray[np.float64]
Point = tuple[float, float]

LATERAL_SHARE = 0.01
"""Share of a branch's mean discharge from which on what a cell gains or loses on average is water from outside."""

BOTH_WAYS_SHARE = 0.05
"""An end through which as much of its largest flow returns is open water, not an inflow."""


@dataclass(frozen=True)
class Chain:
    """A branch: water flows through faces, and lies in the cells before, between and behind them.

    `reach` is the whole branch. `discharge` (bin, face) [m3/s] are means over the bins, positive from from_node to to_node;
    `volume` (bin + 1, face + 1) [m3] stands at their edges: before the first face, between faces, behind the last (0 where the
    branch ends at a face). `chainage` (face - 1,) [m] is the middle of each cell between faces and `names` its id, should the
    branch be cut there.
    """

    reach: Reach
    discharge: Array
    volume: Array
    chainage: Array
    names: tuple[str, ...]

    def gains(self, seconds: Array) -> Array:
        """Return what each cell between faces gets from outside, (bin, face - 1) [m3/s]; `seconds` (bin,) long."""
        storing = np.diff(self.volume[:, 1:-1], axis=0) / seconds[:, None]
        found: Array = np.diff(self.discharge, axis=1) + storing
        return found


@dataclass(frozen=True)
class Known:
    """What is known of a network besides its branches: some nodes, structures (on whole branches), crs and source."""

    source: str
    crs: str = ""
    nodes: tuple[Node, ...] = ()
    structures: tuple[Structure, ...] = ()


@dataclass(frozen=True)
class _Piece:
    reach: Reach
    start: Array
    end: Array
    volume: Array


@dataclass(frozen=True)
class _Cut:
    """A branch in pieces; `marks` are the nodes between them, with their places."""

    branch: str
    pieces: list[_Piece]
    marks: dict[str, Point | None]


@dataclass(frozen=True)
class Joined:
    """Chains as network and flow, with notes on what was left out."""

    network: Network
    flow: FlowField
    notes: tuple[Note, ...]


def joined(
    chains: Sequence[Chain],
    points: Mapping[str, Point | None],
    *,
    start: np.datetime64,
    edges: Array,
    known: Known,
) -> Joined:
    """Return the network and flow of chains; `points` places their end nodes.

    A branch is cut where a cell of it gains or loses LATERAL_SHARE of its discharge on average: there a node takes the water
    in or lets it out. Ends and confluences where water comes from outside are boundaries, where it leaves or goes both ways
    outlets; a node that is `known` stays as it is. Of a model in parts that do not touch the largest is kept.
    """
    seconds = np.diff(edges)
    _require_numbers(chains, source=known.source)
    cut = [_cut(chain, seconds) for chain in chains]
    pieces, largest = _largest([piece for c in cut for piece in c.pieces])
    nodes = {**points, **{name: place for c in cut for name, place in c.marks.items()}}
    gain = _gains(pieces)
    fixed = {n.id: n for n in known.nodes}
    drawn = tuple(fixed.get(name) or _node(name, nodes.get(name), gain=gain[name]) for name in gain)
    kept = {p.reach.id for p in pieces}
    structures = tuple(_placed(known.structures, cut, kept=kept))
    network = Network(
        drawn,
        tuple(p.reach for p in pieces),
        structures=structures,
        crs=known.crs,
        source=known.source,
    )
    start_q, end_q, volume = (
        np.column_stack([getattr(p, name) for p in pieces]) for name in ("start", "end", "volume")
    )
    reaches = tuple(p.reach.id for p in pieces)
    flow = FlowField(start, edges, reaches, start_q, end_q, volume, source=known.source)
    return Joined(network, flow, (*largest, *_said(cut, kept=kept)))


def _require_numbers(chains: Sequence[Chain], *, source: str) -> None:
    for chain in chains:
        for what in ("discharge", "volume"):
            values = getattr(chain, what)
            if not np.isfinite(values).all():
                said = f"{what} of branch '{chain.reach.id}' is missing at {int((~np.isfinite(values)).sum())} values"
                raise InputError(source, said, "let the model write it at every time, or shorten the window")
        if chain.volume.size and chain.volume.min() < 0.0:
            said = f"volume in branch '{chain.reach.id}' is {chain.volume.min():.4g} m3"
            raise InputError(source, said, "volumes cannot be negative; check the unit and the export")


def _cut(chain: Chain, seconds: Array) -> _Cut:
    """Return a chain in pieces."""
    gains = chain.gains(seconds)
    usual = float(np.abs(chain.discharge).mean())
    at = np.flatnonzero(np.abs(gains.mean(axis=0)) > max(LATERAL_SHARE * usual, 1e-9))
    if chain.reach.from_node == chain.reach.to_node and not len(at) and gains.shape[1]:
        at = np.array([gains.shape[1] // 2])  # a ring must have a node besides
    if not len(at):
        whole = _piece(chain, seconds, before=-1, after=gains.shape[1], reach=chain.reach)
        return _Cut(chain.reach.id, [whole], {})
    marks = [-1, *at.tolist(), gains.shape[1]]
    line = _shape(chain.reach)
    pieces = []
    for a, b in pairwise(marks):
        begin = 0.0 if a < 0 else float(chain.chainage[a])
        finish = chain.reach.length_m if b == gains.shape[1] else float(chain.chainage[b])
        reach = replace(
            chain.reach,
            id=f"{chain.reach.id}+{begin:g}",
            from_node=chain.reach.from_node if a < 0 else chain.names[a],
            to_node=chain.reach.to_node if b == gains.shape[1] else chain.names[b],
            length_m=finish - begin,
            line=_part(line, begin / chain.reach.length_m, until=finish / chain.reach.length_m),
        )
        pieces.append(_piece(chain, seconds, before=a, after=b, reach=reach))
    places = {chain.names[k]: _place(line, chain.chainage[k] / chain.reach.length_m) for k in at}
    return _Cut(chain.reach.id, pieces, places)


def _piece(chain: Chain, seconds: Array, *, before: int, after: int, reach: Reach) -> _Piece:
    """Return the piece between two cells; half the water of each cell it is cut in belongs to it."""
    last = chain.discharge.shape[1] - 1
    head = chain.volume[:, before + 1] * (1.0 if before < 0 else 0.5)
    tail = chain.volume[:, after + 1] * (1.0 if after == last else 0.5)
    volume = head + chain.volume[:, before + 2 : after + 1].sum(axis=1) + tail
    start = chain.discharge[:, before + 1] + np.diff(head) / seconds
    end = chain.discharge[:, after] - np.diff(tail) / seconds
    return _Piece(reach, start, end, volume)


def _largest(pieces: list[_Piece]) -> tuple[list[_Piece], tuple[Note, ...]]:
    """Return the pieces of the part with most reaches, and a note on the others."""
    head: dict[str, str] = {}

    def root(name: str) -> str:
        while head.setdefault(name, name) != name:
            head[name] = head[head[name]]
            name = head[name]
        return name

    for p in pieces:
        head[root(p.reach.from_node)] = root(p.reach.to_node)
    part = [root(p.reach.from_node) for p in pieces]
    most = max(set(part), key=lambda name: (part.count(name), name))
    left = [p.reach.id for p, of in zip(pieces, part, strict=True) if of != most]
    if not left:
        return pieces, ()
    note = Note("apart", {"reaches": len(left), "named": listed(left)})
    return [p for p, of in zip(pieces, part, strict=True) if of == most], (note,)


def _gains(pieces: Sequence[_Piece]) -> dict[str, tuple[Array, float, int]]:
    """Return for each node what it gets from outside (bin,) [m3/s], its mean through-flow, and how many reaches meet."""
    found: dict[str, tuple[Array, float, int]] = {}
    for p in pieces:
        for name, out in ((p.reach.from_node, p.start), (p.reach.to_node, -p.end)):
            gain, through, degree = found.get(name, (np.zeros(len(out)), 0.0, 0))
            found[name] = (gain + out, through + 0.5 * float(np.abs(out).mean()), degree + 1)
    return found


def _node(name: str, point: Point | None, *, gain: tuple[Array, float, int]) -> Node:
    flow, through, degree = gain
    if degree > 1 and abs(float(flow.mean())) <= max(LATERAL_SHARE * through, 1e-9):
        return Node(name, "junction", point=point)
    return Node(name, kind_of_end(flow), point=point)


def kind_of_end(gain: Array) -> NodeKind:
    """Return boundary where water only comes in, by `gain` (bin,) [m3/s], outlet where it leaves or goes both ways.

    >>> kind_of_end(np.array([2.0, 1.0])), kind_of_end(np.array([2.0, -1.0])), kind_of_end(np.array([-1.0]))
    ('boundary', 'outlet', 'outlet')
    """
    entering, leaving = max(float(gain.max()), 0.0), max(float(-gain.min()), 0.0)
    return "boundary" if entering > 0.0 and leaving <= BOTH_WAYS_SHARE * entering else "outlet"


def _placed(structures: Sequence[Structure], cut: Sequence[_Cut], *, kept: set[str]) -> Iterator[Structure]:
    """Yield structures on the first piece of the branch they were given on."""
    first = {c.branch: c.pieces[0].reach.id for c in cut}
    for structure in structures:
        if first.get(structure.reach) in kept:
            yield replace(structure, reach=first[structure.reach])


def _said(cut: Sequence[_Cut], *, kept: set[str]) -> Iterator[Note]:
    """Yield a note where branches were cut because water enters or leaves along them."""
    names = [name for c in cut if c.pieces[0].reach.id in kept for name in c.marks]
    if names:
        yield Note("cut", {"places": len(names), "named": listed(names)})


def _shape(reach: Reach) -> Line:
    return reach.line if len(reach.line) > 1 else ()


def _place(line: Line, share: float) -> Point | None:
    import shapely

    if not line:
        return None
    point = shapely.LineString(line).interpolate(share, normalized=True)
    return (point.x, point.y)


def _part(line: Line, share: float, *, until: float) -> Line:
    import shapely
    from shapely.ops import substring

    if not line:
        return ()
    part = substring(shapely.LineString(line), share, until, normalized=True)
    return tuple((float(x), float(y)) for x, y in part.coords)
