"""What an outfall that did nothing wrong lets out: a kit at its mouth may say yes of lawful water too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from suyuan.errors import InputError
from suyuan.fingerprints import Fingerprints
from suyuan.network import Network, Outfall

RUNS = {
    "domestic": 1.0,
    "industrial": 1.0,
    "other": 1.0,
    "agricultural": 0.2,
    "aquaculture": 0.2,
    "storm": 0.08,
}
"""Share of the time that a lawful outfall of this kind runs; storm outfalls in dry weather (assumed, no source)."""


@dataclass(frozen=True)
class Lawful:
    """Water let out lawfully: log-normal with this `median` [unit of the kit] and `log_sd`, for a `share` of the time.

    A NaN median means that the library does not know it: above or below the limit is then equally likely.
    """

    median: float
    log_sd: float
    share: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise InputError("lawful water", f"runs for a share {self.share:g} of the time", "give 0 to 1")

    def chance_above(self, limit: float) -> float:
        """Return the chance that the outfall runs and its water lies above `limit`.

        >>> Lawful(2.0, 0.6, 0.08).chance_above(2.0)
        0.04
        """
        if not np.isfinite(self.median):
            return 0.5 * self.share
        return self.share * float(ndtr(np.log(self.median / limit) / self.log_sd))


def lawful_waters(network: Network, fingerprints: Fingerprints, *, determinand: str) -> dict[str, Lawful]:
    """Return what each outfall lawfully lets out of a determinand, by its own row of the library or that of its kind."""
    return {o.id: _lawful(o, fingerprints, determinand=determinand) for o in network.outfalls}


def _lawful(outfall: Outfall, fingerprints: Fingerprints, *, determinand: str) -> Lawful:
    share = RUNS.get(outfall.kind, 1.0)
    named = next((name for name in (outfall.id, outfall.kind) if name in fingerprints.kinds), "")
    if not named or determinand not in fingerprints.determinands:
        return Lawful(float("nan"), float("nan"), share)
    at = fingerprints.kinds.index(named), fingerprints.determinands.index(determinand)
    median, log_sd = float(fingerprints.median[at]), float(fingerprints.log_sd[at])
    if not (median > 0.0 and log_sd > 0.0):
        return Lawful(float("nan"), float("nan"), share)
    return Lawful(median, log_sd, share)
