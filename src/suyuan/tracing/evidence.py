"""How well one source with one release history explains the readings, amplitudes integrated out.

With Gaussian errors a history's response g and the readings y enter only through alpha = g'C^-1 g and beta = g'C^-1 y, one
pair a determinand. The amplitude of determinand d is a_d = exp(w + f_d + e_d): w the unknown strength, f_d the library's
log concentration, e_d ~ N(0, s_d) the outfall's own departure from its kind.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel

Array = NDArray[np.float64]

AMPLITUDE_ERROR = 0.10
"""Relative error of a modelled amplitude that no fit removes (dilution, decay); it bounds what a fingerprint can claim."""

GRID_STEP = 0.25
GRID_HALF = 24
"""Logarithmic grid of strengths: steps and number to either side of the prior's centre."""

GROWTH = math.exp(GRID_STEP)
"""By what strengths grow from one step to the next."""

LEAST = 1e-60

HIDDEN = 1e-12
"""Information about an amplitude of 1 g/s that is none."""

AMPLITUDE_POINTS = 81
"""Points of the fine grid of one amplitude, over four of its spreads to either side."""

PAIR_ROUNDS = 3
"""How often, at most, each of two amplitudes is found again with the other's plume taken out."""

SETTLED_AT = 1e-3
"""Change of what the other's plume leaves, in standard deviations of an amplitude's score, from which on nothing changes."""

SHOWS_AT = 4.0
"""Signal to noise ratio, over all readings together, from which a release is said to show."""

SURELY_SHOWN = (9.0 * SHOWS_AT) ** 2
"""Its square from which the chance that it does not show is less than rounding."""


@kernel
def strength_prior(log_rate_sd: float) -> Array:  # pragma: no cover - compiled
    """Return the prior weight of each strength on the grid, (grid,), sum 1."""
    w = (np.arange(2 * GRID_HALF + 1) - GRID_HALF) * GRID_STEP
    weight = np.exp(-0.5 * (w / log_rate_sd) ** 2)
    total: float = weight.sum()
    out: Array = weight / total
    return out


@kernel
def departure(spread: float, out: Array) -> int:  # pragma: no cover - compiled
    """Fill the first entries of `out` with the weights, sum 1, of an outfall's departure from its kind on the grid.

    Return how many steps of the grid it reaches to either side.
    """
    reach = max(1, math.ceil(3.0 * spread / GRID_STEP))
    total = 0.0
    for i in range(2 * reach + 1):
        e = (i - reach) * GRID_STEP
        out[i] = math.exp(-0.5 * (e / spread) ** 2)
        total += out[i]
    for i in range(2 * reach + 1):
        out[i] /= total
    return reach


@kernel
def likelihood_table(
    alpha: float, beta: float, first: int, out: Array
) -> float:  # pragma: no cover - compiled
    """Fill `out` with the likelihood at log amplitudes (first + i) x GRID_STEP, scaled to 1; return the log of the scale.

    It is against no release, the error of the amplitude integrated out. Amplitudes grow by the same factor from one to the
    next, and a root is cheaper than a logarithm.
    """
    best, begin = beta / alpha, math.exp(first * GRID_STEP)
    a, top = begin, -1e300
    for i in range(len(out)):
        out[i] = -0.5 * (a - best) ** 2 / (1.0 / alpha + (AMPLITUDE_ERROR * a) ** 2)
        top = max(top, out[i])
        a *= GROWTH
    a, highest = begin, 0.0
    for i in range(len(out)):
        below = out[i] - top
        spread = math.sqrt(1.0 + alpha * (AMPLITUDE_ERROR * a) ** 2)
        out[i] = math.exp(below) / spread if below > -150.0 else 0.0  # denormal numbers are slow
        highest = max(highest, out[i])
        a *= GROWTH
    for i in range(len(out)):
        out[i] /= highest
    return 0.5 * beta * best + top + math.log(highest)


@kernel
def shown(alpha: Array, log_centre: Array) -> Array:  # pragma: no cover - compiled
    """Return how far a release of each strength would show in the readings, (grid,), 0 to 1.

    1 - exp(-z^2 / (2 SHOWS_AT^2)) with z its signal to noise ratio over all readings; what does not show counts as nobody.
    """
    signal = 0.0
    for d in range(len(alpha)):
        signal += alpha[d] * math.exp(2.0 * log_centre[d])
    signal *= math.exp(-2.0 * GRID_HALF * GRID_STEP)
    share = np.empty(2 * GRID_HALF + 1)
    for i in range(len(share)):
        hidden = math.exp(-0.5 * signal / SHOWS_AT**2) if signal < SURELY_SHOWN else 0.0
        share[i] = 1.0 - hidden + 1e-9
        signal *= GROWTH**2
    return share


@kernel
def narrow(
    strengths: Array, weights: Array, table: Array, reach: int
) -> float:  # pragma: no cover - compiled
    """Weigh `strengths` (grid,) by one substance and scale them to 1; return the log of the scale.

    `table` (grid + 2 x reach,) are likelihoods of its amplitudes, `weights` (2 x reach + 1,) those of departures.
    """
    best = 0.0
    for i in range(len(strengths)):
        inside = 0.0
        for j in range(2 * reach + 1):
            inside += weights[j] * table[i + j]
        strengths[i] *= max(inside, LEAST)
        best = max(best, strengths[i])
    for i in range(len(strengths)):
        strengths[i] /= best
    return math.log(best)


@kernel
def evidence_of_kind(
    alpha: Array, beta: Array, log_centre: Array, spread: Array, prior: Array, strengths: Array
) -> float:  # pragma: no cover - compiled
    """Return the log evidence of one history of one kind against no release, and fill `strengths` (grid,).

    `strengths` becomes the unscaled posterior weight of each strength w, `prior` (grid,) is its weight before. The others have
    shape (substance,): log amplitude at the middle of the grid, to which it is rounded, and its departure.
    """
    points = 2 * GRID_HALF + 1
    widest = max(1, math.ceil(3.0 * spread.max() / GRID_STEP))
    table, weights = np.empty(points + 2 * widest), np.empty(2 * widest + 1)
    strengths[:] = prior * shown(alpha, log_centre)
    found = 0.0
    for d in range(len(alpha)):
        if alpha[d] <= HIDDEN:
            continue
        reach = departure(spread[d], weights)
        own = table[: points + 2 * reach]
        low = round(log_centre[d] / GRID_STEP) - GRID_HALF - reach
        found += likelihood_table(alpha[d], beta[d], low, own) + narrow(strengths, weights, own, reach)
    return found + math.log(strengths.sum())


@kernel
def evidence_of_kinds(
    alpha: Array, beta: Array, log_centres: Array, spreads: Array, log_rate_sd: float, strengths: Array
) -> Array:  # pragma: no cover - compiled
    """Return the log evidence of one history against no release, (kind,), and fill `strengths` (kind, grid).

    `strengths`, `alpha` and `beta` are those of `evidence_of_kind`, `log_centres` and `spreads` (kind, substance).
    """
    found, prior = np.empty(len(log_centres)), strength_prior(log_rate_sd)
    for k in range(len(log_centres)):
        found[k] = evidence_of_kind(alpha, beta, log_centres[k], spreads[k], prior, strengths[k])
    return found


@kernel
def rough_evidences(
    alpha: Array, beta: Array, log_centres: Array, spreads: Array, log_rate_sd: float
) -> Array:  # pragma: no cover - compiled
    """Return rough log evidences (kind, shape), to choose the histories worth the integral over the grid.

    Laplace's approximation in log amplitudes for the substances that show (beta^2 / alpha > 4), which makes strength and
    departures jointly normal; the others count as if they fitted. `alpha`, `beta` (substance, shape).
    """
    substances = alpha.shape[0]
    found = np.zeros((len(log_centres), alpha.shape[1]))
    information, best = np.empty(substances), np.empty(substances)
    for s in range(alpha.shape[1]):
        fits = 0.0
        for d in range(substances):
            information[d] = 0.0
            if alpha[d, s] > 1e-12 and beta[d, s] > 0.0 and beta[d, s] ** 2 > 4.0 * alpha[d, s]:
                information[d] = beta[d, s] ** 2 / alpha[d, s]
                best[d] = math.log(beta[d, s] / alpha[d, s])
                fits += information[d] - math.log(information[d])
        for k in range(len(log_centres)):
            square, mean, precision, volume = 0.0, 0.0, 0.0, 1.0
            for d in range(substances):
                if information[d] == 0.0:
                    continue
                off = best[d] - log_centres[k, d]
                variance = spreads[k, d] ** 2 + 1.0 / information[d] + AMPLITUDE_ERROR**2
                square += off * off / variance
                mean += off / variance
                precision += 1.0 / variance
                volume *= variance  # one logarithm for all: they are most of the work
            square -= mean * mean / (1.0 / log_rate_sd**2 + precision)
            volume *= 1.0 + log_rate_sd**2 * precision
            found[k, s] = 0.5 * (fits - square - math.log(volume))
    return found


@kernel
def log_evidences(
    alpha: Array, beta: Array, log_centres: Array, spreads: Array, log_rate_sd: float
) -> Array:  # pragma: no cover - compiled
    """Return log evidences, (history,), each of its own kind: all arrays (history, substance)."""
    found = np.empty(len(alpha))
    prior, strengths = strength_prior(log_rate_sd), np.empty(2 * GRID_HALF + 1)
    for i in range(len(alpha)):
        found[i] = evidence_of_kind(alpha[i], beta[i], log_centres[i], spreads[i], prior, strengths)
    return found


@kernel
def amplitude_weights(
    alpha: float, beta: float, centre: float, spread: float, weight: Array
) -> None:  # pragma: no cover - compiled
    """Fill `weight` (point,) with the posterior (sum 1) of log amplitudes evenly from centre - 4 to centre + 4 spreads.

    As in `likelihood_table` a root takes the place of a logarithm. Of what is HIDDEN the readings say nothing.
    """
    points = len(weight)
    begin, growth = math.exp(centre - 4.0 * spread), math.exp(8.0 * spread / (points - 1))
    told, best = (alpha, beta / alpha) if alpha > HIDDEN else (0.0, 0.0)
    a, top = begin, -1e300
    for i in range(points):
        off = 8.0 * i / (points - 1) - 4.0
        weight[i] = -0.5 * (off * off + told * (a - best) ** 2 / (1.0 + told * (AMPLITUDE_ERROR * a) ** 2))
        top = max(top, weight[i])
        a *= growth
    a, total = begin, 0.0
    for i in range(points):
        below = weight[i] - top
        width = math.sqrt(1.0 + told * (AMPLITUDE_ERROR * a) ** 2)
        weight[i] = math.exp(below) / width if below > -150.0 else 0.0
        total += weight[i]
        a *= growth
    for i in range(points):
        weight[i] /= total


@kernel
def likely_amplitudes(
    alpha: Array, beta: Array, log_centre: Array, spread: Array, prior: Array
) -> Array:  # pragma: no cover - compiled
    """Return the expected amplitude of each substance, (substance,), for one history and kind, at the likeliest strength.

    All of `alpha`, `beta`, `log_centre` and `spread` have shape (substance,); `prior` (grid,) is that of strengths.
    """
    strengths, weight = np.empty(len(prior)), np.empty(AMPLITUDE_POINTS)
    evidence_of_kind(alpha, beta, log_centre, spread, prior, strengths)
    w = (np.argmax(strengths) - GRID_HALF) * GRID_STEP
    found = np.zeros(len(alpha))
    for d in range(len(alpha)):
        amplitude_weights(alpha[d], beta[d], log_centre[d] + w, spread[d], weight)
        a = math.exp(log_centre[d] + w - 4.0 * spread[d])
        growth = math.exp(8.0 * spread[d] / (AMPLITUDE_POINTS - 1))
        for i in range(AMPLITUDE_POINTS):
            found[d] += weight[i] * a
            a *= growth
    return found


@kernel
def pair_evidence(
    alpha: Array, beta: Array, cross: Array, log_centre: Array, spread: Array, prior: Array
) -> tuple[float, Array, Array]:  # pragma: no cover - compiled
    """Return log evidence against no release, beta and expected amplitudes of two plumes at once, (2, substance) each.

    `alpha`, `beta`, `log_centre` and `spread` have shape (2, substance), `cross` (substance,) is g_1'C^-1 g_2, `prior` (grid,)
    that of strengths. Mean field: each amplitude's posterior in turn with the other's expected plume taken out, whose `beta` is
    returned, until that no longer changes. The evidence is the bound that belongs to it; it falls below the true one where the
    plumes are alike, so that two are never claimed for what one explains. Where the rounds end before nothing changes it is no
    bound, and no more is believed than the best fit of all amplitudes explains.
    """
    left, amplitude = np.full_like(beta, np.inf), np.zeros_like(beta)
    strengths, found = np.empty(len(prior)), 0.0
    for turn in range(2 * PAIR_ROUNDS):
        i = turn % 2
        own = beta[i] - cross * amplitude[1 - i]
        if np.all(np.abs(own - left[i]) <= SETTLED_AT * np.sqrt(alpha[i])):
            break
        left[i] = own
        amplitude[i] = likely_amplitudes(alpha[i], left[i], log_centre[i], spread[i], prior)
    for i in range(2):
        left[i] = beta[i] - cross * amplitude[1 - i]
        found += evidence_of_kind(alpha[i], left[i], log_centre[i], spread[i], prior, strengths)
    found += (cross * amplitude[0] * amplitude[1]).sum()
    return min(found, best_fit(alpha, beta, cross)), left, amplitude


@kernel
def best_fit(alpha: Array, beta: Array, cross: Array) -> float:  # pragma: no cover - compiled
    """Return the log likelihood against no release of the amplitudes of two plumes that fit best, whatever they are.

    `alpha` and `beta` (2, substance), `cross` (substance,) as of `pair_evidence`.
    """
    found = 0.0
    for d in range(len(cross)):
        one, other = max(alpha[0, d], HIDDEN), max(alpha[1, d], HIDDEN)
        beside = cross[d] / one
        left = max(other - cross[d] * beside, 1e-9 * other)  # plumes that are alike
        found += 0.5 * (beta[0, d] ** 2 / one + (beta[1, d] - beside * beta[0, d]) ** 2 / left)
    return found


@kernel
def pair_evidences(
    pairs: NDArray[np.int64], products: Array, cross: Array, water: Array, log_rate_sd: float
) -> tuple[Array, Array, Array]:  # pragma: no cover - compiled
    """Return the `pair_evidence` of each of `pairs` (pair, 2): (pair,), (pair, 2, substance), (pair, 2, substance).

    `products` (2, plume, substance) holds alpha and beta, `water` (2, plume, substance) log centre and spread, `cross`
    (substance, plume, plume).
    """
    substances, prior = products.shape[2], strength_prior(log_rate_sd)
    found = np.empty(len(pairs))
    left = np.empty((len(pairs), 2, substances))
    amplitude = np.empty((len(pairs), 2, substances))
    for p in range(len(pairs)):
        both = pairs[p]
        found[p], left[p], amplitude[p] = pair_evidence(
            products[0][both],
            products[1][both],
            cross[:, both[0], both[1]].copy(),
            water[0][both],
            water[1][both],
            prior,
        )
    return found, left, amplitude


def amplitude_posterior(alpha: float, beta: float, *, centre: float, spread: float) -> tuple[Array, Array]:
    """Return log amplitudes and their posterior weights (sum 1) given the strength's `centre` and the `spread` about it."""
    weight = np.empty(AMPLITUDE_POINTS)
    amplitude_weights(alpha, beta, centre, spread, weight)
    return centre + spread * np.linspace(-4.0, 4.0, AMPLITUDE_POINTS), weight
