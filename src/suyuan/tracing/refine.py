"""The evidence of single explanations and pairs anew, each with the model error of its own plumes, shared by all substances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from suyuan.tracing.evidence import AMPLITUDE_ERROR
from suyuan.tracing.plume import Claim
from suyuan.tracing.responses import Responses
from suyuan.tracing.search import Explanations, Problem
from suyuan.tracing.settle import Amplitudes, Readings, Releases, Weighed, settle, share_covariance
from suyuan.transport.matrix import Receptors

Array = NDArray[np.float64]
Index = NDArray[np.int64]

TRAVEL_ERROR = 0.08
"""Error of a travel time that remains beside the flow members, which are few, as a share of it."""

TIMING_ERROR_BINS = 0.5
"""Error of an arrival however short the way, in release bins."""

SPREAD_ERROR = 0.35
"""Error of the variance of travel times (dispersion), as a share of it."""

DILUTION_ERROR = 0.06
"""Error of the share of a plume that passes a station, however far."""

FAR_LOGS = 5.0
"""What the readings say of a log amplitude alone is not looked for further than this from where it is likeliest."""

BESIDE_ERROR, MIXED_S = 0.7, 2.0 * 3600.0
"""The same right beside an outfall, and the time in which it is forgotten as water mixes over the width."""


@dataclass(frozen=True)
class Ground:
    """The readings without any plume, and the log density that they have if there is none."""

    readings: Readings
    log_density: float


def ground_of(claimed: Claim, receptors: Receptors, *, bin_s: float) -> Ground:
    """Return the ground on which explanations found under `claimed` are weighed anew."""
    size = len(receptors)
    precision = np.zeros((len(claimed.blocks), size, size))
    score = np.zeros((len(claimed.blocks), size))
    log_density = claimed.log_prior
    for d, (block, background) in enumerate(zip(claimed.blocks, claimed.backgrounds, strict=True)):
        factor = cho_factor(background.covariance, lower=True, check_finite=False)
        above = block.value - background.level
        weight = cho_solve(factor, above, check_finite=False)
        inverse = cho_solve(factor, np.eye(len(above)), check_finite=False)
        precision[d] = block.means.owed(block.means.owed(inverse).T)
        score[d] = block.means.owed(weight)
        log_density += -0.5 * above @ weight - np.log(np.diag(factor[0])).sum()
    time = (receptors.time - receptors.time.min()) / np.timedelta64(1, "s") - 0.5 * receptors.duration_s
    station = np.unique(receptors.station, return_inverse=True)[1].astype(np.int64)
    readings = Readings(precision, score, station, share_covariance(station, time, bin_s), bin_s)
    return Ground(readings, float(log_density))


@dataclass(frozen=True)
class Settled:
    """What one or two plumes explain, where they arrive as late as fits them best and with their likeliest amplitudes.

    `log_gain` is the log evidence against no release; strengths, fingerprints and model errors are integrated out. `alpha`,
    `beta` (plume, substance) are what a normal likelihood of each amplitude alone would be.
    """

    log_gain: float
    alpha: Array
    beta: Array


def settled(
    problem: Problem, ground: Ground, *, seen: Responses, found: Explanations, rounds: int
) -> Settled:
    """Return what these one or two explanations (rows of `found`) explain together."""
    releases, amplitudes = posed(problem, ground, seen=seen, found=found)
    weighed = settle(releases, amplitudes, ground.readings, rounds)
    alpha, beta = _alone(
        weighed, centre=amplitudes.centre, prior=np.asarray(np.linalg.inv(amplitudes.precision), dtype=float)
    )
    shape = releases.total.shape[:2]
    return Settled(float(weighed.gain), alpha.reshape(shape), beta.reshape(shape))


def posed(
    problem: Problem, ground: Ground, *, seen: Responses, found: Explanations
) -> tuple[Releases, Amplitudes]:
    """Return the releases of one or two explanations (rows of `found`), and what is known of their amplitudes, to settle."""
    library, strength = problem.grid.library, problem.grid.strength
    centre = library.centre[found.kind] + strength.log_rate
    prior = amplitude_covariance(library.spread[found.kind], strength.log_sd)
    releases = list(zip(found.source.tolist(), found.shape.tolist(), strict=True))
    doubt = [doubt_of(*seen.travel_s(*release), bin_s=ground.readings.bin_s) for release in releases]
    begin = first_guesses(found, centre, reach=2.0 * np.sqrt(np.diag(prior)).reshape(centre.shape))
    return (
        Releases(seen.totals(found.source), seen.history[found.shape], np.stack(doubt)),
        Amplitudes(begin.ravel(), centre.ravel(), np.asarray(np.linalg.inv(prior), dtype=float)),
    )


def doubt_of(travel_s: Array, variance_s2: Array, *, bin_s: float) -> Array:
    """Return standard deviations of what is not known of a plume at each station, (3, station).

    Of its lateness [s], of the variance of its travel time [s2], and of the share of it that passes the station: beside an
    outfall a plume may be on the other bank (Fischer, 1979: mixing over the width takes hours).
    """
    late = np.hypot(TIMING_ERROR_BINS * bin_s, TRAVEL_ERROR * travel_s)
    share = np.hypot(DILUTION_ERROR, BESIDE_ERROR * np.exp(-travel_s / MIXED_S))
    return np.stack([late, SPREAD_ERROR * variance_s2, share])


def first_guesses(found: Explanations, usual: Array, *, reach: Array) -> Array:
    """Return log amplitudes to begin with, those that fit best alone, no further than `reach` from what is usual.

    All are natural logarithms, (explanation, substance). Where the readings say nothing of an amplitude, or call it negative,
    it is the usual one.
    """
    alpha, beta = found.alpha.T, found.beta.T
    tells = (alpha > 0.0) & (beta > 0.0)
    best = np.log(np.where(tells, beta, 1.0) / np.where(tells, alpha, 1.0))
    return np.clip(np.where(tells, best, usual), usual - reach, usual + reach)


def amplitude_covariance(spread: Array, log_sd: float) -> Array:
    """Return the prior covariance of log amplitudes, (plume x substance, same); `spread` (plume, substance).

    The strength is shared by the substances of a plume; each has its own departure, and its own error that no fit removes.
    """
    plumes, substances = spread.shape
    covariance = np.zeros((plumes, substances, plumes, substances))
    for p, each in enumerate(spread):
        covariance[p, :, p] = log_sd**2 + np.diag(each**2 + AMPLITUDE_ERROR**2)
    return covariance.reshape(spread.size, spread.size)


def _alone(weighed: Weighed, *, centre: Array, prior: Array) -> tuple[Array, Array]:
    """Return alpha and beta of each amplitude, others integrated out; 0 where the readings say nothing of it."""
    x = weighed.log_amplitude
    a = np.exp(x)
    posterior = np.diag(np.linalg.inv(np.linalg.inv(prior) + weighed.information * np.outer(a, a)))
    width = np.diag(prior)
    told = 1.0 / posterior - 1.0 / width
    says = told * width > 1e-2
    log_best = np.where(says, (x / posterior - centre / width) / np.where(says, told, 1.0), x)
    log_best = np.clip(log_best, x - FAR_LOGS, x + FAR_LOGS)
    alpha = np.where(says, told * np.exp(-2.0 * log_best), 0.0)
    return alpha, alpha * np.exp(log_best)
