"""Which releases the flow can carry to which stations.

Dispersion in proportion to velocity spreads a release a cell or two against the stream, in the model; in a river it does not
get there (Fischer, 1979: longitudinal dispersion stands for shear that has long been mixed over the section). A station
just above an outfall would else be thought to have seen what it cannot have seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from suyuan.flow import BalancedFlow
from suyuan.network import Network
from suyuan.transport.matrix import Receptors, Source

LEAST_SHARE = 0.01
"""A reach runs a way if at least this share of all the water in it went so."""


def carried(
    network: Network, flow: BalancedFlow, *, receptors: Receptors, sources: Sequence[Source]
) -> NDArray[np.bool_]:
    """Return whether water ever ran from each source to each receptor, (receptor, source).

    Elsewhere a release would have to spread against flow that never turned.
    """
    stations, of_receptor = np.unique(
        np.stack([receptors.reach, receptors.chainage_m.astype(str)]), axis=1, return_inverse=True
    )
    reached = ways(network, flow, sources=sources, reach=stations[0], chainage_m=stations[1].astype(float))
    return np.asarray(reached[of_receptor.ravel()])


def ways(
    network: Network,
    flow: BalancedFlow,
    *,
    sources: Sequence[Source],
    reach: NDArray[np.str_],
    chainage_m: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return whether water ever ran from each source to each place, (place, source)."""
    node = {n.id: i for i, n in enumerate(network.nodes)}
    row = {r.id: i for i, r in enumerate(network.reaches)}
    begin = np.array([node[r.from_node] for r in network.reaches])
    end = np.array([node[r.to_node] for r in network.reaches])
    runs_on, runs_back = _directions(flow)
    links = sparse.csr_array(
        (
            np.ones(runs_on.sum() + runs_back.sum()),
            (
                np.concatenate([begin[runs_on], end[runs_back]]),
                np.concatenate([end[runs_on], begin[runs_back]]),
            ),
        ),
        shape=(len(node), len(node)),
    )
    connected = np.isfinite(dijkstra(links, unweighted=True))
    at = np.array([row[name] for name in reach])
    to_place = (connected[:, begin[at]] & runs_on[at]) | (
        connected[:, end[at]] & runs_back[at]
    )  # (node, place)
    reached = np.zeros((len(reach), len(sources)), bool)
    for s, source in enumerate(sources):
        if source.kind == "boundary":
            reached[:, s] = to_place[node[source.node]]
            continue
        r = row[source.reach]
        out = (runs_on[r] & to_place[end[r]]) | (runs_back[r] & to_place[begin[r]])
        within = np.where(chainage_m >= source.chainage_m, runs_on[r], False)
        within |= np.where(chainage_m <= source.chainage_m, runs_back[r], False)
        reached[:, s] = out | ((at == r) & within)
    return reached


def _directions(flow: BalancedFlow) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether each reach ever ran from its from_node to its to_node, and whether back."""
    both = np.concatenate([flow.discharge_start, flow.discharge_end])
    total = np.maximum(np.abs(both).sum(axis=0), 1e-300)
    on, back = np.maximum(both, 0.0).sum(axis=0), np.maximum(-both, 0.0).sum(axis=0)
    return on >= LEAST_SHARE * total, back >= LEAST_SHARE * total
