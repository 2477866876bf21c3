"""The water between stations: which stretch of the network lies between what enters and what leaves, and which way is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from suyuan.errors import InputError
from suyuan.flow import BalancedFlow
from suyuan.network import Network, Station

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Region:
    """The water between IN and OUT stations.

    `inward` (station,), the IN stations first, is +1 where water that runs along the drawn reach enters the region, -1 where it
    leaves. `share` (reach,) of each reach lies in it. `others` are boundaries, outlets and lakes in it: water comes and goes
    there that no station sees. `bypassed` are stations on both sides of which the region lies.
    """

    inward: Array
    share: Array
    others: tuple[str, ...]
    bypassed: tuple[str, ...]

    def volume(self, flow: BalancedFlow) -> Array:
        """Return the water held in the region at the edges of the flow's bins (bin + 1,) [m3]."""
        return np.asarray(flow.volume @ self.share)


def region_between(
    network: Network, flow: BalancedFlow, *, inlets: Sequence[Station], outlets: Sequence[Station]
) -> Region:
    """Return the region that lies between stations where water enters a town and where it leaves.

    Reaches are cut at the stations; the region is every connected piece that touches an inlet and an outlet. Where several
    do (the stations lie on a ring), that into which the mean flow runs at most of the inlets counts. Raises InputError where a
    station does not touch it.
    """
    stations = [*inlets, *outlets]
    pieces = _pieces(network, stations)
    sides = np.array([pieces.sides(k) for k in range(len(stations))])
    mean = _mean_discharge(network, flow, stations=stations)
    inside = set(sides[: len(inlets)].ravel().tolist()) & set(sides[len(inlets) :].ravel().tolist())
    if not inside:
        what = "no water lies between the stations named"
        raise InputError("--between", what, "name stations of one connected network")
    if len(inside) > 1:
        ahead = np.where(mean[: len(inlets)] >= 0.0, sides[: len(inlets), 1], sides[: len(inlets), 0])
        counts = {piece: int((ahead == piece).sum()) for piece in sorted(inside)}
        inside = {max(counts, key=lambda piece: counts[piece])}
    chosen = next(iter(inside))
    inward = np.zeros(len(stations))
    bypassed = []
    for k, (before, after) in enumerate(sides):
        if chosen not in (before, after):
            what = f"'{stations[k].id}' does not lie at the edge of the water between the other stations"
            raise InputError("--between", what, "leave it out, or name the stations that lie between")
        if before == after:
            bypassed.append(stations[k].id)
            entering = 1.0 if k < len(inlets) else -1.0
            inward[k] = entering if mean[k] >= 0.0 else -entering
        else:
            inward[k] = 1.0 if after == chosen else -1.0
    nodes = [n for n, piece in zip(network.nodes, pieces.of_node, strict=True) if piece == chosen]
    others = tuple(n.id for n in nodes if n.kind in ("boundary", "outlet", "lake"))
    return Region(inward, pieces.share(chosen, len(network.reaches)), others, tuple(bypassed))


def _mean_discharge(network: Network, flow: BalancedFlow, *, stations: Sequence[Station]) -> Array:
    reach = [network.reach_index(s.reach) for s in stations]
    return np.asarray(0.5 * (flow.discharge_start + flow.discharge_end).mean(axis=0)[reach])


@dataclass(frozen=True)
class _Pieces:
    """Stretches of reaches between cuts: `reach` and `length` as a share (stretch,), the connected `piece` of each, the piece
    of each node, and the stretches before and after each station."""

    reach: NDArray[np.int64]
    length: Array
    piece: NDArray[np.int64]
    of_node: NDArray[np.int64]
    around: tuple[tuple[int, int], ...]

    def sides(self, station: int) -> tuple[int, int]:
        """Return the pieces before and after a station, along its drawn reach."""
        before, after = self.around[station]
        return int(self.piece[before]), int(self.piece[after])

    def share(self, piece: int, reaches: int) -> Array:
        """Return how much of each reach lies in a piece (reach,)."""
        mine = self.piece == piece
        return np.bincount(self.reach[mine], weights=self.length[mine], minlength=reaches).astype(float)


def _pieces(network: Network, stations: Sequence[Station]) -> _Pieces:
    """Cut every reach at the stations on it and find what hangs together without passing a station."""
    reach: list[int] = []
    length: list[float] = []
    links: list[tuple[int, int]] = []
    around: dict[int, tuple[int, int]] = {}
    nodes = len(network.nodes)
    for r, one in enumerate(network.reaches):
        here = sorted((s.chainage_m / one.length_m, k) for k, s in enumerate(stations) if s.reach == one.id)
        cuts = [0.0, *(share for share, _ in here), 1.0]
        first = len(reach)
        for begin, end in pairwise(cuts):
            reach.append(r)
            length.append(end - begin)
        for position, (_, k) in enumerate(here):
            around[k] = (first + position, first + position + 1)
        links.append((nodes + first, network.node_index(one.from_node)))
        links.append((nodes + len(reach) - 1, network.node_index(one.to_node)))
    size = nodes + len(reach)
    graph = sparse.csr_array((np.ones(len(links)), tuple(np.array(links).T)), shape=(size, size))
    piece = connected_components(graph, directed=False)[1].astype(np.int64)
    ordered = tuple(around[k] for k in range(len(stations)))
    return _Pieces(np.array(reach), np.array(length), piece[nodes:], piece[:nodes], ordered)
