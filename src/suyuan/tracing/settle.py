"""The density of the readings under one or two plumes with errors of their own, compiled.

What a modelled plume gets wrong (its share, its arrival at each station) is the same water for every substance, so it is one
unknown error e ~ N(0, E) in the space of the receptors: y_d = background_d + a_d (g_d + k_d e) + noise_d, and e is integrated
out. Arrival is not linear in lateness, so g_d is taken where the plume seems to arrive and linearised there (iterated
Laplace); amplitudes are integrated out in their logs (Laplace; Tierney and Kadane, 1986).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel
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

MOST_LATE = 2.5
"""No plume is moved by more than this many standard deviations of its lateness."""


class Readings(NamedTuple):
    """The readings without any plume, in the space of the receptors.

    `precision` (substance, receptor, receptor) is that of the background with noise, `score` (substance, receptor) the
    precision times what the readings lie above the level; `station` (receptor,) counts stations; `shares` as of
    share_covariance; `bin_s` is the length of a release bin [s].
    """

    precision: Array
    score: Array
    station: Index
    shares: Array
    bin_s: float


class Releases(NamedTuple):
    """One or two releases: `total` (plume, substance, receptor, bin + 1) as in Responses, `history` (plume, 4).

    `doubt` (plume, 3, station) are the standard deviations of lateness [s], of the variance of travel time [s2] and of the
    share that arrives at all.
    """

    total: Array
    history: Index
    doubt: Array


class Amplitudes(NamedTuple):
    """Log amplitudes, flat (plume x substance,): first guesses, and the prior's centre and precision (amplitude, amplitude)."""

    begin: Array
    centre: Array
    precision: Array


class Plumes(NamedTuple):
    """Plumes at the receptors where their water comes `late` (plume, station) [s].

    `response` (plume, substance, receptor) [s/m3]; `bend` (plume, 2, receptor) is the change of the first substance's
    response per s of lateness, and per s2 of variance of the travel time; `doubt` as of Releases.
    """

    response: Array
    bend: Array
    late: Array
    doubt: Array


class Errors(NamedTuple):
    """Where plumes err and how: `rows` and `owner` (row,) are receptor and plume, `root` (row, row) the lower Cholesky factor."""

    rows: Index
    owner: Index
    root: Array


class Weighed(NamedTuple):
    """What plumes explain: log evidence `gain` against none, likeliest log amplitudes and the information (amplitude, amplitude)
    about the amplitudes themselves; `late` (plume, station) [s] is the mean lateness."""

    gain: float
    log_amplitude: Array
    information: Array
    late: Array


@kernel
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


@kernel
def share_covariance(station: Index, time: Array, bin_s: float) -> Array:  # pragma: no cover - compiled
    """Return the covariance (receptor, receptor) of the share of a plume that errs: MODEL_ERROR, for LASTING_BINS, by station."""
    size = len(station)
    covariance = np.zeros((size, size))
    for a in range(size):
        for b in range(size):
            if station[a] == station[b]:
                covariance[a, b] = MODEL_ERROR**2 * np.exp(-abs(time[a] - time[b]) / (LASTING_BINS * bin_s))
    return covariance


@kernel
def error_covariance(
    plumes: Plumes, p: int, rows: Index, readings: Readings
) -> Array:  # pragma: no cover - compiled
    """Return the covariance (row, row) of what plume `p` gets wrong at `rows`, of the first substance.

    Its lateness, common to stations to the share COMMON of its variance; the variance of its travel time, common to all; and
    its share, by station.
    """
    size, station = len(rows), readings.station
    plume, bend, doubt = plumes.response[p, 0], plumes.bend[p], plumes.doubt[p]
    covariance = np.zeros((size, size))
    late, spread = np.empty(size), np.empty(size)
    for i in range(size):
        late[i] = doubt[0, station[rows[i]]] * bend[0, rows[i]]
        spread[i] = doubt[1, station[rows[i]]] * bend[1, rows[i]]
    for i in range(size):
        a = rows[i]
        for j in range(i + 1):
            b = rows[j]
            total = spread[i] * spread[j]
            if station[a] == station[b]:
                share = readings.shares[a, b] + doubt[2, station[a]] ** 2
                total += late[i] * late[j] + share * plume[a] * plume[b]
            else:
                total += COMMON * late[i] * late[j]
            covariance[i, j] = total
            covariance[j, i] = total
    return covariance


@kernel
def errors_of(plumes: Plumes, readings: Readings) -> Errors:  # pragma: no cover - compiled
    """Return where plumes err and how, independently of each other."""
    count = 0
    rows = np.empty(plumes.response[:, 0].size, np.int64)
    owner = np.empty(len(rows), np.int64)
    for p in range(len(plumes.response)):
        highest = np.abs(plumes.response[p, 0]).max()
        for r in range(plumes.response.shape[2]):
            late = plumes.doubt[p, 0, readings.station[r]] * abs(plumes.bend[p, 0, r])
            if highest > 0.0 and abs(plumes.response[p, 0, r]) + late > SUPPORT * highest:
                rows[count], owner[count] = r, p
                count += 1
    rows, owner = rows[:count], owner[:count]
    root = np.zeros((count, count))
    for p in range(len(plumes.response)):
        own = np.flatnonzero(owner == p)
        if len(own) == 0:
            continue
        highest = np.abs(plumes.response[p, 0]).max()  # plumes may be as small as 1e-150
        covariance = error_covariance(plumes, p, rows[own], readings) / highest / highest
        for i in range(len(own)):
            covariance[i, i] = covariance[i, i] * (1.0 + 1e-6) + 1e-12
        root[own[0] : own[-1] + 1, own[0] : own[-1] + 1] = highest * np.linalg.cholesky(covariance)
    return Errors(rows, owner, root)


@kernel
def moved(plumes: Plumes, station: Index) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Return the mean response a priori (plume, substance, receptor), linearised where the plumes are.

    And the ratio (plume, substance) of each substance's response to the first's.
    """
    mean = plumes.response.copy()
    ratio = np.zeros(mean.shape[:2])
    for p in range(len(mean)):
        first = plumes.response[p, 0]
        square = max(first @ first, 1e-300)
        for d in range(mean.shape[1]):
            ratio[p, d] = (plumes.response[p, d] @ first) / square
            for r in range(mean.shape[2]):
                mean[p, d, r] -= ratio[p, d] * plumes.bend[p, 0, r] * plumes.late[p, station[r]]
    return mean, ratio


@kernel
def likely_logs(
    information: Array, score: Array, amplitudes: Amplitudes
) -> tuple[Array, float]:  # pragma: no cover - compiled
    """Return the likeliest log amplitudes x (amplitude,) and the log of likelihood times prior there.

    The log likelihood is score'a - a'information a / 2 with a = exp(x), the prior that of `amplitudes`.
    Levenberg-Marquardt from the first guesses.
    """
    begin, centre, precision = amplitudes
    x = begin.copy()
    damping = 1e-3
    a, off = np.exp(x), x - centre
    value: float = np.dot(score, a) - 0.5 * np.dot(a, information @ a) - 0.5 * np.dot(off, precision @ off)
    for _ in range(AMPLITUDE_STEPS):
        slope = a * (score - information @ a) - precision @ off
        curve = precision + information * np.outer(a, a)
        for i in range(len(x)):
            curve[i, i] += damping * curve[i, i]
        step = np.linalg.solve(curve, slope)
        step = np.minimum(np.maximum(step, -1.0), 1.0)
        tried = x + step
        b, away = np.exp(tried), tried - centre
        better: float = (
            np.dot(score, b) - 0.5 * np.dot(b, information @ b) - 0.5 * np.dot(away, precision @ away)
        )
        if better >= value:
            gained = better - value
            x, a, off, value, damping = tried, b, away, better, 0.3 * damping
            if gained < 1e-4:
                break
        else:
            damping = 10.0 * damping + 1e-3
    return x, value


@kernel
def products(
    mean: Array, scale: Array, errors: Errors, readings: Readings
) -> tuple[Array, Array, Array, Array]:  # pragma: no cover - compiled
    """Return information and score of the amplitudes without errors, and of the errors: `shared` (row, row) and `pulls`.

    `scale` (substance, row) is by how much an error lifts each substance. The last column of `pulls` (row, amplitude + 1) is
    the pull of the readings on the errors, the others are what a plume of unit amplitude takes off it.
    """
    plumes, substances = mean.shape[:2]
    size, amplitudes = len(errors.rows), plumes * substances
    information, score = np.zeros((amplitudes, amplitudes)), np.zeros(amplitudes)
    shared, pulls = np.zeros((size, size)), np.zeros((size, amplitudes + 1))
    for d in range(substances):
        precision = readings.precision[d]
        for p in range(plumes):
            pull = precision @ mean[p, d]
            score[p * substances + d] = readings.score[d] @ mean[p, d]
            for q in range(plumes):
                information[q * substances + d, p * substances + d] = mean[q, d] @ pull
            for i in range(size):
                pulls[i, p * substances + d] = scale[d, i] * pull[errors.rows[i]]
        for i in range(size):
            pulls[i, amplitudes] += scale[d, i] * readings.score[d, errors.rows[i]]
            for j in range(size):
                shared[i, j] += scale[d, i] * scale[d, j] * precision[errors.rows[i], errors.rows[j]]
    return information, score, shared, pulls


@kernel
def weigh_plumes(
    plumes: Plumes, amplitudes: Amplitudes, readings: Readings
) -> Weighed:  # pragma: no cover - compiled
    """Return what the plumes explain; their errors are a share of plumes of the first guesses of amplitudes."""
    errors = errors_of(plumes, readings)
    mean, ratio = moved(plumes, readings.station)
    substances, size = mean.shape[1], len(errors.rows)
    scale = np.zeros((substances, size))
    for d in range(substances):
        for i in range(size):
            p = errors.owner[i]
            scale[d, i] = np.exp(amplitudes.begin[p * substances + d]) * ratio[p, d]
    information, score, shared, pulls = products(mean, scale, errors, readings)
    inner = errors.root.T @ shared @ errors.root
    for i in range(size):
        inner[i, i] += 1.0
    lower = np.linalg.cholesky(inner)
    white = errors.root.T @ pulls
    forward_solve(lower, white)
    quiet, waved = white[:, -1].copy(), white[:, :-1].copy()
    information -= waved.T @ waved
    x, value = likely_logs(information, score - waved.T @ quiet, amplitudes)
    a = np.exp(x)
    curve = amplitudes.precision + information * np.outer(a, a)
    volume = np.linalg.slogdet(amplitudes.precision)[1] - np.linalg.slogdet(curve)[1]
    gain = value + 0.5 * (quiet @ quiet) - np.log(np.diag(lower)).sum() + 0.5 * volume
    back: Array = backward_solve(lower, quiet - waved @ a)
    left: Array = pulls[:, -1] - pulls[:, :-1].copy() @ a - shared @ (errors.root @ back)
    return Weighed(gain, x, information, lateness(plumes, errors, left, readings.station))


@kernel
def lateness(
    plumes: Plumes, errors: Errors, left: Array, station: Index
) -> Array:  # pragma: no cover - compiled
    """Return the mean lateness (plume, station) [s] where the errors (row,) are pulled by `left`."""
    pull = np.zeros(plumes.late.shape)
    for i in range(len(left)):
        p, r = errors.owner[i], errors.rows[i]
        pull[p, station[r]] += plumes.doubt[p, 0, station[r]] * plumes.bend[p, 0, r] * left[i]
    late = np.zeros(plumes.late.shape)
    for p in range(len(late)):
        late[p] = plumes.doubt[p, 0] * ((1.0 - COMMON) * pull[p] + COMMON * pull[p].sum())
    return late


@kernel
def forward_solve(lower: NDArray[np.floating], right: Array) -> None:  # pragma: no cover - compiled
    """Replace `right` (row, column) by the solution of lower x = right."""
    columns = right.shape[1]  # row by row numba would make an array of every product
    for i in range(len(lower)):
        for j in range(i):
            for k in range(columns):
                right[i, k] -= lower[i, j] * right[j, k]
        for k in range(columns):
            right[i, k] /= lower[i, i]


@kernel
def backward_solve(lower: NDArray[np.floating], right: Array) -> Array:  # pragma: no cover - compiled
    """Return the solution x of lower' x = right, (row,)."""
    x = right.copy()
    for i in range(len(lower) - 1, -1, -1):
        for j in range(i + 1, len(lower)):
            x[i] -= lower[j, i] * x[j]
        x[i] /= lower[i, i]
    return x


@kernel
def plumes_at(
    releases: Releases, late: Array, station: Index, bin_s: float
) -> Plumes:  # pragma: no cover - compiled
    """Return the plumes of releases whose water comes `late` (plume, station) [s]."""
    shape = releases.total.shape
    response, bend = np.empty(shape[:3]), np.empty((shape[0], 2, shape[2]))
    for p in range(shape[0]):
        by, first = late[p][station] / bin_s, releases.total[p, :1]
        response[p] = released(releases.total[p], releases.history[p], by)
        after = released(first, releases.history[p], by + 1.0)[0]
        before = released(first, releases.history[p], by - 1.0)[0]
        bend[p, 0] = (after - before) / (2.0 * bin_s)
        bend[p, 1] = 0.5 * (after - 2.0 * response[p, 0] + before) / bin_s**2
    return Plumes(response, bend, late, releases.doubt)


@kernel
def settle(
    releases: Releases, amplitudes: Amplitudes, readings: Readings, rounds: int
) -> Weighed:  # pragma: no cover - compiled
    """Return what releases explain where their water comes as late as fits best, found in so many `rounds`.

    Of two releases both must show.
    """
    most = MOST_LATE * releases.doubt[:, 0]
    late, x = np.zeros(most.shape), amplitudes.begin
    for turn in range(rounds):
        plumes = plumes_at(releases, late, readings.station, readings.bin_s)
        found = weigh_plumes(plumes, Amplitudes(x, amplitudes.centre, amplitudes.precision), readings)
        x = found.log_amplitude
        if turn + 1 < rounds:
            late = np.minimum(np.maximum(found.late, -most), most)
    return Weighed(found.gain + log_shown(x, found.information, len(most)), x, found.information, late)


@kernel
def log_shown(x: Array, information: Array, plumes: int) -> float:  # pragma: no cover - compiled
    """Return the log chance that plumes of log amplitudes x would have shown, that of the one that shows least, each alone."""
    a = np.exp(x)
    each = len(a) // plumes
    least = np.inf
    for p in range(plumes):
        own = a[p * each : (p + 1) * each].copy()
        part = information[p * each : (p + 1) * each, p * each : (p + 1) * each].copy()
        signal: float = np.dot(own, part @ own)
        least = min(least, signal)
    chance: float = np.log(1.0 - np.exp(-0.5 * min(least, 1e6) / SHOWS_AT**2) + 1e-9)
    return chance
