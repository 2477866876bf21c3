"""Forward runs: from what is let in to what is read, and where the mass went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from suyuan.errors import InputError
from suyuan.transport.batches import (
    Batch,
    Losses,
    Places,
    batch_columns,
    overlaps,
    padded,
    places_of,
    sweep_of,
    wide,
)
from suyuan.transport.march import march_forward
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import Stretch, TransportOperator, stretches
from suyuan.transport.sampling import Samples, no_samples, samples_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Releases:
    """Mass let in at points of reaches.

    `rate` (bin, place, column) [g/s] enters at `places` through bins with `edges` [s]. Edges count from the
    start of the flow and need not be edges of its bins.
    """

    places: tuple[Source, ...]
    edges: Array
    rate: Array

    def __post_init__(self) -> None:
        """Refuse rates of another shape."""
        if self.rate.shape[:2] != (len(self.edges) - 1, len(self.places)):
            expected = f"({len(self.edges) - 1}, {len(self.places)}, column)"
            what = f"rate has shape {self.rate.shape}, expected {expected}"
            raise InputError("releases", what, "give one rate for every bin, place and column")


@dataclass(frozen=True)
class Ledger:
    """Where the mass went, (column,) [g] each: what was held at first and let in equals what left, decayed
    and is held."""

    held_first: Array
    released: Array
    entered: Array
    left: Array
    decayed: Array
    held_last: Array

    @property
    def error(self) -> Array:
        """Mass that is not accounted for, as a share of all mass there was, (column,)."""
        came = self.held_first + self.released + self.entered
        return np.asarray(
            (came - self.left - self.decayed - self.held_last) / np.maximum(np.abs(came), 1e-300)
        )


@dataclass(frozen=True)
class Run:
    """What a forward run shows: `readings` (receptor, column) [g/m3], `mass` (cell + lake, column) [g] at the
    end."""

    readings: Array
    mass: Array
    ledger: Ledger


def forward(
    operator: TransportOperator,
    releases: Releases | None = None,
    *,
    boundary: Array | None = None,
    initial: Array | None = None,
    decay_per_s: Array | Losses | None = None,
    receptors: Receptors | None = None,
) -> Run:
    """Return what would be read, and where the mass went, for columns of scenarios.

    `boundary` (flow bin, entry, column) [g/m3] is the concentration of water that enters at each boundary
    or outlet and along reaches, in the order of `operator.entries`; `initial` (cell + lake, column) [g/m3];
    `decay_per_s` (column,) or (step, column) [1/s] first order; or `Losses`, settling included. What is left out is zero.
    Negative concentrations can occur beside sharp fronts: the scheme is linear.
    """
    rate = decay_per_s.decay_per_s if isinstance(decay_per_s, Losses) else decay_per_s
    columns = _columns(releases, boundary, initial, rate)
    given = _Given.of(operator, releases, boundary=boundary, columns=columns)
    samples = samples_of(operator, receptors) if receptors is not None else no_samples()
    held = (
        np.zeros((operator.stores, columns)) if initial is None else initial * operator.volume_at(0)[:, None]
    )
    losses = Losses.of(decay_per_s, columns)
    batches = [
        _batch(operator, held, samples=samples, losses=losses, columns=part)
        for part in batch_columns(columns)
    ]
    for stretch in stretches(operator, range(operator.steps)):
        for batch in batches:
            _advance(operator, stretch, given=given, batch=batch)
    return _run(batches, held, given=given, columns=columns)


@dataclass(frozen=True)
class _Given:
    """What is let in, with nothing left out."""

    places: Places
    overlap: sparse.csr_array
    rate: Array
    boundary: Array

    @classmethod
    def of(
        cls, operator: TransportOperator, releases: Releases | None, *, boundary: Array | None, columns: int
    ) -> _Given:
        if releases is None:
            releases = Releases((), np.array([0.0, 1.0]), np.zeros((1, 0, columns)))
        if boundary is None:
            boundary = np.zeros((len(operator.flow.edges) - 1, operator.geometry.entries, columns))
        return cls(
            places_of(operator, releases.places),
            overlaps(operator.edges, releases.edges),
            releases.rate,
            boundary,
        )


def _columns(*parts: Releases | Array | None) -> int:
    widths = {(p.rate if isinstance(p, Releases) else p).shape[-1] for p in parts if p is not None}
    if len(widths) != 1:
        what = f"what is let in has {sorted(widths)} columns" if widths else "nothing is let in"
        raise InputError(
            "forward", what, "give releases, boundary, initial and decay the same number of columns"
        )
    return int(widths.pop())


def _batch(
    operator: TransportOperator, held: Array, *, samples: Samples, losses: Losses, columns: slice
) -> Batch:
    return Batch(
        state=padded(held, columns),
        columns=columns,
        samples=samples,
        readings=np.zeros((len(samples.latest), wide(columns))),
        rate=padded(losses.decay_per_s, columns),
        sinking=padded(losses.settling_m_per_s, columns),
        crossed=np.zeros((2, operator.geometry.entries, wide(columns))),
        entered=np.zeros(wide(columns)),
        decayed=np.zeros(wide(columns)),
    )


def _advance(operator: TransportOperator, stretch: Stretch, *, given: _Given, batch: Batch) -> None:
    part = slice(stretch.first, stretch.last)
    rate = padded(given.rate, batch.columns)
    mass = _per_step(given.overlap[part], rate)
    outside = padded(given.boundary, batch.columns)[operator.water.bin[part]]
    sweep = sweep_of(operator, part, places=given.places, batch=batch, is_last=stretch.last == operator.steps)
    before, left_before = batch.state.sum(axis=0), batch.crossed.sum(axis=1)
    march_forward(
        operator.mesh,
        operator.system,
        stretch.rows,
        stretch.factors,
        sweep,
        batch.state,
        mass,
        outside,
        batch.readings,
        batch.crossed,
    )
    volume = (
        np.maximum(operator.water.outside[operator.water.bin[part]], 0.0) * operator.water.length[part, None]
    )
    entered = np.einsum("sb,sbk->k", volume, outside) + batch.crossed[0].sum(axis=0) - left_before[0]
    batch.entered += entered
    released = np.einsum("spk,p->k", mass, given.places.weight.sum(axis=1))
    left = batch.crossed[1].sum(axis=0) - left_before[1]
    batch.decayed += before + entered + released - left - batch.state.sum(axis=0)


def _per_step(overlap: sparse.csr_array, rate: Array) -> Array:
    """Return the mass let in in each step, (step, place, column) [g], from rates (bin, place, column)."""
    mass = overlap @ rate.reshape(len(rate), rate[0].size)
    return np.asarray(mass.reshape(overlap.shape[0], *rate.shape[1:]))


def _run(batches: list[Batch], held: Array, *, given: _Given, columns: int) -> Run:
    def joined(parts: list[Array]) -> Array:
        return np.concatenate(parts, axis=-1)[..., :columns]

    has_decay = joined([np.atleast_2d(b.rate).any(axis=0) | (b.sinking != 0.0) for b in batches])
    mass = joined([b.state for b in batches])
    seconds = given.overlap.sum(axis=0)
    ledger = Ledger(
        held_first=held.sum(axis=0),
        released=np.einsum("b,bpk,p->k", seconds, given.rate, given.places.weight.sum(axis=1)),
        entered=joined([b.entered for b in batches]),
        left=joined([b.crossed[1].sum(axis=0) for b in batches]),
        decayed=np.where(has_decay, joined([b.decayed for b in batches]), 0.0),
        held_last=mass.sum(axis=0),
    )
    return Run(joined([b.readings for b in batches]), mass, ledger)
