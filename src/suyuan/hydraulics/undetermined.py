"""What the gauges leave open: loops and reaches whose mean discharge continuity does not decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from suyuan.errors import InputError
from suyuan.flow import has_outside
from suyuan.hydraulics.contradictions import seen_of
from suyuan.hydraulics.frame import Frame
from suyuan.hydraulics.gauges import Gauges
from suyuan.hydraulics.ways import null_space, ways

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Undetermined:
    """`loops`: reaches of every loop (or net of loops) round which water may run without any gauge noticing; head losses by
    Manning's formula decide there. `reaches`: all reaches whose mean discharge no gauge decides, loops included."""

    loops: tuple[tuple[str, ...], ...]
    reaches: tuple[str, ...]


def undetermined_of(frame: Frame, gauges: Gauges, *, closed: Flags) -> Undetermined:
    """Return what continuity and the gauges leave open; `closed` (reach,) are shut all the time."""
    ids = [r.id for r in frame.network.reaches]
    all_ways = _open_part(frame, gauges, closed=closed, ground=has_outside(frame.network))
    inner = _open_part(frame, gauges, closed=closed, ground=np.zeros(len(frame.network.nodes), bool))
    running = np.abs(inner).max(axis=1, initial=0.0) > 1e-9
    loops = tuple(tuple(ids[r] for r in part) for part in _joined(frame, running))
    return Undetermined(
        loops, tuple(ids[r] for r in np.flatnonzero(np.abs(all_ways).max(axis=1, initial=0.0) > 1e-9))
    )


def require_spread(frame: Frame, gauges: Gauges, *, found: Undetermined) -> None:
    """Raise InputError where all gauges stand on one branch and leave others open."""
    standing = [g for g in gauges.readings if g.kind != "lateral"]
    arms = {int(a) for gauge in standing for a in _arms(frame, gauge.reach, node=gauge.node)}
    if len(arms) > 1 or not found.reaches:
        return
    branch = [r.id for r, arm in zip(frame.network.reaches, frame.arm, strict=True) if arm in arms]
    what = f"all {len(standing)} gauges stand on one branch ({', '.join(branch[:5])})"
    remedy = f"nothing says how the rest flows; add a gauge on one of: {', '.join(found.reaches[:8])}"
    raise InputError(gauges.source, what, remedy)


def _arms(frame: Frame, reach: str, *, node: str) -> list[int]:
    if reach:
        return [int(frame.arm[frame.network.reach_index(reach)])]
    at = frame.network.node_index(node)
    return [int(a) for a in frame.arm[(frame.ends == at).any(axis=0)]]


def _open_part(frame: Frame, gauges: Gauges, *, closed: Flags, ground: Flags) -> Array:
    """Return discharges (reach, free) round the network, or from ground to ground, that no gauge sees."""
    free = ways(frame.ends, ground).round
    seen = [seen_of(frame, g)[0] for g in gauges.readings if g.kind not in ("stage", "lateral")]
    rows = np.vstack([np.array(seen).reshape(len(seen), len(frame.network.reaches)) @ free, free[closed]])
    return np.asarray(free @ null_space(rows, size=free.shape[1]))


def _joined(frame: Frame, running: Flags) -> list[NDArray[np.int64]]:
    """Return the running reaches in groups that hang together."""
    which = np.flatnonzero(running)
    if not len(which):
        return []
    nodes = len(frame.network.nodes)
    begin, end = frame.ends[:, which]
    graph = sparse.coo_matrix((np.ones(len(which)), (begin, end)), (nodes, nodes))
    _, part = connected_components(graph, directed=False)
    return [which[part[begin] == p] for p in np.unique(part[begin])]
