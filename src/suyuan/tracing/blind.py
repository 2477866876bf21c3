"""What the readings could not have shown: candidates and hours in which a test release stays unseen."""

from __future__ import annotations

import math

import numpy as np

from suyuan.tracing.result import BlindSpot
from suyuan.tracing.search import Problem

SEEN_AT = 3.0
"""A release counts as seen where it lifts any reading by this many standard deviations of its noise."""

TEST_HOURS = 4.0


def blind_spots(problem: Problem) -> tuple[BlindSpot, ...]:
    """Return, for every candidate with blind hours, those in which a test release within the hour stays unseen.

    The test release is what the median release a priori lets out in TEST_HOURS, rounded to one figure. A candidate of
    several points is blind where all of them are.
    """
    matrix, block = problem.matrices[0], problem.blocks[0]
    mass_g = _one_figure(math.exp(problem.grid.strength.log_rate) * 3600.0 * TEST_HOURS)
    lag = np.maximum(matrix.lag_s()[block.receptor], 0.0)
    decay = np.exp(-block.substance.decay_per_s * lag) / block.noise_sd[:, None]
    rate = mass_g / np.diff(matrix.edges)
    seen: dict[str, np.ndarray] = {}
    for s, source in enumerate(matrix.sources):
        rise = (matrix.values[block.receptor, s, :] * decay).max(axis=0) * rate
        seen[source.candidate] = seen.get(source.candidate, np.zeros(len(rise), bool)) | (rise >= SEEN_AT)
    return tuple(BlindSpot(name, mass_g / 1000.0, ~ok) for name, ok in seen.items() if not ok.all())


def _one_figure(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return round(value / power) * power
