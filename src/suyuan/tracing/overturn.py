"""Which single reading, had it been another, would have made the rival as probable as the leading suspicion.

Every explanation lets expect each reading from all others (Rasmussen and Williams, 2006, eq. 5.12), amplitudes and errors
integrated out. Another value there changes the weight of each explanation by how much better or worse it expected that, so a
suspicion with many histories follows the reading with whichever fits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from suyuan.tracing.accounts import SettledPlumes
from suyuan.tracing.background import Background
from suyuan.tracing.readings import Block
from suyuan.tracing.reasons import Side

Array = NDArray[np.float64]

FARTHEST, STEP = 3.0, 0.1
"""Values are tried so far from what is expected, in such steps, in standard deviations; beyond, the instrument is doubted."""


@dataclass(frozen=True)
class Quiet:
    """The readings without any plume, block by block.

    What they lie `above` the level, the `inverse` Cholesky factors, and the diagonal `own` of the precision.
    """

    blocks: tuple[Block, ...]
    above: tuple[Array, ...]
    inverse: tuple[Array, ...]
    own: tuple[Array, ...]

    @classmethod
    def of_backgrounds(cls, blocks: Sequence[Block], backgrounds: Sequence[Background]) -> Quiet:
        """Return the readings under these backgrounds."""
        pairs = list(zip(blocks, backgrounds, strict=True))
        factors = [np.linalg.cholesky(g.covariance) for _, g in pairs]
        inverse = tuple(solve_triangular(f, np.eye(len(f)), lower=True, check_finite=False) for f in factors)
        own = tuple(np.einsum("ij,ij->j", part, part) for part in inverse)
        return cls(tuple(blocks), tuple(b.value - g.level for b, g in pairs), inverse, own)


@dataclass(frozen=True)
class Forecast:
    """What explanations let expect of each reading from all others: `mean`, `sd` (explanation, reading).

    `log_share` (explanation,) are the logs of their shares in their suspicion. Evidence that one reading brings is divided by
    `within` when it moves these shares, and the suspicion's own by `between`.
    """

    mean: Array
    sd: Array
    log_share: Array
    within: float
    between: float

    def gain(self, value: Array, observed: Array) -> Array:
        """Return how much log evidence the suspicion gains, (trial, reading), if readings were `value` (trial, reading)."""

        def log_density(at: Array) -> Array:
            return np.asarray(-0.5 * ((at - self.mean[:, None]) / self.sd[:, None]) ** 2)

        change = (log_density(value) - log_density(observed)) / self.within
        return np.asarray(logsumexp(change + self.log_share[:, None, None], axis=0) / self.between)


@dataclass(frozen=True)
class Change:
    """Reading `row` had to be `value`, `surprise` standard deviations from `expected`; see Overturn for `side`."""

    row: int
    value: float
    side: Side
    expected: float
    surprise: float


def expected_of(quiet: Quiet, plumes: SettledPlumes | None = None) -> tuple[Array, Array]:
    """Return mean and standard deviation of each reading given all others, (reading,) each, block after block."""
    whole, white, pulled, weights = [], [], [], []
    for d, (block, above, inverse) in enumerate(zip(quiet.blocks, quiet.above, quiet.inverse, strict=True)):
        left, errors = above, np.zeros((len(above), 0))
        if plumes is not None:
            left = above - block.means.of(plumes.usual[d])
            errors = block.means.of(np.hstack([plumes.errors[d], plumes.strengths[d]]))
        whole.append(inverse @ errors)
        white.append(inverse @ left)
        pulled.append(inverse.T @ whole[-1])
        weights.append(inverse.T @ white[-1])
    w = np.concatenate(whole)
    lower = np.linalg.cholesky(np.eye(w.shape[1]) + w.T @ w)
    shared = solve_triangular(lower, np.concatenate(pulled).T, lower=True, check_finite=False)
    told = solve_triangular(lower, w.T @ np.concatenate(white), lower=True, check_finite=False)
    precision = np.concatenate(quiet.own) - (shared**2).sum(axis=0)
    weight = np.concatenate(weights) - shared.T @ told
    value = np.concatenate([block.value for block in quiet.blocks])
    return value - weight / precision, 1.0 / np.sqrt(precision)


def overturning(observed: Array, leader: Forecast, *, rival: Forecast, log_odds: float) -> Change | None:
    """Return the change of one reading that brings `log_odds` above 0 down to 0, the least surprising one; None if none does.

    `observed` (reading,). Values below 0 and further than FARTHEST standard deviations from what the leader expects are
    not thought of.
    """
    share = np.exp(leader.log_share)[:, None]
    middle = (share * leader.mean).sum(axis=0) / share.sum()
    spread = np.sqrt((share * (leader.sd**2 + (leader.mean - middle) ** 2)).sum(axis=0) / share.sum())
    far = np.arange(-FARTHEST, FARTHEST + 0.5 * STEP, STEP)[:, None]
    value = middle + far * spread
    odds = log_odds + leader.gain(value, observed) - rival.gain(value, observed)
    crossed = (odds <= 0.0) & (value >= 0.0)
    trial, row = np.nonzero(crossed)
    if not len(trial):
        return None
    best = int(np.argmin(np.abs(far[trial, 0])))
    k, i = int(trial[best]), int(row[best])
    inward = 1 if far[k, 0] < 0.0 else -1
    inner, outer = float(odds[k + inward, i]), float(odds[k, i])
    part = inner / (inner - outer) if inner > 0.0 else 1.0
    at = float(value[k + inward, i] + part * (value[k, i] - value[k + inward, i]))
    beyond = crossed[: k + 1, i] | (value[: k + 1, i] < 0.0) if inward > 0 else crossed[k:, i]
    side: Side = ("or less" if inward > 0 else "or more") if beyond.all() else "about"
    return Change(i, at, side, float(middle[i]), abs(at - float(middle[i])) / float(spread[i]))
