"""Readings beside what the posterior expects of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve

from suyuan.observations import Observations
from suyuan.tracing.plume import model_error
from suyuan.tracing.readings import Block
from suyuan.tracing.responses import expected_plumes
from suyuan.tracing.result import Fit
from suyuan.tracing.search import Problem
from suyuan.tracing.verdict import Verdict

Array = NDArray[np.float64]

TO_90 = 1.6449


def fits_of(problem: Problem, verdict: Verdict, *, observations: Observations) -> tuple[Fit, ...]:
    """Return one fit for each station and substance: readings, background, and the 90 % band of a reading."""
    plumes = plumes_of(problem, verdict)
    share = 1.0 - verdict.nobody
    fits = []
    for d, block in enumerate(problem.blocks):
        background, sd = _background(problem, verdict, d=d, plume=share * plumes[d])
        error = np.sqrt(
            np.diag(model_error(block, plumes[d], bin_s=problem.bin_s)) + block.noise_sd**2 + sd**2
        )
        middle = background + share * plumes[d]
        fitted = np.stack([middle - TO_90 * error, middle, middle + TO_90 * error])
        for station in dict.fromkeys(block.station.tolist()):
            expected = np.maximum(np.vstack([background, fitted]), 0.0)
            fits.append(_fit(block, station, expected=expected, observations=observations))
    return tuple(fits)


def plumes_of(problem: Problem, verdict: Verdict) -> tuple[Array, ...]:
    """Return the expected plume, (reading,) a block, of one source or of two, whichever is likelier."""
    if verdict.two <= max(verdict.one, verdict.nobody):
        return expected_plumes(problem, verdict.single)
    both = zip(expected_plumes(problem, verdict.first), expected_plumes(problem, verdict.second), strict=True)
    return tuple(a + b for a, b in both)


def _fit(block: Block, station: str, *, expected: Array, observations: Observations) -> Fit:
    """Return the fit of one station in time order; readings that were not used stand there without an expectation.

    `expected` (4, reading of the block): background, 5, 50 and 95 %.
    """
    used = np.flatnonzero(block.station == station)
    is_own = (observations.station == station) & (observations.determinand == block.substance.determinand.id)
    is_own &= np.isfinite(observations.value)
    is_own[block.row[used]] = False
    row = np.append(block.row[used], np.flatnonzero(is_own))
    columns = np.hstack([expected[:, used], np.full((len(expected), int(is_own.sum())), np.nan)])
    order = np.argsort(observations.time[row], kind="stable")
    row, columns = row[order], columns[:, order]
    return Fit(
        station=station,
        determinand=block.substance.determinand.id,
        unit=block.substance.determinand.unit,
        time=observations.time[row],
        duration_s=observations.duration_s[row],
        observed=observations.value[row],
        is_used=order < len(used),
        is_below=observations.qualifier[row] == "<",
        background=columns[0],
        fitted=columns[1:],
    )


def _background(problem: Problem, verdict: Verdict, *, d: int, plume: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of the background, its events included, given a block's readings less the plume."""
    block, believed = problem.blocks[d], verdict.believed
    factor, found = believed.factors[d], believed.backgrounds[d]
    parts = block.means.between(problem.parts.covariance)
    smooth = found.level**2 * (np.tensordot(found.shares**2, parts, axes=1) + 0.49)
    smooth = smooth + believed.unrest.covariance(d, block.means)
    weight = cho_solve((factor, True), block.value - plume - found.level)
    spread = smooth - smooth @ cho_solve((factor, True), smooth)
    return found.level + smooth @ weight, np.sqrt(np.maximum(np.diag(spread), 0.0))
