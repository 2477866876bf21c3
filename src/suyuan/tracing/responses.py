"""What single release histories do to the readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.evidence import likely_amplitudes, strength_prior
from suyuan.tracing.plume import no_plumes
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.settle import released

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PLUME_EXPLANATIONS = 80
"""How many leading explanations make up the expected plume."""


@dataclass(frozen=True)
class Responses:
    """What releases of 1 g/s from some sources do to the receptors, in one flow member.

    `total` (place, substance, receptor, bin + 1) [s/m3] is the concentration, decay included, of a release that lasts from
    the first bin up to each edge; `aged` (place, 3, receptor, bin + 1) the same without decay, times the age of the water,
    and times its square. `place` (source,) is where a source stands in them, `history` (shape, 4) start, length, period and
    repeats of the release shapes, `station` (receptor,) counts the sorted ids.
    """

    total: Array
    aged: Array
    place: Index
    history: Index
    station: Index

    def totals(self, source: Index) -> Array:
        """Return `total` of some sources, (source, substance, receptor, bin + 1) [s/m3]; of one source without copying."""
        place = self.place[source]
        return self.total[place[0] : place[0] + 1] if len(place) == 1 else self.total[place]

    def rise(self, source: int, shape: int) -> Array:
        """Return concentration per g/s of one release, (substance, receptor) [s/m3]."""
        on_time = np.zeros(len(self.station))
        return np.asarray(released(self.total[self.place[source]], self.history[shape], on_time))

    def travel_s(self, source: int, shape: int) -> tuple[Array, Array]:
        """Return mean [s] and variance [s2] of the time that the water of one release was under way, (station,) each."""
        on_time = np.zeros(len(self.station))
        parts = released(self.aged[self.place[source]], self.history[shape], on_time)
        rise, aged, square = (np.bincount(self.station, part) for part in parts)
        mean = aged / np.maximum(rise, 1e-30)
        return mean, np.maximum(square / np.maximum(rise, 1e-30) - mean**2, 0.0)


def responses(problem: Problem, member: int, *, source: Index) -> Responses:
    """Return what releases from these sources do at every receptor, in one flow member."""
    matrix = problem.matrices[member]
    some = np.unique(source)
    lag = np.maximum(matrix.lag_s(), 0.0)
    total = np.zeros((len(some), len(problem.blocks), len(lag), lag.shape[1] + 1))
    aged = np.zeros((len(some), 3, len(lag), lag.shape[1] + 1))
    substances = [block.substance for block in problem.blocks]
    left = [np.exp(-each.decay_per_s * matrix.age_s(each)) for each in substances]
    sunk = [matrix.values_of(each) for each in substances]
    for i, s in enumerate(some):
        values = np.asarray(matrix.values[:, s], dtype=float)
        for d, share in enumerate(left):
            np.cumsum(sunk[d][:, s].astype(float) * share, axis=1, out=total[i, d, :, 1:])
        positive = np.maximum(values, 0.0)  # beside sharp fronts transport rings below zero
        for power in range(3):
            np.cumsum(positive, axis=1, out=aged[i, power, :, 1:])
            positive *= lag
    place = np.full(len(matrix.sources), -1, np.int64)
    place[some] = np.arange(len(some))
    station = np.unique(matrix.receptors.station, return_inverse=True)[1].astype(np.int64)
    history = np.ascontiguousarray(problem.grid.shapes.columns.T)
    return Responses(total, aged, place, history, station)


def expected_plumes(problem: Problem, found: Explanations) -> tuple[Array, ...]:
    """Return the posterior mean plume, (reading,) a block, of the leading explanations."""
    total = no_plumes(problem.blocks)
    leading = np.argsort(found.log_weight)[::-1][:PLUME_EXPLANATIONS]
    leading = leading[found.weight[leading] >= 1e-3]
    weight = found.weight[leading] / max(found.weight[leading].sum(), 1e-300)
    for m in np.unique(found.member[leading]):
        rows = leading[found.member[leading] == m]
        share = weight[found.member[leading] == m]
        seen = responses(problem, int(m), source=found.source[rows])
        scale = share[:, None] * amplitudes(problem, found, rows=rows)
        for row, rates in zip(rows, scale, strict=True):
            rise = rates[:, None] * seen.rise(int(found.source[row]), int(found.shape[row]))
            for d, block in enumerate(problem.blocks):
                total[d][:] += block.means.of(rise[d])
    return total


def amplitudes(problem: Problem, found: Explanations, *, rows: Index) -> Array:
    """Return the expected amplitude [g/s] of each substance for these explanations, (explanation, substance)."""
    library, strength = problem.grid.library, problem.grid.strength
    out, prior = np.empty((len(rows), len(problem.blocks))), strength_prior(strength.log_sd)
    for i, row in enumerate(rows):
        kind = found.kind[row]
        centre = library.centre[kind] + strength.log_rate
        alpha, beta = np.ascontiguousarray(found.alpha[:, row]), np.ascontiguousarray(found.beta[:, row])
        out[i] = likely_amplitudes(alpha, beta, centre, library.spread[kind], prior)
    return out
