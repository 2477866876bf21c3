"""The fingerprint noun: what the water of each kind of outfall usually holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fingerprints:
    """Median concentration and spread per kind of outfall (or outfall id) and determinand.

    `median` and `log_sd` have shape (kind, determinand), in the determinand's own unit (EC: rise above river water);
    NaN where the library says nothing. Only ratios between determinands are used: a release is mass without water.
    """

    kinds: tuple[str, ...]
    determinands: tuple[str, ...]
    median: NDArray[np.float64]
    log_sd: NDArray[np.float64]
    source: str = "fingerprints"
