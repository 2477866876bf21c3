"""How far each gauge had to be adjusted, in standard deviations of its own errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.hydraulics.fit import Fit
from suyuan.hydraulics.gauges import Gauge
from suyuan.hydraulics.statements import read

Array = NDArray[np.float64]

LARGE = 2.0
"""Root mean square of standardised residuals, or factor and datum in their own errors, from which a gauge is named."""


@dataclass(frozen=True)
class Residual:
    """What the fit made of a gauge: the root mean square of its residuals over `sd`, `share` the estimated factor's excess over
    one and `offset` [m] its datum, both with how many of their own standard deviations that is; `values` standardised."""

    gauge: Gauge
    rms: float
    share: float
    share_sds: float
    offset: float
    offset_sds: float
    values: Array

    @property
    def is_large(self) -> bool:
        """Whether the gauge disagrees with the others beyond what its errors allow."""
        return max(self.rms, abs(self.share_sds), abs(self.offset_sds)) > LARGE


def residuals_of(fit: Fit) -> tuple[Residual, ...]:
    """Return the residual of every gauge of water, in their order."""
    doubts, found = fit.problem.doubts, []
    for g, gauge in enumerate(fit.problem.gauges.readings):
        rows = read(fit.problem, g, guess=fit.guess, more=fit.more)
        left = rows.residual(fit.unknown, fit.still)
        if gauge.kind == "stage":
            left = np.r_[left[0, 1], left[:, 0]]
        left = np.where(np.isfinite(gauge.value), left.ravel(), np.nan)
        share, offset = (
            fit.still[at[g]] if at[g] >= 0 else 0.0 for at in (doubts.share_of, doubts.offset_of)
        )
        rms = float(np.sqrt(np.nanmean(left**2)))
        share_sds, offset_sds = share / max(gauge.share, 1e-12), offset / max(gauge.offset, 1e-6)
        found.append(
            Residual(gauge, rms, float(share), float(share_sds), float(offset), float(offset_sds), left)
        )
    return tuple(found)
