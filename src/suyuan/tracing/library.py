"""What a source's water holds and how strong it may be, before any reading is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.fingerprints import Fingerprints
from suyuan.tracing.readings import Block

Array = NDArray[np.float64]

UNKNOWN_SPREAD = 2.0
"""Log standard deviation of a concentration ratio that the library does not give."""

LEAST_SPREAD = 0.2
"""No outfall keeps closer than this (log) to the median of its kind, whatever the library says."""


@dataclass(frozen=True)
class Library:
    """Log concentrations of each kind against the first substance: `centre`, `spread` (kind, substance)."""

    kinds: tuple[str, ...]
    centre: Array
    spread: Array


@dataclass(frozen=True)
class Strength:
    """Prior of a release's rate of the first substance: median exp(`log_rate`) [g/s] and log standard deviation."""

    log_rate: float
    log_sd: float = 1.4


def library_of(fingerprints: Fingerprints, blocks: Sequence[Block]) -> Library:
    """Return the library for these substances; what it does not know is centred on the river's own ratio, widely."""
    kinds = fingerprints.kinds or ("other",)
    centre = np.empty((len(kinds), len(blocks)))
    spread = np.full((len(kinds), len(blocks)), UNKNOWN_SPREAD)
    for d, block in enumerate(blocks):
        name = block.substance.determinand.id
        for k in range(len(kinds)):
            median = np.nan
            if name in fingerprints.determinands:
                column = fingerprints.determinands.index(name)
                median, log_sd = fingerprints.median[k, column], fingerprints.log_sd[k, column]
            if np.isfinite(median) and median > 0.0:
                centre[k, d], spread[k, d] = np.log(median), log_sd
            else:
                centre[k, d] = np.log(block.level)
    spread[:, 0] = np.minimum(spread[:, 0], 0.5)
    return Library(kinds, centre - centre[:, :1], np.maximum(spread, LEAST_SPREAD))
