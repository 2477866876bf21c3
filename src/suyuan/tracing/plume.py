"""What a claimed plume looks like at the readings, and what its model gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from suyuan.tracing.background import Background, BackgroundParts, fit_background
from suyuan.tracing.readings import Block
from suyuan.tracing.unrest import Unrest

Array = NDArray[np.float64]

MODEL_ERROR = 0.15
"""Standard deviation of the error of a modelled plume as a share of the plume (mixing, shape of the release)."""

LASTING_BINS = 5.0
"""Correlation time of that error at one station, in release bins."""

TIMING_BINS = 0.75
"""Standard deviation of what is left of the travel time error at one station, after the flow members, in release bins."""


@dataclass(frozen=True)
class Claim:
    """The readings when a plume of a given size is claimed.

    For each block: its `backgrounds`, model error not included, the lower Cholesky `factors` (reading, reading) of the
    covariance with model error, and the `plumes` (reading,) for which that error was reckoned. `unrest` are the events that
    the backgrounds and factors include.
    """

    blocks: tuple[Block, ...]
    backgrounds: tuple[Background, ...]
    factors: tuple[Array, ...]
    plumes: tuple[Array, ...]
    unrest: Unrest

    def residuals(self, removed: Sequence[Array] | None = None) -> tuple[Array, ...]:
        """Return the whitened readings, (reading,) a block, with the `removed` plumes taken out first."""
        taken = removed or [np.zeros(len(block.value)) for block in self.blocks]
        return tuple(
            solve_triangular(factor, block.value - plume - background.level, lower=True, check_finite=False)
            for block, background, factor, plume in zip(
                self.blocks, self.backgrounds, self.factors, taken, strict=True
            )
        )

    def log_density(self, removed: Sequence[Array] | None = None) -> float:
        """Return the log density of the readings less the `removed` plumes, background shares at their best included."""
        total = self.log_prior
        for residual, factor in zip(self.residuals(removed), self.factors, strict=True):
            total += -0.5 * residual @ residual - np.log(np.diag(factor)).sum()
        return float(total)

    @property
    def log_prior(self) -> float:
        """Log prior of the background's events and shares."""
        return float(self.unrest.log_prior.sum() + sum(found.log_prior for found in self.backgrounds))


def crude_plumes(blocks: Sequence[Block]) -> tuple[Array, ...]:
    """Return a first guess of the plume at each reading, one array (reading,) a block: what stands above a low quantile."""
    plumes = []
    for block in blocks:
        plume = np.zeros(len(block.value))
        for station in np.unique(block.station):
            rows = block.station == station
            plume[rows] = np.maximum(block.value[rows] - np.quantile(block.value[rows], 0.25), 0.0)
        plumes.append(plume)
    return tuple(plumes)


def no_plumes(blocks: Sequence[Block]) -> tuple[Array, ...]:
    """Return zero plumes, (reading,) a block."""
    return tuple(np.zeros(len(block.value)) for block in blocks)


def model_error(block: Block, plume: Array, *, bin_s: float) -> Array:
    """Return the covariance (reading, reading) of what a plume of this size gets wrong.

    A share of the plume, correlated within a station, and its slope times an unknown shift in time of each station. `bin_s`
    is the length of a release bin [s].
    """
    plume = np.where(np.abs(plume) > 1e-3 * block.noise_sd, plume, 0.0)
    lag = np.abs(block.time[:, None] - block.time[None, :]) / (LASTING_BINS * bin_s)
    same = block.station[:, None] == block.station[None, :]
    slope = _slope(block, plume)
    share = MODEL_ERROR**2 * np.outer(plume, plume) * np.exp(-lag)
    return np.asarray((share + (TIMING_BINS * bin_s) ** 2 * np.outer(slope, slope)) * same)


def _slope(block: Block, plume: Array) -> Array:
    """Return the plume's rate of change [per s] at each reading, series by series."""
    slope = np.zeros(len(plume))
    series = block.series
    for one in np.unique(series):
        rows = np.flatnonzero(series == one)
        rows = rows[np.argsort(block.time[rows], kind="stable")]
        if len(np.unique(block.time[rows])) > 2:
            time = block.time[rows] + 1e-3 * np.arange(len(rows))
            slope[rows] = np.gradient(plume[rows], time)
    return slope


def claim(
    blocks: Sequence[Block],
    parts: BackgroundParts,
    *,
    plumes: Sequence[Array],
    unrest: Unrest,
    bin_s: float,
    is_crude: bool = False,
) -> Claim:
    """Return the readings whitened for a search in which plumes of about this size are claimed.

    `unrest` are the events of the background, `bin_s` is the length of a release bin [s]. `is_crude` means that the plumes
    are a first guess: then the background's shares are found with the plume left free instead of taken out.
    """
    backgrounds, factors = [], []
    for d, (block, plume) in enumerate(zip(blocks, plumes, strict=True)):
        own = block.means.between(parts.covariance)
        error = len(blocks) * model_error(
            block, plume, bin_s=bin_s
        )  # one error shared by all substances, told as if each had its own
        free = error / MODEL_ERROR**2 if is_crude else error
        moved = unrest.covariance(d, block.means)
        clean = block.value if is_crude else block.value - plume
        level = max(float(np.median(block.value - plume)), 0.05 * block.level)
        found = fit_background(clean, own, level=level, noise_sd=block.noise_sd, extra=free + moved)
        background = replace(found, covariance=found.covariance - free)
        backgrounds.append(background)
        factors.append(np.asarray(np.linalg.cholesky(background.covariance + error), dtype=float))
    return Claim(tuple(blocks), tuple(backgrounds), tuple(factors), tuple(plumes), unrest)
