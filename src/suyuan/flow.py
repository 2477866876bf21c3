"""The flow nouns: discharge and volume per reach and time bin, as given and closed exactly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from suyuan.balance import WaterBalance, refusal
from suyuan.errors import InputError
from suyuan.network import Network

Array = NDArray[np.float64]

LEAST_VOLUME_PER_METRE = 1e-3
"""Water kept in a dry reach, m3 per metre, so that a concentration exists there."""


@dataclass(frozen=True)
class FlowField:
    """Flow as a model or a table gives it; it need not close.

    `start` is datetime64[s] in UTC; `edges` (bin + 1,) seconds from it. `discharge_start` and
    `discharge_end` (bin, reach) [m3/s] at the from_node and to_node end, positive from from_node to
    to_node, means over the bin. `volume` [m3] has shape (bin, reach) for means over the bin or (bin + 1,
    reach) for values at the edges. `inflow` (bin, boundary) [m3/s] enters from outside; NaN where not
    known.
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
        for what, names in (("reach", self.reaches), ("boundary", self.boundaries)):
            twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
            if twice is not None:
                raise InputError(self.source, f"{what} '{twice}' has two columns", "keep one of them")

    @property
    def until(self) -> np.datetime64:
        """The end of the last bin, UTC."""
        return self.start + np.timedelta64(round(float(self.edges[-1])), "s")


@dataclass(frozen=True)
class BalancedFlow:
    """Flow that closes exactly: what transport takes.

    As FlowField, in the network's order of reaches, with `volume` (bin + 1, reach) at the edges, volume
    change = (discharge_start - discharge_end) x bin length, and discharges that sum to zero at every
    junction. `external` (bin, node) [m3/s] is what enters a node from outside (negative: leaves); zero at
    junctions and manholes.
    """

    start: np.datetime64
    edges: Array
    discharge_start: Array
    discharge_end: Array
    volume: Array
    external: Array
    balance: WaterBalance


def balanced(flow: FlowField, network: Network) -> BalancedFlow:
    """Return the flow closest to the given one that balances in every reach, node and bin.

    Volumes at the bin edges come first; discharges are then corrected by least squares, each weighted by
    the inverse square of its reach's root mean square discharge, under continuity in every reach and at
    every node. Raises InputError where the given flow misses continuity at the nodes, or inside the reaches,
    by more than REFUSED_RESIDUAL of the through-flow, or a reach that matters would be changed by more than
    REFUSED_CORRECTION of its own (suyuan.balance).
    The assumption that hurts most: errors of discharge in proportion to its size, independent between reaches.
    """
    closed = _closed(flow, network)
    refused = refusal(closed.balance, source=flow.source)
    if refused is not None:
        raise refused
    return closed


def _closed(flow: FlowField, network: Network) -> BalancedFlow:
    """Return the closed flow, however far the given one was from closing."""
    if not has_outside(network).any():
        what = "no node is of kind boundary, outlet or lake, so no water can enter or leave"
        raise InputError(network.source, what, "give the node where the network ends the kind outlet")
    flow = _in_network_order(flow, network)
    volume, dry = _edge_volumes(flow, network)
    storing = np.diff(volume, axis=0) / np.diff(flow.edges)[:, None]
    leaving, entering = incidence(network)
    given_external, is_free = _given_external(flow, network)
    given = np.where(is_free, 0.0, given_external)
    balance = _balance_report(flow, network, storing=storing, external=given, is_free=is_free)
    discharge = _closed_discharge(flow, network, storing=storing, given=given_external, is_free=is_free)
    end = discharge - storing
    external = (leaving @ discharge.T - entering @ end.T).T
    external[:, ~has_outside(network)] = 0.0
    residual = (entering @ end.T - leaving @ discharge.T).T + external
    change = np.maximum(np.abs(discharge - flow.discharge_start), np.abs(end - flow.discharge_end))
    squares = (discharge - flow.discharge_start) ** 2 + (end - flow.discharge_end) ** 2
    report = replace(
        balance,
        correction=np.sqrt(np.mean(squares, axis=0) / 2.0),
        dry=dry,
        residual_after=float(np.abs(residual).mean(axis=0).sum() / max(balance.node_through.sum(), 1e-30)),
        largest=change.max(axis=0),
        largest_bin=np.argmax(change, axis=0),
        discharge=_root_mean_square(flow),
    )
    return BalancedFlow(flow.start, flow.edges, discharge, end, volume, external, report)


def _closed_discharge(
    flow: FlowField, network: Network, *, storing: Array, given: Array, is_free: NDArray[np.bool_]
) -> Array:
    """Return the discharge at the from_node ends (bin, reach) [m3/s] that closes every node not free in a bin."""
    discharge: Array = 0.5 * (flow.discharge_start + flow.discharge_end + storing)
    leaving, entering = incidence(network)
    root_mean_square = np.sqrt(np.mean(flow.discharge_start**2 + flow.discharge_end**2, axis=0) / 2.0)
    variance = (root_mean_square + 1e-3 * root_mean_square.max() + 1e-9) ** 2
    external = np.where(np.isnan(given), 0.0, given)
    slack = np.where(has_outside(network), np.mean(np.abs(external), axis=0) ** 2 + variance.min(), 0.0)
    for free in np.unique(is_free, axis=0):
        keep, bins = ~free, np.flatnonzero((is_free == free).all(axis=1))
        if not keep.any():
            continue
        net = (entering - leaving)[keep]
        matrix = (net @ sparse.diags(variance / 2.0) @ net.T + sparse.diags(slack[keep])).tocsc()
        solve = splu(matrix).solve
        entered = external[np.ix_(bins, keep)]
        for _ in range(3):  # the second and third rounds only remove rounding
            residual = net @ discharge[bins].T - entering[keep] @ storing[bins].T + entered.T
            multiplier = solve(residual)
            discharge[bins] -= (sparse.diags(variance / 2.0) @ net.T @ multiplier).T
            entered -= slack[keep] * multiplier.T
    return discharge


def _root_mean_square(flow: FlowField) -> Array:
    """Return the root mean square discharge of both ends, (reach,) [m3/s]."""
    return np.asarray(np.sqrt(np.mean(flow.discharge_start**2 + flow.discharge_end**2, axis=0) / 2.0))


def prolonged(flow: BalancedFlow, network: Network, *, until_s: float) -> BalancedFlow:
    """Return the flow run on to `until_s` [s] from its start, its last day repeated; the same flow if it reaches so far.

    What a reach gained or lost in volume over that day is spread out of it, so that tides return and nothing fills up. The
    balance report stays that of the given flow.
    """
    end, bins = float(flow.edges[-1]), len(flow.edges) - 1
    if until_s <= end:
        return flow
    day = np.flatnonzero(flow.edges[:-1] >= end - 86400.0 - 1e-6)
    span = flow.edges[np.append(day, bins)] - flow.edges[day[0]]
    held = flow.volume[np.append(day, bins)]
    change = held - held[0] - (span / span[-1])[:, None] * (held[-1] - held[0])
    repeats = int(np.ceil((until_s - end) / span[-1]))
    after = np.concatenate([end + k * span[-1] + span[1:] for k in range(repeats)])
    kept = slice(0, int(np.searchsorted(after, until_s - 1e-6)) + 1)
    volume = np.tile(np.maximum(flow.volume[-1] + change[1:], 0.0), (repeats, 1))[kept]
    start, finish = (
        np.concatenate([q, np.tile(q[day], (repeats, 1))[kept]])
        for q in (flow.discharge_start, flow.discharge_end)
    )
    longer = FlowField(
        flow.start,
        np.append(flow.edges, after[kept]),
        tuple(r.id for r in network.reaches),
        start,
        finish,
        np.concatenate([flow.volume, volume]),
    )
    return replace(_closed(longer, network), balance=flow.balance)


def _in_network_order(flow: FlowField, network: Network) -> FlowField:
    position = {reach: i for i, reach in enumerate(flow.reaches)}
    missing = [r.id for r in network.reaches if r.id not in position]
    if missing:
        what = f"no flow for {len(missing)} reaches of the network: {', '.join(missing[:5])}"
        raise InputError(flow.source, what, "give every reach a column, 0 m3/s where it stands still")
    for name in ("discharge_start", "discharge_end", "volume"):
        bad = np.argwhere(~np.isfinite(getattr(flow, name)))
        if len(bad):
            row, column = map(int, bad[0])
            column_name = f"{name} of reach '{flow.reaches[column]}'"
            what = f"{column_name} is missing in {len(bad)} bins, first in bin {row + 1}"
            raise InputError(flow.source, what, "fill the gap from the model or shorten the window")
    order = [position[r.id] for r in network.reaches]
    names = ("discharge_start", "discharge_end", "volume")
    start, end, volume = (getattr(flow, name)[:, order].astype(float) for name in names)
    ids = tuple(r.id for r in network.reaches)
    return FlowField(
        flow.start, flow.edges, ids, start, end, volume, flow.boundaries, flow.inflow, flow.source
    )


def _edge_volumes(flow: FlowField, network: Network) -> tuple[Array, tuple[str, ...]]:
    """Return volumes at the bin edges (bin + 1, reach) [m3] and the reaches lifted to the least volume."""
    bins = len(flow.edges) - 1
    if len(flow.volume) == bins + 1:
        edge = flow.volume.copy()
    else:
        middle = 0.5 * (flow.edges[1:] + flow.edges[:-1])
        edge = np.empty((bins + 1, len(flow.reaches)))
        for r in range(len(flow.reaches)):
            edge[:, r] = np.interp(flow.edges, middle, flow.volume[:, r])
    if edge.min() < 0.0:
        row, column = np.unravel_index(int(np.argmin(edge)), edge.shape)
        what = f"volume of reach '{flow.reaches[column]}' is {edge[row, column]:.4g} m3 at edge {row + 1}"
        raise InputError(flow.source, what, "volumes cannot be negative; check the unit and the export")
    least = LEAST_VOLUME_PER_METRE * np.array([r.length_m for r in network.reaches])
    dry = tuple(network.reaches[r].id for r in np.flatnonzero((edge < least).any(axis=0)))
    return np.maximum(edge, least), dry


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


def _given_external(flow: FlowField, network: Network) -> tuple[Array, NDArray[np.bool_]]:
    """Return the given inflow (bin, node) [m3/s], NaN where free, and where it is, (bin, node)."""
    external = np.zeros((len(flow.edges) - 1, len(network.nodes)))
    external[:, has_outside(network)] = np.nan
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
            external[:, known[name]] = given
    return external, np.isnan(external)


def _balance_report(
    flow: FlowField, network: Network, *, storing: Array, external: Array, is_free: NDArray[np.bool_]
) -> WaterBalance:
    leaving, entering = incidence(network)
    start, end = flow.discharge_start.T, flow.discharge_end.T
    inwards = (entering @ np.maximum(end, 0.0) + leaving @ np.maximum(-start, 0.0)).T
    outwards = (leaving @ np.maximum(start, 0.0) + entering @ np.maximum(-end, 0.0)).T
    residual = np.where(is_free, 0.0, np.abs(inwards - outwards + external))
    through = np.maximum(inwards + np.maximum(external, 0.0), outwards + np.maximum(-external, 0.0))
    lost = np.abs(flow.discharge_start - flow.discharge_end - storing)
    brought = np.maximum(start.T, 0.0) + np.maximum(-end.T, 0.0) + np.maximum(-storing, 0.0)
    taken = np.maximum(-start.T, 0.0) + np.maximum(end.T, 0.0) + np.maximum(storing, 0.0)
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
