"""What never changes but is not known well: conveyance, width, usual inflows and stages, ratings and datums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.hydraulics.frame import Frame
from suyuan.hydraulics.gauges import Gauges

Array = NDArray[np.float64]
Places = NDArray[np.int64]

MOST_GROUPS = 24
"""Arms with a factor of their own for conveyance and for width; all shorter ones share one."""


@dataclass(frozen=True)
class Errors:
    """Log standard deviations of what the network's shape gets wrong, and over how long inflows and stages remember.

    `conveyance` of an arm (K in Q = K sqrt(slope): roughness, section and obstacles together), `width` of its water surface,
    `depth` of the water it usually holds, `gate` of a gate's discharge coefficient. `roughness` [s/m^(1/3)] stands where none is
    given. `memory_h`: the time [h] after which an inflow or an outer stage is nearly forgotten. `side_slope`: metres by which
    each bank goes back for a metre of height. `pools`: places at which stage is followed.
    """

    conveyance: float = 0.25
    width: float = 0.10
    depth: float = 0.15
    gate: float = 0.3
    roughness: float = 0.03
    memory_h: float = 72.0
    side_slope: float = 0.0
    pools: int = 48


@dataclass(frozen=True)
class Doubts:
    """The unknowns that do not change, in the order loss, width, level, mean, share, offset, and their standard deviations (p,).

    `group` (reach,) is the arm whose factors a reach shares. `share_of` and `offset_of` (gauge,) say where a gauge's factor and
    datum stand, -1 where it has none; `level_of_inflow` and `level_of_stage` where the usual values stand, `mean_inflow` where
    the mean of the usual inflows at boundaries.
    """

    group: Places
    loss: slice
    width: slice
    level_of_inflow: Places
    level_of_stage: Places
    mean_inflow: int
    share_of: Places
    offset_of: Places
    sd: Array

    def groups(self, values: Array) -> Array:
        """Return what belongs to each reach (..., reach) as a matrix by group (..., reach, group)."""
        member = self.group[:, None] == np.arange(int(self.group.max()) + 1)
        return np.asarray(values[..., None] * member)

    def carried(self, on: Array, values: Array) -> Array:
        """Return `on` (row, reach) @ `groups(values)`, (bin, row, group), for values (bin, reach); each group by itself."""
        found = np.empty((len(values), len(on), int(self.group.max()) + 1))
        for group in range(found.shape[2]):
            own = np.flatnonzero(self.group == group)
            found[:, :, group] = values[:, own] @ on[:, own].T
        return found


def doubts_of(frame: Frame, gauges: Gauges, *, errors: Errors, scale: float) -> Doubts:
    """Return the unknowns that do not change; `scale` [m3/s] is what discharges are about."""
    group = _groups(frame)
    count = int(group.max()) + 1
    is_gate = np.bincount(group, frame.shape.is_gate, count) > 0.0
    loss = 2.0 * np.where(is_gate, errors.gate, errors.conveyance)
    driven, outer = len(frame.driven) + len(frame.along), len(frame.open_nodes)
    first = 2 * count + driven + outer + 1
    has_share = np.array([g.share > 0.0 for g in gauges.readings])
    has_datum = np.array([g.kind == "stage" for g in gauges.readings])
    shares = [g.share for g in gauges.readings if g.share > 0.0]
    datums = [max(g.offset, 1e-6) for g in gauges.readings if g.kind == "stage"]
    return Doubts(
        group=group,
        loss=slice(0, count),
        width=slice(count, 2 * count),
        level_of_inflow=np.arange(driven) + 2 * count,
        level_of_stage=np.arange(outer) + 2 * count + driven,
        mean_inflow=first - 1,
        share_of=np.where(has_share, first + np.cumsum(has_share) - 1, -1),
        offset_of=np.where(has_datum, first + len(shares) + np.cumsum(has_datum) - 1, -1),
        sd=np.r_[
            loss,
            np.full(count, errors.width),
            np.full(driven, 10.0 * scale),
            np.full(outer, 10.0),
            10.0 * scale,
            shares,
            datums,
        ],
    )


def _groups(frame: Frame) -> Places:
    """Return the group of each reach: its arm, the longest ones and those with gates first, one for all that are left."""
    total = np.bincount(frame.arm, np.where(frame.shape.is_gate, 1e12, frame.shape.length))
    rank = np.empty(len(total), np.int64)
    rank[np.argsort(-total, kind="stable")] = np.arange(len(total))
    return np.asarray(np.minimum(rank, MOST_GROUPS - 1)[frame.arm])
