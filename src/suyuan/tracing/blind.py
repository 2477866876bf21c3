"""What the readings could not have shown: candidates and hours in which a test release stays unseen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from suyuan.tracing.evidence import SHOWS_AT
from suyuan.tracing.plume import Claim
from suyuan.tracing.result import BlindSpot
from suyuan.tracing.search import Problem

Array = NDArray[np.float64]

TEST_HOURS = 4.0


def blind_spots(problem: Problem, claimed: Claim) -> tuple[BlindSpot, ...]:
    """Return, for every candidate with blind hours, those in which a test release within the hour stays unseen.

    The test release is what the median release a priori lets out in TEST_HOURS, rounded to one figure. It is seen where it
    reaches SHOWS_AT over all readings of the traced substance together, as any release must to count in the trace: under
    the noise of the readings and the background that the trace found, its events included, with the `claimed` plumes taken
    out (left in, they would pass for a restless background and hide everything). Every point of a candidate
    is judged for itself. The assumption that hurts most: the first flow member is the true flow.
    """
    matrix, block = problem.matrices[0], problem.blocks[0]
    mass_g = _one_figure(math.exp(problem.grid.strength.log_rate) * 3600.0 * TEST_HOURS)
    age = matrix.age_s(block.substance)
    rate = mass_g / np.diff(matrix.edges) * np.exp(-block.substance.decay_per_s * age)
    values = matrix.values_of(block.substance)
    factor = np.asarray(np.linalg.cholesky(claimed.backgrounds[0].covariance), dtype=float)
    unseen: dict[str, list[NDArray[np.bool_]]] = {}
    for s, source in enumerate(matrix.sources):
        ratio = signal_to_noise(block.means.of(values[:, s, :] * rate), factor)
        unseen.setdefault(source.candidate, []).append(ratio < SHOWS_AT)
    shares = {name: np.mean(points, axis=0) for name, points in unseen.items()}
    return tuple(BlindSpot(name, mass_g / 1000.0, share) for name, share in shares.items() if share.any())


def signal_to_noise(rise: Array, factor: Array) -> Array:
    """Return sqrt(g' C^-1 g) of each column g of `rise` (reading, bin), (bin,); `factor` is the lower Cholesky factor of C.

    Two readings raised by 3 and 4 standard deviations of their independent noise:

    >>> signal_to_noise(np.array([[3.0], [8.0]]), np.diag([1.0, 2.0])).tolist()
    [5.0]
    """
    white = solve_triangular(factor, rise, lower=True, check_finite=False)
    return np.asarray(np.sqrt((white**2).sum(axis=0)))


def _one_figure(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return round(value / power) * power
