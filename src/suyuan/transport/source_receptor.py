"""The source-receptor matrix, computed backward from the readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.compiled import uncounted_kernel
from suyuan.errors import InputError, nearest
from suyuan.transport.batches import Batch, Losses, batch_columns, overlaps, places_of
from suyuan.transport.matrix import Receptors, Source, SourceReceptorMatrix
from suyuan.transport.operator import TransportOperator
from suyuan.transport.reverse import Leg, backward_batch, march_batches, water_held
from suyuan.transport.sampling import samples_of

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def source_receptor_matrix(
    operator: TransportOperator,
    receptors: Receptors,
    *,
    sources: Sequence[Source],
    edges: Array | None = None,
    carried: NDArray[np.bool_] | None = None,
    settling_m_per_s: float = 0.0,
) -> SourceReceptorMatrix:
    """Return what a release at each source and in each bin does to each reading.

    Only where `carried` (receptor, source), if that is given (see `downstream`); elsewhere `values` are 0.

    `edges` (bin + 1,) [s] from the start of the flow bound the release bins; by default those of the flow. A
    release enters evenly through its bin. At a boundary it comes dissolved in the inflow; where there is none
    it cannot come, and its values are 0. `values` are single precision. The row of a receptor is the same to
    the last bit whichever others are asked for with it. What settles, with `settling_m_per_s` over the depth, is gone: then
    fractions are what is left of the water's load, and do not sum to 1. The assumption that hurts most: the flow is right.
    """
    edges = operator.flow.edges if edges is None else np.asarray(edges, float)
    order = np.argsort(-receptors.time.astype("datetime64[s]").astype(np.int64), kind="stable")
    samples = samples_of(operator, receptors).of(order)
    found = _Found(
        values=np.zeros((len(receptors), len(sources), len(edges) - 1), np.float32),
        fraction=np.zeros((len(receptors), *operator.entering.T.shape)),
        order=order,
        overlap=overlaps(operator.edges, edges),
        entry=_boundary_entries(operator, sources),
        carried=np.ones((len(receptors), len(sources)), bool) if carried is None else carried,
    )
    weights, none = np.eye(len(receptors)), np.zeros(len(receptors))
    losses = Losses(none, none + settling_m_per_s)
    batches = [
        backward_batch(operator, samples, weights=weights, losses=losses, columns=part)
        for part in batch_columns(len(receptors))
    ]
    for leg in march_batches(operator, batches, places=places_of(operator, sources), overlap=found.overlap):
        found.take(operator, leg)
    return SourceReceptorMatrix(
        receptors=receptors,
        sources=tuple(sources),
        start=operator.flow.start,
        edges=edges,
        values=found.values,
        boundaries=operator.entries,
        flow_edges=operator.flow.edges,
        inflow=np.maximum(operator.entering.T, 0.0),
        fraction=found.fraction,
        initial=_held_first(operator, batches, order=order),
    )


def _held_first(operator: TransportOperator, batches: Sequence[Batch], *, order: Index) -> Array:
    """Return the share of each reading's water that was in the network at the start, (receptor,)."""
    volume, held = operator.volume_at(0), np.empty(len(order))
    for batch in batches:
        rows = order[batch.columns]
        held[rows] = water_held(batch.state, volume)[: len(rows)]
    return held


@dataclass(frozen=True)
class _Found:
    """What backward marches have found so far; `order` (column,) is the receptor of each column, latest first.

    `values` are filled only where `carried` (receptor, source).
    """

    values: NDArray[np.float32]
    fraction: Array
    order: Index
    overlap: sparse.csr_array
    entry: Index
    carried: NDArray[np.bool_]

    def take(self, operator: TransportOperator, leg: Leg) -> None:
        """Add what one batch has found on one leg."""
        rows = self.order[leg.batch.columns]
        outside, step_bin = leg.outside[..., : len(rows)], operator.water.bin[leg.steps]
        gain = leg.gain[..., : len(rows)]
        at_boundary = np.flatnonzero(self.entry >= 0)
        if len(at_boundary) and len(gain):
            gain[:, at_boundary] = self._through_boundaries(operator, leg, outside=outside)
        add_turned(gain.astype(np.float32), rows, leg.bins.start, self.carried, self.values)
        first = np.flatnonzero(np.diff(step_bin, prepend=-1))
        share = np.add.reduceat(outside, first, axis=0)
        add_turned(share, rows, int(step_bin[0]), np.ones(self.fraction.shape[:2], bool), self.fraction)

    def _through_boundaries(self, operator: TransportOperator, leg: Leg, *, outside: Array) -> Array:
        """Return the gain of releases dissolved in what flows in, (bin, boundary source, column)."""
        entry = self.entry[self.entry >= 0]
        inflow = operator.water.outside[operator.water.bin[leg.steps]][:, entry]
        seconds = operator.water.length[leg.steps, None]
        per_mass = outside[:, entry] / np.where(inflow > 0.0, inflow * seconds, np.inf)[..., None]
        bins = self.overlap[leg.steps][:, leg.bins].T @ per_mass.reshape(len(per_mass), -1)
        return np.asarray(bins.reshape(-1, *per_mass.shape[1:]))


@uncounted_kernel
def add_turned(
    source: NDArray[np.floating],
    rows: Index,
    begin: int,
    wanted: NDArray[np.bool_],
    target: NDArray[np.floating],
) -> None:
    """Add `source` (bin, place, column) to `target` (receptor, place, bin), its columns to `rows`, its bins from `begin` on.

    Only where `wanted` (receptor, place); what is not wanted is never touched.
    """
    for p in range(source.shape[1]):
        for k in range(len(rows)):
            if wanted[rows[k], p]:
                for b in range(len(source)):
                    target[rows[k], p, begin + b] += source[b, p, k]


def _boundary_entries(operator: TransportOperator, sources: Sequence[Source]) -> Index:
    """Return which boundary each source enters through, -1 for places in a reach."""
    ids = [operator.network.nodes[n].id for n in operator.geometry.boundaries]
    entry = np.full(len(sources), -1, np.int64)
    for i, source in enumerate(sources):
        if source.kind != "boundary":
            continue
        if source.node not in ids:
            what = f"source '{source.candidate}' enters at node '{source.node}', which is no boundary"
            raise InputError("sources", what, nearest(source.node, ids))
        entry[i] = ids.index(source.node)
    return entry
