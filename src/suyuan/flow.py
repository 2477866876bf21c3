"""The flow nouns: discharge and volume per reach and time bin, as given and closed exactly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from suyuan.errors import InputError
from suyuan.network import Network

Array = NDArray[np.float64]

REFUSED_RESIDUAL = 0.20
"""Share of the through-flow beyond which a flow that does not close is refused."""

LEAST_VOLUME_PER_METRE = 1e-3
"""Water kept in a dry reach, m3 per metre, so that a concentration exists there."""

SHUT_WEIGHT = 1e-9
"""Variance that closure gives to a structure while the given flow says that nothing passes it, of the usual one."""


@dataclass(frozen=True)
class FlowField:
    """Flow as a model or a table gives it; it need not close.

    `start` is datetime64[s] in UTC; `edges` (bin + 1,) seconds from it. `discharge_start` and
    `discharge_end` (bin, reach) [m3/s] at the from_node and to_node end, positive from from_node to
    to_node, means over the bin. `volume` [m3] has shape (bin, reach) for means over the bin or (bin + 1,
    reach) for values at the edges. `inflow` (bin, boundary) [m3/s] enters from outside; NaN where not
    known. At a lake that holds water `inflow` is rain, wells and what else does not come by a reach, 0 where it is not
    given; its volume (`lakes`, `lake_volume` of the shape of `volume`) follows from the reaches unless it is given.
    `lateral` (bin, reach) [m3/s] enters evenly along a reach (negative: is taken out); empty where nothing does.
    """

    start: np.datetime64
    edges: Array
    reaches: tuple[str, ...]
    discharge_start: Array
    discharge_end: Array
    volume: Array
    boundaries: tuple[str, ...] = ()
    inflow: Array = field(default_factory=lambda: np.empty((0, 0)))
    source: str = "flow"
    lateral: Array = field(default_factory=lambda: np.empty((0, 0)))
    lakes: tuple[str, ...] = ()
    lake_volume: Array = field(default_factory=lambda: np.empty((0, 0)))

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit each other."""
        bins, reaches = len(self.edges) - 1, len(self.reaches)
        for name in ("discharge_start", "discharge_end"):
            if getattr(self, name).shape != (bins, reaches):
                what = f"{name} has shape {getattr(self, name).shape}, expected ({bins}, {reaches})"
                raise InputError(self.source, what, "give one row a bin and one column a reach")
        if self.volume.shape not in {(bins, reaches), (bins + 1, reaches)}:
            what = f"volume has shape {self.volume.shape}, expected ({bins} or {bins + 1}, {reaches})"
            raise InputError(self.source, what, "give bin means or values at the bin edges")
        if bins < 1 or np.any(np.diff(self.edges) <= 0.0):
            raise InputError(self.source, "time does not increase from bin to bin", "sort the rows by time")
        if self.boundaries and self.inflow.shape != (bins, len(self.boundaries)):
            what = f"inflow has shape {self.inflow.shape}, expected ({bins}, {len(self.boundaries)})"
            raise InputError(self.source, what, "give one row a bin and one column a boundary")
        if self.lateral.size and self.lateral.shape != (bins, reaches):
            what = f"lateral has shape {self.lateral.shape}, expected ({bins}, {reaches})"
            raise InputError(self.source, what, "give one row a bin and one column a reach")
        if self.lakes and self.lake_volume.shape not in {(n, len(self.lakes)) for n in (bins, bins + 1)}:
            shape = f"({bins} or {bins + 1}, {len(self.lakes)})"
            what = f"lake_volume has shape {self.lake_volume.shape}, expected {shape}"
            raise InputError(self.source, what, "give bin means or values at the bin edges")
        columns = (("reach", self.reaches), ("boundary", self.boundaries), ("lake", self.lakes))
        for what, names in columns:
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise InputError(self.source, f"{what} '{twice}' has two columns", "keep one of them")

    @property
    def until(self) -> np.datetime64:
        """The end of the last bin, UTC."""
        return self.start + np.timedelta64(round(float(self.edges[-1])), "s")


@dataclass(frozen=True)
class WaterBalance:
    """How far a flow had to go to close.

    `residual_share` is the sum of |node residual| over all nodes and bins divided by the sum of
    through-flow; `node_residual` and `node_through` (node,) [m3/s] are means of both before closure,
    `reach_residual` (reach,) [m3/s] the mean of |discharge_start - discharge_end - dV/dt|, `correction`
    (reach,) [m3/s] the root mean square change of discharge. `dry` names the reaches whose volume had to be
    lifted to the least one kept. `reach_share` is the sum of `reach_residual` over that of the reaches'
    through-flow, the larger of what enters and leaves each, storage counted.
    """

    nodes: tuple[str, ...]
    reaches: tuple[str, ...]
    residual_share: float
    node_residual: Array
    node_through: Array
    reach_residual: Array
    correction: Array
    dry: tuple[str, ...] = ()
    reach_share: float = 0.0


@dataclass(frozen=True)
class BalancedFlow:
    """Flow that closes exactly: what transport takes.

    As FlowField, in the network's order of reaches, with `volume` (bin + 1, reach) at the edges, volume
    change = (discharge_start - discharge_end + lateral) x bin length, and discharges that sum to zero at every
    junction. `external` (bin, node) [m3/s] is what enters a node from outside (negative: leaves); zero at
    junctions and manholes. A lake that holds water keeps what comes: reaches bring + external = `stored`.
    `lake_volume` (bin + 1, node) [m3] at the edges is NaN at all other nodes; `lateral` (bin, reach) [m3/s].
    """

    start: np.datetime64
    edges: Array
    discharge_start: Array
    discharge_end: Array
    volume: Array
    external: Array
    balance: WaterBalance
    lateral: Array = field(default_factory=lambda: np.empty((0, 0)))
    lake_volume: Array = field(default_factory=lambda: np.empty((0, 0)))

    def __post_init__(self) -> None:
        """Spell out that nothing enters along reaches and that no node holds water, where that is left out."""
        if not self.lateral.size:
            object.__setattr__(self, "lateral", np.zeros_like(self.discharge_start))
        if not self.lake_volume.size:
            nothing = np.full((len(self.edges), self.external.shape[1]), np.nan)
            object.__setattr__(self, "lake_volume", nothing)

    @property
    def stored(self) -> Array:
        """What each node takes into store, (bin, node) [m3/s]: zero but at lakes that hold water."""
        return np.nan_to_num(np.diff(self.lake_volume, axis=0)) / np.diff(self.edges)[:, None]


def balanced(flow: FlowField, network: Network) -> BalancedFlow:
    """Return the flow closest to the given one that balances in every reach, node and bin.

    Volumes at the bin edges come first; discharges are then corrected by least squares, each weighted by
    the inverse square of its reach's root mean square discharge, under continuity in every reach and at
    every node. Raises InputError where the given flow misses continuity at the nodes, or inside the reaches,
    by more than REFUSED_RESIDUAL of the through-flow. The assumption that hurts most: errors of discharge in
    proportion to its size, independent between reaches.
    """
    closed = closed_from(flow, network)
    if max(closed.balance.residual_share, closed.balance.reach_share) > REFUSED_RESIDUAL:
        raise _refusal(flow, closed.balance)
    return closed


def closed_from(flow: FlowField, network: Network) -> BalancedFlow:
    """Return the closed flow, however far the given one was from closing."""
    if not has_outside(network).any():
        what = "no node is of kind boundary, outlet or lake, so no water can enter or leave"
        raise InputError(network.source, what, "give the node where the network ends the kind outlet")
    flow = _in_network_order(flow, network)
    volume, dry = _edge_volumes(flow, network)
    losing = np.diff(volume, axis=0) / np.diff(flow.edges)[:, None] - flow.lateral
    leaving, entering = incidence(network)
    given, gain = _given_external(flow, network), _lake_gain(flow, network)
    asked = given - gain
    is_free = np.isnan(asked)
    balance = _balance_report(
        flow, network, losing=losing, external=np.where(is_free, 0.0, asked), is_free=is_free
    )
    discharge = _closed_discharge(flow, network, losing=losing, given=asked, is_free=is_free)
    end = discharge - losing
    needed = (leaving @ discharge.T - entering @ end.T).T
    external, lake_volume = _split_needed(flow, network, needed=needed, given=given, gain=gain)
    squares = (discharge - flow.discharge_start) ** 2 + (end - flow.discharge_end) ** 2
    change = np.sqrt(np.mean(squares, axis=0) / 2.0)
    report = WaterBalance(**{**vars(balance), "correction": change, "dry": dry})
    return BalancedFlow(
        flow.start, flow.edges, discharge, end, volume, external, report, flow.lateral, lake_volume
    )


def _split_needed(
    flow: FlowField, network: Network, *, needed: Array, given: Array, gain: Array
) -> tuple[Array, Array]:
    """Return what enters each node from outside (bin, node) [m3/s], and what lakes hold at the edges (bin + 1, node) [m3].

    `needed` is what reaches take from a node beyond what they bring. Outside gives it, except at lakes that hold water: there
    the store does, and outside only where what it gives is not known but the store is.
    """
    holds = holds_water(network)
    is_asked = holds & np.isnan(given)
    external = np.where(is_asked, needed + np.nan_to_num(gain), np.where(holds, given, needed))
    external[:, ~has_outside(network)] = 0.0
    first = np.where(holds, [n.volume_m3 for n in network.nodes], np.nan)
    for k, lake in enumerate(flow.lakes):
        first[network.node_index(lake)] = _at_edges(flow, flow.lake_volume)[0, k]
    gained = np.cumsum((external - needed) * np.diff(flow.edges)[:, None], axis=0)
    return external, first + np.vstack([np.zeros_like(first), gained])


def _closed_discharge(
    flow: FlowField, network: Network, *, losing: Array, given: Array, is_free: NDArray[np.bool_]
) -> Array:
    """Return the discharge at the from_node ends (bin, reach) [m3/s] that closes every node not free in a bin.

    `losing` (bin, reach) [m3/s] is what discharge loses between the ends of a reach. What a structure does not let pass stays
    where it is, as far as continuity lets it.
    """
    discharge: Array = 0.5 * (flow.discharge_start + flow.discharge_end + losing)
    leaving, entering = incidence(network)
    root_mean_square = np.sqrt(np.mean(flow.discharge_start**2 + flow.discharge_end**2, axis=0) / 2.0)
    usual = (root_mean_square + 1e-3 * root_mean_square.max() + 1e-9) ** 2
    is_shut = has_structure(network) & (flow.discharge_start == 0.0) & (flow.discharge_end == 0.0)
    external = np.where(np.isnan(given), 0.0, given)
    wide = np.where(holds_water(network), 0.0, np.mean(np.abs(external), axis=0) ** 2)
    slack = np.where(has_outside(network), wide + usual.min(), 0.0)
    patterns, pattern = np.unique(np.hstack([is_free, is_shut]), axis=0, return_inverse=True)
    for p, (free, shut) in enumerate(np.hsplit(row, [len(slack)]) for row in patterns):
        keep, bins = ~free, np.flatnonzero(pattern.ravel() == p)
        if not keep.any():
            continue
        variance = np.where(shut, SHUT_WEIGHT, 1.0) * usual
        net = (entering - leaving)[keep]
        matrix = (net @ sparse.diags(variance / 2.0) @ net.T + sparse.diags(slack[keep])).tocsc()
        solve = splu(matrix).solve
        entered = external[np.ix_(bins, keep)]
        for _ in range(3):  # the second and third rounds only remove rounding
            residual = net @ discharge[bins].T - entering[keep] @ losing[bins].T + entered.T
            multiplier = solve(residual)
            discharge[bins] -= (sparse.diags(variance / 2.0) @ net.T @ multiplier).T
            entered -= slack[keep] * multiplier.T
    return discharge


def _in_network_order(flow: FlowField, network: Network) -> FlowField:
    position = {reach: i for i, reach in enumerate(flow.reaches)}
    missing = [r.id for r in network.reaches if r.id not in position]
    if missing:
        what = f"no flow for {len(missing)} reaches of the network: {', '.join(missing[:5])}"
        raise InputError(flow.source, what, "give every reach a column, 0 m3/s where it stands still")
    for name in ("discharge_start", "discharge_end", "volume", "lateral"):
        bad = np.argwhere(~np.isfinite(getattr(flow, name)))
        if len(bad):
            row, column = map(int, bad[0])
            column_name = f"{name} of reach '{flow.reaches[column]}'"
            what = f"{column_name} is missing in {len(bad)} bins, first in bin {row + 1}"
            raise InputError(flow.source, what, "fill the gap from the model or shorten the window")
    order = [position[r.id] for r in network.reaches]
    names = ("discharge_start", "discharge_end", "volume")
    start, end, volume = (getattr(flow, name)[:, order].astype(float) for name in names)
    lateral = flow.lateral[:, order] if flow.lateral.size else np.zeros_like(start)
    return replace(
        flow,
        reaches=tuple(r.id for r in network.reaches),
        discharge_start=start,
        discharge_end=end,
        volume=volume,
        lateral=lateral,
    )


def _edge_volumes(flow: FlowField, network: Network) -> tuple[Array, tuple[str, ...]]:
    """Return volumes at the bin edges (bin + 1, reach) [m3] and the reaches lifted to the least volume."""
    edge = _at_edges(flow, flow.volume)
    if edge.min() < 0.0:
        row, column = np.unravel_index(int(np.argmin(edge)), edge.shape)
        what = f"volume of reach '{flow.reaches[column]}' is {edge[row, column]:.4g} m3 at edge {row + 1}"
        raise InputError(flow.source, what, "volumes cannot be negative; check the unit and the export")
    least = LEAST_VOLUME_PER_METRE * np.array([r.length_m for r in network.reaches])
    is_dry = (edge < least).any(axis=0) & ~has_structure(network)
    return np.maximum(edge, least), tuple(network.reaches[r].id for r in np.flatnonzero(is_dry))


def _at_edges(flow: FlowField, volume: Array) -> Array:
    """Return volumes at the bin edges (bin + 1, ...) [m3], from means over the bins where they are such."""
    if len(volume) == len(flow.edges):
        return volume.astype(float)
    middle = 0.5 * (flow.edges[1:] + flow.edges[:-1])
    return np.stack([np.interp(flow.edges, middle, column) for column in volume.T], axis=1)


def _lake_gain(flow: FlowField, network: Network) -> Array:
    """Return what each node takes into store (bin, node) [m3/s]: 0 but at lakes that hold water, NaN where not given."""
    gain = np.zeros((len(flow.edges) - 1, len(network.nodes)))
    holds = holds_water(network)
    gain[:, holds] = np.nan
    known = {n.id: i for i, n in enumerate(network.nodes)}
    for k, name in enumerate(flow.lakes):
        if name not in known or not holds[known[name]]:
            what = f"lake_volume is given at '{name}', which is no lake with a volume_m3 in the layer nodes"
            raise InputError(flow.source, what, "make its kind lake and write its usual volume_m3 there")
        held = flow.lake_volume[:, k]
        if not (np.isfinite(held).all() and held.min() >= 0.0):
            bad = int(np.argmin(np.where(np.isfinite(held), held, -np.inf)))
            what = f"lake_volume of '{name}' is {held[bad]:.4g} m3 in row {bad + 1}"
            raise InputError(flow.source, what, "write m3, 0 or more, in every row, or leave the lake out")
        gain[:, known[name]] = np.diff(_at_edges(flow, flow.lake_volume)[:, k]) / np.diff(flow.edges)
    return gain


def incidence(network: Network) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return (node, reach) matrices: one where the reach leaves the node, one where it enters."""
    n, r = len(network.nodes), len(network.reaches)
    ones, columns = np.ones(r), np.arange(r)
    begin = [network.node_index(x.from_node) for x in network.reaches]
    end = [network.node_index(x.to_node) for x in network.reaches]
    leaving, entering = (sparse.csr_matrix((ones, (rows, columns)), (n, r)) for rows in (begin, end))
    return leaving, entering


def has_outside(network: Network) -> NDArray[np.bool_]:
    """Return which nodes (node,) water may enter or leave from outside."""
    return np.array([n.kind in ("boundary", "outlet", "lake") for n in network.nodes])


def holds_water(network: Network) -> NDArray[np.bool_]:
    """Return which nodes (node,) hold water: lakes with a volume_m3. One without it counts as an outlet."""
    return np.array([n.kind == "lake" and n.volume_m3 > 0.0 for n in network.nodes])


def has_structure(network: Network) -> NDArray[np.bool_]:
    """Return which reaches (reach,) a gate, pump or weir stands on."""
    named = {s.reach for s in network.structures}
    return np.array([r.id in named for r in network.reaches])


def _given_external(flow: FlowField, network: Network) -> Array:
    """Return the given inflow (bin, node) [m3/s], NaN where it is not known."""
    external = np.zeros((len(flow.edges) - 1, len(network.nodes)))
    holds = holds_water(network)
    external[:, has_outside(network) & ~holds] = np.nan
    known = {n.id: i for i, n in enumerate(network.nodes)}
    for b, name in enumerate(flow.boundaries):
        if name not in known:
            what = f"boundary '{name}' is not a node of the network"
            raise InputError(flow.source, what, "name its node as in the layer nodes")
        given, kind = flow.inflow[:, b], network.nodes[known[name]].kind
        if np.isinf(given).any():
            what = f"inflow of '{name}' is infinite in bin {int(np.argmax(np.isinf(given))) + 1}"
            raise InputError(flow.source, what, "write a number, or nothing where it is not known")
        if kind in ("junction", "manhole") and np.any(np.nan_to_num(given) != 0.0):
            what = f"inflow at node '{name}', which is of kind {kind}"
            raise InputError(flow.source, what, "make its kind boundary in the layer nodes")
        if kind not in ("junction", "manhole"):
            is_unknown = holds[known[name]] and name not in flow.lakes
            external[:, known[name]] = np.nan_to_num(given) if is_unknown else given
    return external


def _balance_report(
    flow: FlowField, network: Network, *, losing: Array, external: Array, is_free: NDArray[np.bool_]
) -> WaterBalance:
    leaving, entering = incidence(network)
    start, end = flow.discharge_start.T, flow.discharge_end.T
    inwards = (entering @ np.maximum(end, 0.0) + leaving @ np.maximum(-start, 0.0)).T
    outwards = (leaving @ np.maximum(start, 0.0) + entering @ np.maximum(-end, 0.0)).T
    residual = np.where(is_free, 0.0, np.abs(inwards - outwards + external))
    through = np.maximum(inwards + np.maximum(external, 0.0), outwards + np.maximum(-external, 0.0))
    lost = np.abs(flow.discharge_start - flow.discharge_end - losing)
    brought = np.maximum(start.T, 0.0) + np.maximum(-end.T, 0.0) + np.maximum(-losing, 0.0)
    taken = np.maximum(-start.T, 0.0) + np.maximum(end.T, 0.0) + np.maximum(losing, 0.0)
    return WaterBalance(
        nodes=tuple(n.id for n in network.nodes),
        reaches=flow.reaches,
        residual_share=float(residual.sum() / max(through.sum(), 1e-30)),
        node_residual=residual.mean(axis=0),
        node_through=through.mean(axis=0),
        reach_residual=lost.mean(axis=0),
        correction=np.zeros(len(flow.reaches)),
        reach_share=float(lost.sum() / max(np.maximum(brought, taken).sum(), 1e-30)),
    )


def _refusal(flow: FlowField, balance: WaterBalance) -> InputError:
    if balance.reach_share > balance.residual_share:
        worst = int(np.argmax(balance.reach_residual))
        what = (
            f"the flow misses continuity inside the reaches by {balance.reach_share:.0%} of the through-flow, "
            f"most in reach '{balance.reaches[worst]}' ({balance.reach_residual[worst]:.3g} m3/s)"
        )
        remedy = (
            f"discharge_start - discharge_end + lateral must be the change of volume; at most {REFUSED_RESIDUAL:.0%} can "
            "be closed: check signs and units, and give water that enters or is taken out along the reach as lateral"
        )
        return InputError(flow.source, what, remedy)
    worst = int(np.argmax(balance.node_residual))
    residual, through = balance.node_residual[worst], balance.node_through[worst]
    what = (
        f"the flow misses continuity by {balance.residual_share:.0%} of the through-flow, "
        f"most at node '{balance.nodes[worst]}' ({residual:.3g} m3/s of {through:.3g})"
    )
    remedy = f"at most {REFUSED_RESIDUAL:.0%} can be closed; check signs, units and missing inflows"
    return InputError(flow.source, what, remedy)
