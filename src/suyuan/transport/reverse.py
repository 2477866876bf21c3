"""Backward runs: what readings owe to all that was let in. The exact transpose of a forward run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.transport.batches import (
    Batch,
    Losses,
    Places,
    batch_columns,
    overlaps,
    padded,
    places_of,
    sweep_of,
    touched,
    wide,
)
from suyuan.transport.march import march_back
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import Stretch, TransportOperator, stretches
from suyuan.transport.sampling import Samples, samples_of

Array = NDArray[np.float64]

SPENT = 1e-13
"""Share of a reading's water below which what is left of it to follow back is dropped."""


@dataclass(frozen=True)
class Sensitivity:
    """What readings owe to everything that was let in.

    Per unit of weighted reading: `release` (bin, place, column) to a rate [s/m3], `boundary` (flow bin,
    entry, column) to the concentration at a boundary or in what enters along a reach (as `operator.entries`), `initial` (cell
    + lake, column) [1/m3] to the mass held at first.
    """

    release: Array
    boundary: Array
    initial: Array


def adjoint(
    operator: TransportOperator,
    receptors: Receptors,
    *,
    weights: Array | None = None,
    places: Sequence[Source] = (),
    edges: Array | None = None,
    decay_per_s: Array | Losses | None = None,
) -> Sensitivity:
    """Return the exact transpose of `forward`, one column for each column of `weights` (receptor, column).

    Without `weights` every reading gets a column of its own. `places` and `edges` [s] say to which releases;
    the default bins are those of the flow. <forward(x), w> = <x, adjoint(w)> to rounding.
    """
    edges = operator.flow.edges if edges is None else edges
    weights = np.eye(len(receptors)) if weights is None else weights
    columns = weights.shape[1]
    losses = Losses.of(decay_per_s, columns)
    found = places_of(operator, places)
    samples = samples_of(operator, receptors)
    out = Sensitivity(
        np.zeros((len(edges) - 1, len(places), columns)),
        np.zeros((len(operator.flow.edges) - 1, operator.geometry.entries, columns)),
        np.zeros((operator.stores, columns)),
    )
    batches = [
        backward_batch(operator, samples, weights=weights, losses=losses, columns=part)
        for part in batch_columns(columns)
    ]
    overlap = overlaps(operator.edges, edges)
    for leg in march_batches(operator, batches, places=found, overlap=overlap):
        columns_of, width = leg.batch.columns, slice(0, leg.batch.columns.stop - leg.batch.columns.start)
        out.release[leg.bins, :, columns_of] += leg.gain[..., width]
        np.add.at(out.boundary[..., columns_of], operator.water.bin[leg.steps], leg.outside[..., width])
    for batch in batches:
        out.initial[:, batch.columns] = batch.state[:, : batch.columns.stop - batch.columns.start]
    return out


def backward_batch(
    operator: TransportOperator,
    samples: Samples,
    *,
    weights: Array,
    losses: Losses,
    columns: slice,
) -> Batch:
    """Return a batch that will march back from its latest reading, with only the readings that it weighs.

    `weights` (receptor, column) says by how much each reading counts, `losses` are decay and settling;
    `columns` are those of this batch.
    """
    used = np.flatnonzero(np.any(weights[:, columns] != 0.0, axis=1))
    own, readings = samples.of(used), padded(weights[used], columns)
    first = np.full(len(used), operator.steps)
    np.minimum.at(first, own.receptor, own.edge)
    return Batch(
        state=np.zeros((operator.stores, wide(columns))),
        columns=columns,
        samples=own,
        readings=readings,
        rate=padded(losses.decay_per_s, columns),
        sinking=padded(losses.settling_m_per_s, columns),
        latest=int(own.latest.max(initial=1)),  # a march has a step
        earliest=np.where(readings != 0.0, first[:, None], operator.steps).min(
            axis=0, initial=operator.steps
        ),
    )


@dataclass(frozen=True)
class Leg:
    """What one batch has found on its way back through one stretch.

    `gain` (bin, place, column) is the sensitivity to a steady release through each of `bins`, `outside`
    (step, entry, column) that to the concentration at boundaries and along reaches in each of `steps`.
    """

    batch: Batch
    steps: slice
    bins: slice
    gain: Array
    outside: Array


def march_batches(
    operator: TransportOperator, batches: Sequence[Batch], *, places: Places, overlap: sparse.csr_array
) -> Iterator[Leg]:
    """March all batches back from their latest reading until nothing is left of them; yield every leg.

    `overlap` (step, bin) [s] says which release bins the steps lie in.
    """
    last = max((batch.latest for batch in batches), default=0)
    for stretch in stretches(operator, range(last), is_backward=True):
        volume = operator.volume_at(stretch.first)
        for batch in batches:
            if batch.is_spent or batch.latest <= stretch.first:
                continue
            yield _leg(operator, stretch, batch=batch, places=places, overlap=overlap)
            _drop_spent(batch, volume, first=stretch.first)


def _drop_spent(batch: Batch, volume: Array, *, first: int) -> None:
    """Drop the columns that have seen all their readings and of whose water hardly any is left before the edge `first`.

    Each by itself, so that what a reading owes does not depend, to the last bit, on which others are marched with it.
    """
    left = water_held(np.abs(batch.state), volume)
    is_spent = (batch.earliest >= first) & (left < SPENT)
    batch.state[:, is_spent] = 0.0
    batch.is_spent = bool(is_spent.all())


def water_held(state: Array, volume: Array) -> Array:
    """Return the water of each column of a state, (column,), added up row by row: the same whatever the other columns."""
    return np.asarray((state * volume[:, None]).sum(axis=0))


def _leg(
    operator: TransportOperator,
    stretch: Stretch,
    *,
    batch: Batch,
    places: Places,
    overlap: sparse.csr_array,
) -> Leg:
    """March one batch back through one stretch, from its latest reading where that lies within."""
    is_last = batch.latest <= stretch.last
    steps = slice(stretch.first, min(stretch.last, batch.latest))
    own = overlap[steps]
    bins, width = touched(own), wide(batch.columns)
    gain = np.zeros((bins.stop - bins.start, len(places.cell), width))
    outside = np.empty((steps.stop - steps.start, operator.geometry.entries, width))
    sweep = sweep_of(operator, steps, places=places, batch=batch, is_last=is_last)
    at = (own.indptr.astype(np.int64), own.indices.astype(np.int64) - bins.start, own.data)
    matrices = (operator.mesh, operator.system, stretch.rows, stretch.factors)
    march_back(*matrices, sweep, batch.state, batch.readings, at, gain, outside)
    return Leg(batch, steps, bins, gain, outside)
