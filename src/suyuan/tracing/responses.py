"""What single release histories do to the readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.evidence import likely_amplitudes
from suyuan.tracing.plume import no_plumes
from suyuan.tracing.search import Explanations, Problem

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PLUME_EXPLANATIONS = 80
"""How many leading explanations make up the expected plume."""


@dataclass(frozen=True)
class Responses:
    """Concentration at every receptor per g/s released, one row an explanation.

    `rise` (explanation, substance, receptor) [s/m3], decay included; `travel_s` (explanation, station) is the mean time
    that the water of the plume was under way to each station, in the order of the sorted station ids.
    """

    rise: Array
    travel_s: Array


def responses(problem: Problem, *, member: int, source: Index, shape: Index) -> Responses:
    """Return what releases from these sources with these histories do at every receptor, in one flow member."""
    matrix = problem.matrices[member]
    receptors = len(matrix.receptors)
    stations, of_station = np.unique(matrix.receptors.station, return_inverse=True)
    rise = np.empty((len(source), len(problem.blocks), receptors))
    travel = np.empty((len(source), len(stations)))
    lag = np.maximum(matrix.lag_s(), 0.0)
    for s in np.unique(source):
        rows = np.flatnonzero(source == s)
        values = np.asarray(matrix.values[:, s], dtype=float)
        for d, block in enumerate(problem.blocks):
            decayed = values * np.exp(-block.substance.decay_per_s * lag)
            rise[rows, d] = _released(problem, decayed, shape=shape[rows])
        positive = np.maximum(values, 0.0)  # beside sharp fronts transport rings below zero
        total, late = (
            np.stack([np.bincount(of_station, row) for row in _released(problem, part, shape=shape[rows])])
            for part in (positive, positive * lag)
        )
        travel[rows] = late / np.maximum(total, 1e-30)
    return Responses(rise, travel)


def _released(problem: Problem, values: Array, *, shape: Index) -> Array:
    """Return values (receptor, bin) summed over the on-times of each history, (history, receptor)."""
    total = np.zeros((values.shape[1] + 1, len(values)))
    np.cumsum(values.T, axis=0, out=total[1:])
    start, length, period, repeats = problem.grid.shapes.columns[:, shape]
    out = np.zeros((len(shape), len(values)))
    for k in range(int(repeats.max(initial=0))):
        on = np.flatnonzero(repeats > k)
        first = start[on] + k * period[on]
        out[on] += total[first + length[on]] - total[first]
    return out


def expected_plumes(problem: Problem, found: Explanations) -> tuple[Array, ...]:
    """Return the posterior mean plume, (reading,) a block, of the leading explanations."""
    total = no_plumes(problem.blocks)
    leading = np.argsort(found.log_weight)[::-1][:PLUME_EXPLANATIONS]
    leading = leading[found.weight[leading] >= 1e-3]
    weight = found.weight[leading] / max(found.weight[leading].sum(), 1e-300)
    for m in np.unique(found.member[leading]):
        rows = leading[found.member[leading] == m]
        share = weight[found.member[leading] == m]
        rise = responses(problem, member=int(m), source=found.source[rows], shape=found.shape[rows]).rise
        rise *= (share[:, None] * amplitudes(problem, found, rows=rows))[:, :, None]
        for d, block in enumerate(problem.blocks):
            total[d][:] += rise[:, d].sum(axis=0)[block.receptor]
    return total


def amplitudes(problem: Problem, found: Explanations, *, rows: Index) -> Array:
    """Return the expected amplitude [g/s] of each substance for these explanations, (explanation, substance)."""
    library, strength = problem.grid.library, problem.grid.strength
    out = np.empty((len(rows), len(problem.blocks)))
    for i, row in enumerate(rows):
        kind = found.kind[row]
        centre = library.centre[kind] + strength.log_rate
        alpha, beta = np.ascontiguousarray(found.alpha[:, row]), np.ascontiguousarray(found.beta[:, row])
        out[i] = likely_amplitudes(alpha, beta, centre, library.spread[kind], strength.log_sd)
    return out
