"""Columns on their march, WIDTH at a time: what they carry, where they enter, which readings they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.transport.lanes import LANES
from suyuan.transport.laterals import laterals_in
from suyuan.transport.march import Sweep
from suyuan.transport.matrix import Source
from suyuan.transport.operator import TransportOperator
from suyuan.transport.sampling import Samples
from suyuan.transport.storage import exchange_in

Array = NDArray[np.float64]
Index = NDArray[np.int64]

WIDTH = LANES
"""Most columns (scenarios or readings) that are marched together: what 12,000 cells hold of so many stays in a cache of 2 MB."""


@dataclass(frozen=True)
class Losses:
    """What is lost on the way: `decay_per_s` (column,) or (step, column) [1/s], `settling_m_per_s` (column,) to the bed [m/s]."""

    decay_per_s: Array
    settling_m_per_s: Array

    @classmethod
    def of(cls, given: Array | Losses | None, columns: int) -> Losses:
        """Return losses from decay alone, or none."""
        if isinstance(given, Losses):
            return given
        none = np.zeros(columns)
        return cls(none if given is None else np.asarray(given, float), none)


@dataclass
class Batch:
    """Up to WIDTH columns on their march: their `state` and what they still have to see.

    `rate` (column,) or (step, column) [1/s] is decay, `sinking` (column,) [m/s] settling, empty where nothing settles.
    `latest` is the last edge that any column sees, `earliest` (column,) the first edge that each sees.
    """

    state: Array
    columns: slice
    samples: Samples
    readings: Array
    rate: Array
    latest: int = 0
    sinking: Array = field(default_factory=lambda: np.zeros(0))
    earliest: Index = field(default_factory=lambda: np.zeros(0, np.int64))
    is_spent: bool = False
    crossed: Array = field(default_factory=lambda: np.zeros((2, 0, 0)))
    entered: Array = field(default_factory=lambda: np.zeros(0))
    decayed: Array = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Places:
    """Cells and weights of places, (place, 2) each."""

    cell: Index
    weight: Array


def places_of(operator: TransportOperator, sources: Sequence[Source]) -> Places:
    """Return where point sources enter; a boundary has no place in a reach and gets weights of 0."""
    found = [
        operator.geometry.place(operator.network, reach_id=s.reach, chainage_m=s.chainage_m)
        if s.reach
        else ((0, 0), (0.0, 0.0))
        for s in sources
    ]
    cell = np.array([cells for cells, _ in found], np.int64).reshape(-1, 2)
    return Places(cell, np.array([shares for _, shares in found], float).reshape(-1, 2))


def overlaps(edges: Array, bins: Array) -> sparse.csr_array:
    """Return how long each step lies in each bin, (step, bin) [s].

    >>> overlaps(np.array([0.0, 600.0, 1200.0]), np.array([0.0, 900.0, 1800.0])).toarray().tolist()
    [[600.0, 0.0], [300.0, 300.0]]
    """
    cuts = np.unique(np.concatenate([edges, bins]))
    step = np.searchsorted(edges, cuts[:-1], side="right") - 1
    of = np.searchsorted(bins, cuts[:-1], side="right") - 1
    inside = (step >= 0) & (step < len(edges) - 1) & (of >= 0) & (of < len(bins) - 1)
    seconds = np.diff(cuts)[inside]
    return sparse.csr_array((seconds, (step[inside], of[inside])), shape=(len(edges) - 1, len(bins) - 1))


def touched(overlap: sparse.csr_array) -> slice:
    """Return the bins in which these steps lie, from the first to the last."""
    bins = overlap.indices
    return slice(int(bins.min()), int(bins.max()) + 1) if len(bins) else slice(0, 0)


def sweep_of(
    operator: TransportOperator, steps: slice, *, places: Places, batch: Batch, is_last: bool
) -> Sweep:
    """Return what the kernels read for a batch in these steps; if they are the `is_last` ones, with the edge at their end."""
    edge_first, cell, receptor, weight = batch.samples.between(steps.start, steps.stop, with_last=is_last)
    counts = places.weight.ravel() != 0.0
    sinks = bool(batch.sinking.any())
    count = steps.stop - steps.start
    rate = (
        batch.rate[steps] if batch.rate.ndim == 2 else np.broadcast_to(batch.rate, (count, len(batch.rate)))
    )
    return Sweep(
        seconds=operator.water.length[steps],
        rate=np.ascontiguousarray(rate),
        is_dispersive=bool(operator.water.dispersion.any()),
        place=np.repeat(np.arange(len(places.cell)), 2)[counts],
        place_cell=places.cell.ravel()[counts],
        place_weight=places.weight.ravel()[counts],
        edge_first=edge_first,
        cell=cell,
        receptor=receptor,
        weight=weight,
        laterals=laterals_in(operator.geometry, operator.water, steps=steps),
        sinking=batch.sinking,
        per_depth=operator.per_depth(steps) if sinks else np.zeros((0, 0)),
        open=np.setdiff1d(np.arange(operator.stores - len(operator.zones.cell)), operator.zones.cell),
        exchange=exchange_in(operator.zones, operator.geometry, water=operator.water, steps=steps),
    )


def wide(columns: slice) -> int:
    """Return how many columns a batch carries, padding included."""
    return int(-(-(columns.stop - columns.start) // LANES)) * LANES


def padded(values: Array, columns: slice) -> Array:
    """Return these columns of (..., column), contiguous and filled up with zeros to a multiple of LANES."""
    part = values[..., columns]
    out = np.zeros((*part.shape[:-1], wide(columns)))
    out[..., : part.shape[-1]] = part
    return out


def batch_columns(columns: int) -> list[slice]:
    """Return the columns of each batch.

    >>> batch_columns(40)
    [slice(0, 32, None), slice(32, 40, None)]
    """
    return [slice(i, min(i + WIDTH, columns)) for i in range(0, columns, WIDTH)]
