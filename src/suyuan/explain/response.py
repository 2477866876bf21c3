"""How a determinand answers to its drivers: the line between two waters, times what flow, rain, season and upstream do to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PRIOR_SD = 0.5
"""How much the logarithm of a concentration may change for one standard deviation of a driver, before any reading."""

ROUNDS = 30
HUBER = 2.0
"""Residuals beyond so many robust standard deviations pull no harder than at it (Huber, 1964)."""


@dataclass(frozen=True)
class Design:
    """What drives a determinand, row by row.

    `scale` (time,) multiplies everything (saturation of oxygen; 1 else). `fraction` (time,) is the share of the second water,
    all 0 where no mixing was found (`mixes`). `modifiers` (time, column) have mean 0 and standard deviation 1; `group` (column,)
    names the part that each belongs to. `release` (time,) is what known releases add.
    """

    scale: Array
    fraction: Array
    modifiers: Array
    group: tuple[str, ...]
    release: Array
    mixes: bool

    def __len__(self) -> int:
        return len(self.scale)

    def where(self, rows: NDArray[np.bool_]) -> Design:
        """Return the design of some rows."""
        return replace(
            self,
            scale=self.scale[rows],
            fraction=self.fraction[rows],
            modifiers=self.modifiers[rows],
            release=self.release[rows],
        )


@dataclass(frozen=True)
class Response:
    """Fitted: what the first and the second water hold, and the change of the logarithm per column of the modifiers.

    The concentration is scale x (low (1 - fraction) + high fraction) x exp(modifiers . effect) + release: waters mix by
    addition, drivers act in proportion, and no counterfactual falls below zero.
    """

    low: float
    high: float
    effect: Array

    def waters(self, design: Design) -> Array:
        """Return what the mixture holds before anything acts on it (time,)."""
        return np.asarray(self.low + (self.high - self.low) * design.fraction)

    def acted(self, design: Design, group: str) -> Array:
        """Return the factor (time,) by which the columns of one part act."""
        columns = [k for k, name in enumerate(design.group) if name == group]
        return np.asarray(np.exp(design.modifiers[:, columns] @ self.effect[columns]))

    def expected(self, design: Design) -> Array:
        """Return the concentrations (time,) that the drivers make."""
        acted = np.exp(design.modifiers @ self.effect)
        return np.asarray(design.scale * self.waters(design) * acted + design.release)


def fitted(
    value: Array, design: Design, *, weights: Array, begin: Response | None = None, rounds: int = ROUNDS
) -> Response:
    """Return the response that fits readings `value` (time,), each counting `weights` (time,) times.

    Gauss-Newton with residuals beyond HUBER robust standard deviations held back, and effects drawn to 0 with PRIOR_SD; the two
    waters hold nothing negative. Without noise and modifiers the two waters are found exactly.

    >>> two = Design(np.ones(3), np.array([0.0, 0.5, 1.0]), np.empty((3, 0)), (), np.zeros(3), True)
    >>> found = fitted(np.array([2.0, 3.0, 4.0]), two, weights=np.ones(3))
    >>> round(found.low, 9), round(found.high, 9)
    (2.0, 4.0)
    """
    level = float(np.average((value - design.release) / design.scale, weights=weights))
    found = begin or Response(max(level, 0.0), max(level, 0.0), np.zeros(design.modifiers.shape[1]))
    for _ in range(rounds):
        after = _step(value, design, weights=weights, found=found)
        moved = (
            abs(after.low - found.low)
            + abs(after.high - found.high)
            + np.abs(after.effect - found.effect).sum()
        )
        found = after
        if moved < 1e-12 * (1.0 + abs(level)):
            break
    return found


def _step(value: Array, design: Design, *, weights: Array, found: Response) -> Response:
    acted = design.scale * np.exp(design.modifiers @ found.effect)
    waters = found.waters(design)
    columns = [acted * (1.0 - design.fraction), acted * design.fraction] if design.mixes else [acted]
    slopes = np.column_stack([*columns, (acted * waters)[:, None] * design.modifiers])
    residual = value - found.expected(design)
    counted = residual[weights > 0.0]
    spread = max(float(1.4826 * np.median(np.abs(counted))), 1e-9 * (1.0 + float(np.abs(value).max())))
    pull = weights / np.maximum(1.0, np.abs(residual) / (HUBER * spread))
    heads = len(columns)
    prior = np.concatenate([np.zeros(heads), np.full(len(found.effect), (spread / PRIOR_SD) ** 2)])
    now = np.concatenate([np.zeros(heads), found.effect])
    normal = (slopes * pull[:, None]).T @ slopes + np.diag(prior)
    change = np.linalg.lstsq(normal, slopes.T @ (pull * residual) - prior * now, rcond=None)[0]
    low = max(found.low + float(change[0]), 0.0)
    high = max(found.high + float(change[1]), 0.0) if design.mixes else low
    return Response(low, high, found.effect + np.clip(change[heads:], -1.0, 1.0))
