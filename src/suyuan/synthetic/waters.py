"""What invented waters hold: a library of outfall waters, backgrounds that feel rain, decay, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.fingerprints import Fingerprints
from suyuan.network import Network, OutfallKind
from suyuan.synthetic.forcing import STEP_S, hydrograph, wander

Array = NDArray[np.float64]

DETERMINANDS = ("NH3-N", "TP", "CODMn", "EC")
"""Traced together, in this order everywhere here: mg/L, mg/L, mg/L, uS/cm."""

LIBRARY: dict[OutfallKind, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "domestic": ((28.0, 3.2, 55.0, 470.0), (0.40, 0.40, 0.35, 0.40)),
    "industrial": ((11.0, 0.9, 115.0, 2600.0), (0.40, 0.40, 0.35, 0.40)),
    "storm": ((2.2, 0.42, 27.0, 65.0), (0.40, 0.40, 0.35, 0.40)),
    "agricultural": ((6.5, 1.9, 21.0, 95.0), (0.40, 0.40, 0.35, 0.40)),
    "aquaculture": ((3.2, 1.3, 19.0, 160.0), (0.40, 0.40, 0.35, 0.40)),
    "other": ((9.0, 1.4, 45.0, 350.0), (0.80, 0.80, 0.70, 0.80)),
}
"""Per kind: median of each determinand (EC: rise above river water), log-sd of outfalls about it."""

DECAY_PER_DAY = np.array([0.09, 0.03, 0.04, 0.0])
"""Best guesses [1/d]; the truth differs by a log-sd of 0.4."""

RIVER = (np.array([0.28, 0.12, 3.6, 520.0]), np.array([0.30, 0.20, 0.12, 0.10]))
SEWER = (np.array([1.20, 0.25, 8.0, 650.0]), np.array([0.50, 0.40, 0.30, 0.12]))
LAKE = (np.array([0.15, 0.07, 4.2, 420.0]), np.array([0.25, 0.20, 0.10, 0.08]))
"""Median and log-sd of what enters where nobody releases."""

MOVES = np.array([0.10, 0.08, 0.06, 0.015])
"""Log-sd of a background's course about its mean, and of the region's common course."""

RAIN_ADDS = np.array([0.30, 0.50, 0.30, -0.15])
"""Share by which the strongest rain changes a background."""


@dataclass(frozen=True)
class Noise:
    """What a reading adds to the truth (determinand,): relative and absolute sd, and the detection limit."""

    relative: Array
    absolute: Array
    limit: Array

    def sd(self, value: Array) -> Array:
        """Return the sd of readings of `value` (..., determinand)."""
        return np.asarray(np.hypot(self.relative * value, self.absolute))


def draw_noise(rng: np.random.Generator) -> Noise:
    """Return the noise of one county's instruments: 5-6 % of the value above a floor, 1 % for EC."""
    relative = np.array([*rng.uniform(0.05, 0.06, 3), 0.01])
    return Noise(relative, np.array([0.015, 0.004, 0.10, 4.0]), np.array([0.025, 0.01, 0.5, 1.0]))


def library() -> Fingerprints:
    """Return the fingerprint library that an invented county is given.

    >>> library().kinds[0], float(library().median[0, 0])
    ('domestic', 28.0)
    """
    median, log_sd = (np.array([LIBRARY[kind][i] for kind in LIBRARY]) for i in (0, 1))
    return Fingerprints(tuple(LIBRARY), DETERMINANDS, median, log_sd, source="invented library")


def draw_ratios(rng: np.random.Generator, kind: OutfallKind) -> Array:
    """Return one outfall's mass of each determinand per mass of NH3-N (determinand,), about its kind's."""
    median, log_sd = (np.array(part) for part in LIBRARY[kind])
    drawn = median * np.exp(log_sd * rng.normal(size=len(median)))
    return np.asarray(drawn / drawn[0])


def draw_decay(rng: np.random.Generator) -> Array:
    """Return the true decay (determinand,) [1/d]."""
    return np.asarray(DECAY_PER_DAY * np.exp(0.4 * rng.normal(size=len(DECAY_PER_DAY))))


def draw_backgrounds(network: Network, rng: np.random.Generator, *, rain: Array) -> Array:
    """Return what enters from outside (hour, node, determinand) where nobody releases; 0 at inner nodes.

    `rain` (step,) [mm/h] as in Forcing. Every boundary and the lake has its own mean and its own wandering
    course, on top of a common one; rain carries nutrients in and dilutes salts.
    """
    hours = round(len(rain) * STEP_S / 3600.0)
    wet = hydrograph(rain, peak_h=3.0).reshape(hours, -1).mean(axis=1)
    wet /= max(float(wet.max()), 2.0)
    heads = {r.from_node for r in network.reaches if r.kind == "storm_sewer"}
    common = MOVES * wander(rng, (hours, len(DETERMINANDS)), memory_s=86400.0, step_s=3600.0)
    outside = np.zeros((hours, len(network.nodes), len(DETERMINANDS)))
    for i, node in enumerate(network.nodes):
        if node.kind not in ("boundary", "outlet"):
            continue
        median, spread = LAKE if node.kind == "outlet" else SEWER if node.id in heads else RIVER
        mean = median * np.exp(spread * rng.normal(size=len(median)))
        own = MOVES * wander(rng, (hours, len(DETERMINANDS)), memory_s=1.5 * 86400.0, step_s=3600.0)
        outside[:, i] = mean * np.exp(common + own) * (1.0 + wet[:, None] * RAIN_ADDS)
    return outside
