"""The density of the readings under one or two plumes with errors of their own, compiled.

What a modelled plume gets wrong (its share, its arrival at each station) is the same water for every substance, so it is one
unknown error e ~ N(0, E) in the space of the receptors: y_d = background_d + a_d (g_d + k_d e) + noise_d, and e is integrated
out. Arrival is not linear in lateness, so g_d is taken where the plume seems to arrive and linearised there (iterated
Laplace); amplitudes are integrated out in their logs (Laplace; Tierney and Kadane, 1986).
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from suyuan.tracing.evidence import SHOWS_AT
from suyuan.tracing.plume import LASTING_BINS, MODEL_ERROR

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SUPPORT = 0.05
"""Receptors at which a plume can be no higher than this share of its highest are not thought to err."""

AMPLITUDE_STEPS = 12
"""Newton steps, at most, to the likeliest amplitudes."""

COMMON = 0.5
"""Share of the variance of lateness that stations below the same release have in common."""

TAIL, TAIL_BINS = 0.15, 6.0
"""At the feet of a plume its error is that of this share of the highest within so many release bins."""

WANDERING, WANDERING_S = 0.35, 24.0 * 3600.0
"""Share of the variance of lateness that changes in the course of days, as discharge errs differently in rain and drought."""

MOST_LATE = 2.5
"""No plume is moved by more than this many standard deviations of its lateness."""


@nb.njit(cache=True, nogil=True)
def released(total: Array, history: Index, late: Array) -> Array:  # pragma: no cover - compiled
    """Return what a history releases, (row, receptor), from totals over bins (row, receptor, bin + 1).

    The release counts as `late` (receptor,) [bins] later than it was, except that what goes on to the last bin does so.
    """
    bins = total.shape[2] - 1
    start, length, period, repeats = history
    out = np.zeros(total.shape[:2])
    for r in range(total.shape[1]):
        for k in range(repeats):
            first = start + k * period
            last = first + length
            low = min(max(first + late[r], 0.0), float(bins))
            high = float(bins) if last >= bins else min(max(last + late[r], 0.0), float(bins))
            i, j = min(int(low), bins - 1), min(int(high), bins - 1)
            for d in range(len(total)):
                line = total[d, r]
                begin = line[i] + (low - i) * (line[i + 1] - line[i])
                out[d, r] += line[j] + (high - j) * (line[j + 1] - line[j]) - begin
    return out


@nb.njit(cache=True, nogil=True)
def error_memory(station: Index, time: Array, bin_s: float) -> Array:  # pragma: no cover - compiled
    """Return how errors of a plume at two receptors go together, (2, receptor, receptor): of its share, and of its lateness.

    The share errs by MODEL_ERROR, correlated over LASTING_BINS within a station. Lateness is common to stations to the share
    COMMON of its variance, and wanders in the course of days.
    """
    size = len(station)
    memory = np.zeros((2, size, size))
    for a in range(size):
        for b in range(size):
            lag = abs(time[a] - time[b])
            together = 1.0 if station[a] == station[b] else COMMON
            memory[1, a, b] = together * (1.0 - WANDERING + WANDERING * np.exp(-lag / WANDERING_S))
            if station[a] == station[b]:
                memory[0, a, b] = MODEL_ERROR**2 * np.exp(-lag / (LASTING_BINS * bin_s))
    return memory


@nb.njit(cache=True, nogil=True)
def hull_of(plume: Array, station: Index, time: Array, reach: float) -> Array:  # pragma: no cover - compiled
    """Return the highest that a plume (receptor,) stands at its station within `reach` [s], (receptor,)."""
    hull = np.zeros(len(plume))
    for a in range(len(plume)):
        for b in range(len(plume)):
            if station[a] == station[b] and abs(time[a] - time[b]) <= reach:
                hull[a] = max(hull[a], abs(plume[b]))
    return hull


@nb.njit(cache=True, nogil=True)
def error_covariance(
    plume: Array, bend: Array, hull: Array, rows: Index, doubt: Array, station: Index, memory: Array
) -> Array:  # pragma: no cover - compiled
    """Return the covariance (row, row) of what a plume (receptor,) gets wrong, at `rows`; `memory` as of error_memory.

    `bend` (2, receptor) is its slope [per s of lateness] and its change with the variance of its travel time [per s2], `hull`
    as of hull_of; `doubt` (3, station) are the standard deviations of lateness [s], of that variance [s2] and of the share
    that arrives at all.
    """
    size = len(rows)
    covariance = np.zeros((size, size))
    late, spread, errs = np.empty(size), np.empty(size), np.empty(size)
    for i in range(size):
        a = rows[i]
        late[i] = doubt[0, station[a]] * bend[0, a]
        spread[i] = doubt[1, station[a]] * bend[1, a]
        errs[i] = plume[a] + TAIL * hull[a]
    for i in range(size):
        a = rows[i]
        for j in range(i + 1):
            b = rows[j]
            total = spread[i] * spread[j] + memory[1, a, b] * late[i] * late[j]
            if station[a] == station[b]:
                total += memory[0, a, b] * errs[i] * errs[j] + doubt[2, station[a]] ** 2 * plume[a] * plume[b]
            covariance[i, j] = total
            covariance[j, i] = total
    return covariance


@nb.njit(cache=True, nogil=True)
def erring_rows(
    response: Array, bend: Array, hull: Array, doubt: Array, station: Index
) -> tuple[Index, Index]:  # pragma: no cover - compiled
    """Return the receptors at which plumes (plume, receptor) err, and the plume of each."""
    rows = np.empty(response.size, np.int64)
    owner = np.empty(response.size, np.int64)
    count = 0
    for p in range(len(response)):
        highest = np.abs(response[p]).max()
        for r in range(response.shape[1]):
            reach = abs(response[p, r]) + TAIL * hull[p, r] + doubt[p, 0, station[r]] * abs(bend[p, 0, r])
            if highest > 0.0 and reach > SUPPORT * highest:
                rows[count], owner[count] = r, p
                count += 1
    return rows[:count], owner[:count]


@nb.njit(cache=True, nogil=True)
def error_root(
    response: Array,
    bend: Array,
    hull: Array,
    doubt: Array,
    rows: Index,
    owner: Index,
    station: Index,
    memory: Array,
) -> Array:  # pragma: no cover - compiled
    """Return the lower Cholesky factor (row, row) of what plumes (plume, receptor) get wrong, of independent errors each."""
    root = np.zeros((len(rows), len(rows)))
    for p in range(len(response)):
        own = np.flatnonzero(owner == p)
        if len(own) == 0:
            continue
        highest = np.abs(response[p]).max()  # plumes may be as small as 1e-150
        covariance = error_covariance(
            response[p] / highest, bend[p] / highest, hull[p] / highest, rows[own], doubt[p], station, memory
        )
        for i in range(len(own)):
            covariance[i, i] = covariance[i, i] * (1.0 + 1e-6) + 1e-12
        root[own[0] : own[-1] + 1, own[0] : own[-1] + 1] = highest * np.linalg.cholesky(covariance)
    return root


@nb.njit(cache=True, nogil=True)
def moved(
    response: Array, bend: Array, late: Array, station: Index
) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Return the mean response a priori (plume, substance, receptor) when linearised at `late`, and the ratio (plume, substance)
    of each substance's response to the first's."""
    mean = response.copy()
    ratio = np.zeros(response.shape[:2])
    for p in range(len(response)):
        square = max(response[p, 0] @ response[p, 0], 1e-300)
        for d in range(response.shape[1]):
            ratio[p, d] = (response[p, d] @ response[p, 0]) / square
            for r in range(response.shape[2]):
                mean[p, d, r] -= ratio[p, d] * bend[p, 0, r] * late[p, station[r]]
    return mean, ratio


@nb.njit(cache=True, nogil=True)
def likely_logs(
    information: Array, score: Array, centre: Array, precision: Array, begin: Array
) -> tuple[Array, float]:  # pragma: no cover - compiled
    """Return the likeliest log amplitudes x (amplitude,) and the log of likelihood times prior there.

    The log likelihood is score'a - a'information a / 2 with a = exp(x), the prior normal about `centre` with this
    `precision`. Levenberg-Marquardt from `begin`.
    """
    x = begin.copy()
    damping = 1e-3
    a, off = np.exp(x), x - centre
    value = score @ a - 0.5 * (a @ information @ a) - 0.5 * (off @ precision @ off)
    for _ in range(AMPLITUDE_STEPS):
        slope = a * (score - information @ a) - precision @ off
        curve = precision + information * np.outer(a, a)
        for i in range(len(x)):
            curve[i, i] += damping * curve[i, i]
        step = np.linalg.solve(curve, slope)
        step = np.minimum(np.maximum(step, -1.0), 1.0)
        tried = x + step
        b, away = np.exp(tried), tried - centre
        better = score @ b - 0.5 * (b @ information @ b) - 0.5 * (away @ precision @ away)
        if better >= value:
            gained = better - value
            x, a, off, value, damping = tried, b, away, better, 0.3 * damping
            if gained < 1e-4:
                break
        else:
            damping = 10.0 * damping + 1e-3
    return x, value


@nb.njit(cache=True, nogil=True)
def weigh_plumes(
    precision: Array,
    score: Array,
    response: Array,
    bend: Array,
    hull: Array,
    late: Array,
    doubt: Array,
    log_amplitude: Array,
    centre: Array,
    prior_precision: Array,
    station: Index,
    memory: Array,
) -> tuple[float, Array, Array, Array]:  # pragma: no cover - compiled
    """Return log evidence against no plume, likeliest log amplitudes, their information and the mean lateness.

    `response` (plume, substance, receptor), `bend` (plume, 2, receptor), `hull` (plume, receptor), `late` (plume, station), `doubt` (plume, 3, station). Amplitudes are
    flat, (plume x substance,): `log_amplitude` those of which the errors are a share; `centre` and `prior_precision` are
    of their logs. The information (amplitude, amplitude) is that of the amplitudes themselves.
    """
    plumes, substances = response.shape[:2]
    rows, owner = erring_rows(response[:, 0], bend, hull, doubt, station)
    root = error_root(response[:, 0], bend, hull, doubt, rows, owner, station, memory)
    mean, ratio = moved(response, bend, late, station)
    size, amplitudes = len(rows), plumes * substances
    shared = np.zeros((size, size))
    pulled = np.zeros(size)
    pulls = np.zeros((size, amplitudes))
    information = np.zeros((amplitudes, amplitudes))
    against = np.zeros(amplitudes)
    scale = np.zeros(size)
    for d in range(substances):
        for i in range(size):
            scale[i] = np.exp(log_amplitude[owner[i] * substances + d]) * ratio[owner[i], d]
            pulled[i] += scale[i] * score[d, rows[i]]
        for p in range(plumes):
            k = p * substances + d
            pull = precision[d] @ mean[p, d]
            against[k] = score[d] @ mean[p, d]
            for q in range(plumes):
                information[q * substances + d, k] = mean[q, d] @ pull
            for i in range(size):
                pulls[i, k] = scale[i] * pull[rows[i]]
        for i in range(size):
            for j in range(size):
                shared[i, j] += scale[i] * scale[j] * precision[d, rows[i], rows[j]]
    inner = root.T @ shared @ root
    for i in range(size):
        inner[i, i] += 1.0
    lower = np.linalg.cholesky(inner)
    both = np.empty((size, amplitudes + 1))
    both[:, :amplitudes] = root.T @ pulls
    both[:, amplitudes] = root.T @ pulled
    forward_solve(lower, both)
    quiet = both[:, amplitudes].copy()
    waved = both[:, :amplitudes].copy()
    information -= waved.T @ waved
    against -= waved.T @ quiet
    x, value = likely_logs(information, against, centre, prior_precision, log_amplitude)
    a = np.exp(x)
    gain = value + 0.5 * (quiet @ quiet) - np.log(np.diag(lower)).sum()
    curve = prior_precision + information * np.outer(a, a)
    gain += 0.5 * (np.linalg.slogdet(prior_precision)[1] - np.linalg.slogdet(curve)[1])
    left = pulled - pulls @ a
    left -= shared @ (root @ backward_solve(lower, quiet - waved @ a))
    pull_of = np.zeros(late.shape)
    for i in range(size):
        p, s = owner[i], station[rows[i]]
        pull_of[p, s] += doubt[p, 0, s] * bend[p, 0, rows[i]] * left[i]
    found = np.zeros(late.shape)
    for p in range(plumes):
        found[p] = (1.0 - WANDERING) * doubt[p, 0] * ((1.0 - COMMON) * pull_of[p] + COMMON * pull_of[p].sum())
    return gain, x, information, found


@nb.njit(cache=True, nogil=True)
def forward_solve(lower: Array, right: Array) -> None:  # pragma: no cover - compiled
    """Replace `right` (row, column) by the solution of lower x = right."""
    for i in range(len(lower)):
        for j in range(i):
            right[i] -= lower[i, j] * right[j]
        right[i] /= lower[i, i]


@nb.njit(cache=True, nogil=True)
def backward_solve(lower: Array, right: Array) -> Array:  # pragma: no cover - compiled
    """Return the solution x of lower' x = right, (row,)."""
    x = right.copy()
    for i in range(len(lower) - 1, -1, -1):
        for j in range(i + 1, len(lower)):
            x[i] -= lower[j, i] * x[j]
        x[i] /= lower[i, i]
    return x


@nb.njit(cache=True, nogil=True)
def settle(
    total: Array,
    history: Index,
    doubt: Array,
    precision: Array,
    score: Array,
    begin: Array,
    centre: Array,
    prior_precision: Array,
    station: Index,
    time: Array,
    memory: Array,
    bin_s: float,
    rounds: int,
) -> tuple[float, Array, Array, Array]:  # pragma: no cover - compiled
    """Return log evidence of plumes that have settled, likeliest log amplitudes, their information and the lateness [s].

    `total` (plume, substance, receptor, bin + 1) as in Responses, `history` (plume, 4), `doubt` as in `weigh_plumes`, `begin` (amplitude,) first guesses of
    the log amplitudes. See `weigh_plumes`.
    """
    plumes, substances, receptors = total.shape[:3]
    response = np.empty((plumes, substances, receptors))
    bend, hull = np.empty((plumes, 2, receptors)), np.empty((plumes, receptors))
    late = np.zeros(doubt[:, 0].shape)
    later = late.copy()
    x, gain, information = begin.copy(), 0.0, np.zeros((len(begin), len(begin)))
    for _ in range(rounds):
        late = later.copy()
        for p in range(plumes):
            by = late[p][station] / bin_s
            response[p] = released(total[p], history[p], by)
            after = released(total[p, :1], history[p], by + 1.0)
            before = released(total[p, :1], history[p], by - 1.0)
            bend[p, 0] = (after[0] - before[0]) / (2.0 * bin_s)
            bend[p, 1] = 0.5 * (after[0] - 2.0 * response[p, 0] + before[0]) / bin_s**2
            hull[p] = hull_of(response[p, 0], station, time, TAIL_BINS * bin_s)
        gain, x, information, later = weigh_plumes(
            precision,
            score,
            response,
            bend,
            hull,
            late,
            doubt,
            x,
            centre,
            prior_precision,
            station,
            memory,
        )
        later = np.minimum(np.maximum(later, -MOST_LATE * doubt[:, 0]), MOST_LATE * doubt[:, 0])
    a = np.exp(x)
    shown = (a @ information @ a) if plumes == 1 else least_signal(a, information, plumes)
    gain += np.log(1.0 - np.exp(-0.5 * min(shown, 1e6) / SHOWS_AT**2) + 1e-9)
    return gain, x, information, late


@nb.njit(cache=True, nogil=True)
def least_signal(a: Array, information: Array, plumes: int) -> float:  # pragma: no cover - compiled
    """Return the squared signal to noise ratio of the plume that shows least, each alone."""
    each = len(a) // plumes
    least = np.inf
    for p in range(plumes):
        own = a[p * each : (p + 1) * each].copy()
        part = information[p * each : (p + 1) * each, p * each : (p + 1) * each].copy()
        least = min(least, own @ part @ own)
    return least
