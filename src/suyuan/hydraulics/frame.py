"""The frame of a reconciliation: what is unknown in every bin, and how discharge and storage follow from it.

Unknown are, in every bin, the discharges of the ways round, the inflow at boundary nodes and lakes with a surface (`inflow`),
what enters along reaches with a gauge of it (`lateral`) and, at the end of the bin, the stage at the centres (`stage`).
Continuity holds whatever they are: a reach stores what the stage at its ends says, half of it taken from each end, to which what
enters along it goes by halves; a lake with an area or a table stores what its own stage says; the spanning tree passes on what
is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.altered_flow import circulations_of
from suyuan.errors import InputError
from suyuan.flow import has_outside
from suyuan.hydraulics.gauges import Gauges
from suyuan.hydraulics.pools import centres, stage_from
from suyuan.hydraulics.resistance import Shape, shape_of
from suyuan.hydraulics.storage import Tabled, lake_area, shaped, tabled_of
from suyuan.hydraulics.ways import ways
from suyuan.network import Network

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Frame:
    """Matrices that do not change from bin to bin; n unknowns a bin in the order round, `inflow`, `lateral`, `stage`.

    `discharge` (reach, n) and `discharge_before` (reach, n): mean discharge from this bin's unknowns and those of the bin before;
    `stored` (reach, centre) [m2]: storage per metre of stage; `passed` (reach, reach): discharge per m3/s stored in a reach;
    `stage_at` (node, centre); `loss_ways` (reach, way): ways between centres, and round, along which head losses must add up.
    `passing` (reach, node): discharge that brings one m3/s to a node; `tables` of storage. `driven` (inflow,) nodes with an
    inflow of their own, boundaries and lakes with an area or a table; `along` (lateral,) reaches into which water runs on the
    way, whose inflows follow those of nodes; `open_nodes` (open,) where water comes and goes as the stage drives it. `arm`
    (reach,) as in Circulations.
    """

    network: Network
    shape: Shape
    step: float
    ends: Places
    discharge: Array
    discharge_before: Array
    stored: Array
    passed: Array
    passing: Array
    stage_at: Array
    loss_ways: Array
    at: Places
    driven: Places
    open_nodes: Places
    arm: Places
    along: Places
    tables: tuple[Tabled, ...] = ()

    @property
    def size(self) -> int:
        """Unknowns of a bin."""
        return int(self.discharge.shape[1])

    @property
    def stage(self) -> slice:
        """Where the stage at the centres stands among a bin's unknowns."""
        return slice(self.size - len(self.at), self.size)

    @property
    def inflow(self) -> slice:
        """Where the inflow of the driven nodes stands among a bin's unknowns."""
        return slice(self.lateral.start - len(self.driven), self.lateral.start)

    @property
    def lateral(self) -> slice:
        """Where the inflow along reaches stands among a bin's unknowns."""
        return slice(self.stage.start - len(self.along), self.stage.start)

    @property
    def tabled_lakes(self) -> tuple[Tabled, ...]:
        """The storage tables of lakes."""
        return tuple(each for each in self.tables if each.is_lake)

    @property
    def mean_stage(self) -> Array:
        """Weights (reach, centre) of the stage halfway along each reach."""
        return np.asarray(0.5 * (self.stage_at[self.ends[0]] + self.stage_at[self.ends[1]]))


def frame_of(network: Network, gauges: Gauges, *, roughness: float, pools: int) -> Frame:
    """Return the frame of a network; stage is followed at `pools` places at most, or at every node if there are no more.

    Raises InputError where no water can enter or leave, or a channel lacks width or depth.
    """
    outside = has_outside(network)
    if not outside.any():
        what = "no node is of kind boundary, outlet or lake, so no water can enter or leave"
        raise InputError(network.source, what, "give the node where the network ends the kind outlet")
    tables = tabled_of(network, gauges)
    shape = shaped(shape_of(network, roughness=roughness), tables)
    ends = np.array([[network.node_index(n) for n in (r.from_node, r.to_node)] for r in network.reaches]).T
    area = lake_area(network, tables)
    is_open = np.array([n.kind in ("outlet", "lake") for n in network.nodes]) & ~(area > 0.0)
    if not is_open.any():
        is_open[np.flatnonzero(outside)[-1]] = True
    driven = np.flatnonzero(outside & ~is_open)
    at, stage_at = _stages(network, shape, ends=ends, wanted=np.flatnonzero(is_open), most=pools)
    free = ways(ends, is_open, avoided=~shape.is_channel)
    stored = shape.area[:, None] * 0.5 * (stage_at[ends[0]] + stage_at[ends[1]])
    passed = 0.5 * (free.passing[:, ends[0]] + free.passing[:, ends[1]])
    entered = sorted({network.reach_index(g.reach) for g in gauges.readings if g.kind == "lateral"})
    entering = np.hstack([-free.passing[:, driven], -passed[:, entered]])
    none = np.zeros((len(network.reaches), free.round.shape[1] + entering.shape[1]))
    by_stage = (passed @ stored + free.passing @ (area[:, None] * stage_at)) / gauges.step
    return Frame(
        network=network,
        shape=shape,
        step=gauges.step,
        ends=ends,
        discharge=np.hstack([free.round, entering, by_stage]),
        discharge_before=np.hstack([none, -by_stage]),
        stored=stored,
        passed=passed,
        passing=free.passing,
        stage_at=stage_at,
        loss_ways=_loss_ways(shape, ends, is_centre=np.isin(np.arange(len(network.nodes)), at)),
        at=at,
        driven=driven,
        open_nodes=np.flatnonzero(is_open),
        arm=np.asarray(circulations_of(network).arm),
        along=np.array(entered, np.int64),
        tables=tables,
    )


def _loss_ways(shape: Shape, ends: Places, *, is_centre: NDArray[np.bool_]) -> Array:
    """Return the ways (reach, way) between centres, and round, through reaches of which head losses are known."""
    has_loss = shape.is_channel | shape.is_gate
    some = ways(ends[:, has_loss], is_centre).round
    found = np.zeros((len(has_loss), some.shape[1]))
    found[has_loss] = some
    return found


def _stages(
    network: Network, shape: Shape, *, ends: Places, wanted: Places, most: int
) -> tuple[Places, Array]:
    """Return the centres and the weights (node, centre) of stage; it is not continuous across structures."""
    nodes, level = len(network.nodes), shape.is_channel
    at = centres(ends[:, level], shape.length[level], nodes=nodes, wanted=wanted.tolist(), most=most)
    return at, stage_from(ends[:, level], shape.length[level], nodes=nodes, at=at)
