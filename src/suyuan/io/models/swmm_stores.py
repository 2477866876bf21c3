"""Where the water of a SWMM 5 model stands: how much of a link's volume lies towards each end, and what nodes hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.io.models.swmm_water import Binned

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PIPE_POWER = 1.5
"""Power of depth with which the wetted area of a shallow round pipe grows; an open channel's grows about in proportion."""

LEAST_DEPTH_M = 1e-6
"""Depth added at both ends, so that a dry link is halved."""


@dataclass(frozen=True)
class Ends:
    """The links' ends: `begin` and `end` (link,) are positions of nodes; `is_conduit` and `is_open` (link,) say what they are.

    `offset` (link, 2) [m] is the height of the ends above the inverts of the nodes, `full_depth` (link,) [m] that of the link.
    """

    begin: Index
    end: Index
    offset: Array
    full_depth: Array
    is_conduit: NDArray[np.bool_]
    is_open: NDArray[np.bool_]


def upstream_share(ends: Ends, stage: Array) -> Array:
    """Return the share of each link's volume in the half towards its first node, (edge, link); stage (edge, node) [m].

    The wetted area changes evenly along the link: the half at end 1 then holds (3 a1 + a2) / 4 (a1 + a2) of the water.
    """
    power = np.where(ends.is_open, 1.0, PIPE_POWER)
    first, last = (
        (np.clip(stage[:, node] - ends.offset[:, k], 0.0, ends.full_depth) + LEAST_DEPTH_M) ** power
        for k, node in enumerate((ends.begin, ends.end))
    )
    share: Array = (3.0 * first + last) / (4.0 * (first + last))
    return share


def manhole_water(ends: Ends, water: Binned, *, towards_begin: Array, area_m2: float) -> Array:
    """Return the water in each node beside that of its links' halves, (edge, node) [m3].

    SWMM's dynamic wave gives a node the surface `area_m2` (MIN_SURFAREA) where its links have less, up to the crown of its
    highest link. `towards_begin` (edge, link) [m3] is the water in the halves towards the first nodes.
    """
    nodes = water.stage.shape[1]
    beside, crown = np.zeros((nodes, len(water.edges))), np.zeros(nodes)
    towards_end = water.volume - towards_begin
    for k, (node, half) in enumerate(((ends.begin, towards_begin), (ends.end, towards_end))):
        np.add.at(beside, node, half.T)
        np.maximum.at(crown, node, ends.offset[:, k] + ends.full_depth)
    extra: Array = np.maximum(area_m2 * np.minimum(water.stage, crown) - beside.T, 0.0)
    return extra


def node_shares(ends: Ends, discharge: Array, *, nodes: int) -> tuple[Array, Array]:
    """Return the share of a node's water that each link takes over at its first and at its last end, (link,) each.

    In proportion to the mean |discharge| (bin, link), so that the water stands where it is renewed; by conduits where a node
    has one that flows, else by what it has.
    """
    through = np.abs(discharge).mean(axis=0) + 1e-12
    size = np.where(ends.is_conduit, through, 1e-9 * through)
    total = np.zeros(nodes)
    np.add.at(total, ends.begin, size)
    np.add.at(total, ends.end, size)
    return size / total[ends.begin], size / total[ends.end]
