"""How a determinand moves from day to day: season, a slow and a fast part, and noise; followed through gaps.

The level of day t is z = season(t) + slow(t) + fast(t) + noise, slow and fast first-order autoregressions (a local form of
Harvey 1989, section 4.5). A Kalman filter gives the state after each day and the errors of every horizon; a day whose
innovation exceeds CLIP standard deviations moves the state by no more than that (Huber's rule; Cipra and Romera 1991).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.compiled import kernel

Array = NDArray[np.float64]

YEAR_DAYS = 365.2425
CLIP = 5.0
FEWEST = 2
FIXED = 3
"""Parts of the state that stay: the mean level, and cosine and sine of the year."""

PRIOR = np.array([np.log(0.6), 1.4, np.log(0.5), 3.5, np.log(0.3), np.log(0.6)])
PRIOR_SD = np.array([0.5, 0.7, 0.5, 0.5, 0.7, 0.5])
"""Before any reading: sd of the fast part, its persistence (logit), the same of the slow part, sd of noise, amplitude of the
season; standard deviations as shares of the record's robust one."""

MOST_FAST, MOST_SLOW = 0.995, 0.998
"""Upper ends of the persistence from day to day."""


@dataclass(frozen=True)
class Motion:
    """The numbers of the motion of one determinand at one station.

    `fast_sd`, `slow_sd`, `noise_sd` and `season_sd` are in the unit of the level; `fast` and `slow` what is left of each
    part after a day; `mean` and `mean_sd` what was believed of the mean level before the first reading.
    """

    fast_sd: float
    fast: float
    slow_sd: float
    slow: float
    noise_sd: float
    season_sd: float
    mean: float
    mean_sd: float

    def as_array(self) -> Array:
        """Return the numbers in the order of the kernel."""
        return np.array(
            [
                *(self.fast_sd, self.fast, self.slow_sd, self.slow),
                *(self.noise_sd, self.season_sd, self.mean, self.mean_sd),
            ]
        )


@dataclass(frozen=True)
class Followed:
    """The state after each day: `state` (day, 5) its mean, `covariance` (day, 5, 5), `moved` (day,) by how much the day's
    reading surprised (0 without one), `loss` minus the log-likelihood.

    The parts are mean level, cosine, sine, fast, slow.
    """

    motion: Motion
    state: Array
    covariance: Array
    moved: Array
    loss: float


def season(days: NDArray[np.datetime64]) -> Array:
    """Return (day, 3): 1, cosine and sine of the year, from 1 January 2000."""
    angle = 2.0 * np.pi * ((days - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")) / YEAR_DAYS
    return np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)


@kernel
def below_limit(b):  # type: ignore[no-untyped-def]
    """Return log P(u <= b), mean and variance of a standard normal u below b (Johnson et al. 1994, 13.10.1)."""
    b = max(b, -8.0)
    chance = 0.5 * math.erfc(-b / math.sqrt(2.0))
    mean = -math.exp(-0.5 * b * b) / math.sqrt(2.0 * math.pi) / chance
    return math.log(chance), mean, 1.0 + b * mean - mean * mean


@kernel
def _pass_day(x, p, numbers):  # type: ignore[no-untyped-def]
    """Move state and covariance on by a day."""
    n = len(x)
    for j, sd, left in ((n - 2, numbers[0], numbers[1]), (n - 1, numbers[2], numbers[3])):
        x[j] *= left
        for k in range(n):
            p[j, k] *= left
            p[k, j] *= left
        p[j, j] += sd**2 * (1.0 - left**2)


@kernel
def _take(x, p, h, ph, numbers):  # type: ignore[no-untyped-def]
    """Fill `ph` with the covariance of state and reading; return mean and variance of the reading."""
    expected, variance = 0.0, numbers[4] ** 2
    for j in range(len(x)):
        ph[j] = 0.0
        for k in range(len(x)):
            ph[j] += p[j, k] * h[k]
        expected += h[j] * x[j]
        variance += h[j] * ph[j]
    return expected, variance


@kernel
def _weigh(u, sd, clip, is_floor):  # type: ignore[no-untyped-def]
    """Return how far a standardised surprise counts, how certain it is, and what it costs (Huber's loss beyond the clip)."""
    if is_floor:
        chance, mean, spread = below_limit(u)
        return mean, 1.0 - spread, -chance
    kept = min(max(u, -clip), clip)
    return kept, 1.0, math.log(sd) + kept * u - 0.5 * kept * kept


@kernel
def _follow(z, columns, numbers, state, covariance, moved):  # type: ignore[no-untyped-def]
    """Fill state, covariance and moved; return minus the log-likelihood.

    `numbers` are those of the motion, the clip and the floor: a day at it says that the level is no higher, and moves the
    state as far as that is expected to be.
    """
    days, fixed = columns.shape
    n = fixed + 2
    x, p, h, ph = np.zeros(n), np.zeros((n, n)), np.ones(n), np.zeros(n)
    x[0] = numbers[6]
    p[0, 0] = numbers[7] ** 2
    for j in range(1, fixed):
        p[j, j] = numbers[5] ** 2
    p[n - 2, n - 2], p[n - 1, n - 1] = numbers[0] ** 2, numbers[2] ** 2
    loss = 0.0
    for t in range(days):
        if t > 0:
            _pass_day(x, p, numbers)
        moved[t] = 0.0
        if not np.isnan(z[t]):
            h[:fixed] = columns[t]
            expected, variance = _take(x, p, h, ph, numbers)
            sd = math.sqrt(variance)
            kept, certain, cost = _weigh((z[t] - expected) / sd, sd, numbers[8], z[t] <= numbers[9])
            loss += cost
            moved[t] = kept * sd
            for j in range(n):
                x[j] += ph[j] * kept / sd
                for k in range(n):
                    p[j, k] -= ph[j] * ph[k] / variance * certain
        state[t] = x
        covariance[t] = p
    return loss


def follow(level: Array, days: NDArray[np.datetime64], *, motion: Motion, floor: float = -np.inf) -> Followed:
    """Return the state after each day of a level (day,), NaN where there is no reading; a level at `floor` is known to be no
    higher, and no more.
    """
    n = FIXED + 2
    state, covariance, moved = (
        np.empty((len(level), n)),
        np.empty((len(level), n, n)),
        np.empty(len(level)),
    )
    numbers = np.concatenate([motion.as_array(), _settings(floor)])
    loss = _follow(level, season(days), numbers, state, covariance, moved)
    return Followed(motion, state, covariance, moved, float(loss))


def motion_of(
    level: Array, days: NDArray[np.datetime64], *, near: Motion | None = None, floor: float = -np.inf
) -> Motion:
    """Return the motion that a record (day,) shows: most probable given the readings and PRIOR.

    With few readings it is that of PRIOR about their median. `near` is a motion to start the search from.
    """
    from scipy.optimize import minimize

    has = np.flatnonzero(np.isfinite(level))
    known = level[has]
    if len(known) < FEWEST:
        return _motion(PRIOR, float(known.mean()) if len(known) else 0.0, sd=1.0)
    low, high = np.quantile(known, [0.1, 0.9])
    sd = max(float(high - low) / 2.563, 0.3 * float(known.std()), 1e-3)
    middle = float(np.median(known))
    level, days = level[has[0] :], days[has[0] :]
    columns, n = season(days), FIXED + 2
    settings = _settings(floor)
    room = np.empty((len(level), n)), np.empty((len(level), n, n)), np.empty(len(level))

    def loss(given: Array) -> float:
        numbers = np.concatenate([_motion(given, middle, sd=sd).as_array(), settings])
        prior = 0.5 * float((((given - PRIOR) / PRIOR_SD) ** 2).sum())
        return float(_follow(level, columns, numbers, *room)) + prior

    start = PRIOR if near is None else _given(near)
    best = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 40, "ftol": 1e-5})
    return _motion(best.x, middle, sd=sd)


def _settings(floor: float) -> Array:
    """Return what the kernel takes: the clip, and the floor with room for rounding."""
    return np.array([CLIP, floor + 1e-9])


def _given(motion: Motion) -> Array:
    """Return the numbers that are searched, the inverse of `_motion`."""
    sds = (motion.fast_sd, motion.slow_sd, motion.noise_sd, motion.season_sd)
    fast_sd, slow_sd, noise_sd, season_sd = (float(np.log(one / motion.mean_sd)) for one in sds)
    fast = -np.log(MOST_FAST / motion.fast - 1.0)
    slow = -np.log(MOST_SLOW / motion.slow - 1.0)
    return np.array([fast_sd, fast, slow_sd, slow, noise_sd, season_sd])


def _motion(given: Array, mean: float, *, sd: float) -> Motion:
    fast_sd, slow_sd, noise_sd, season_sd = (float(np.exp(given[k])) * sd for k in (0, 2, 4, 5))
    fast, slow = MOST_FAST / (1.0 + np.exp(-given[1])), MOST_SLOW / (1.0 + np.exp(-given[3]))
    return Motion(fast_sd, float(fast), slow_sd, float(slow), noise_sd, season_sd, mean, sd)


def ahead(
    followed: Followed, days: NDArray[np.datetime64], *, horizons: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Return mean and standard deviation (day, horizon) of the level so many days after each day."""
    motion, count = followed.motion, len(days)
    mean, sd = np.empty((count, len(horizons))), np.empty((count, len(horizons)))
    for k, h in enumerate(horizons):
        design = _design(days, int(h), motion=motion)
        mean[:, k] = np.einsum("tj,tj->t", design, followed.state)
        known = np.einsum("tj,tjk,tk->t", design, followed.covariance, design)
        sd[:, k] = np.sqrt(known + _grown(motion, int(h), second=int(h)) + motion.noise_sd**2)
    return mean, sd


def path_covariance(
    followed: Followed, day: np.datetime64, *, row: int, horizons: NDArray[np.int64]
) -> Array:
    """Return the covariance (horizon, horizon) of the errors of one forecast made on `day`, which is row `row`."""
    motion = followed.motion
    designs = np.stack([_design(np.array([day]), int(h), motion=motion)[0] for h in horizons])
    shared = designs @ followed.covariance[row] @ designs.T
    first, second = np.meshgrid(horizons, horizons, indexing="ij")
    noise = np.eye(len(horizons)) * motion.noise_sd**2
    return np.asarray(shared + _grown(motion, first, second=second) + noise)


def _design(days: NDArray[np.datetime64], h: int, *, motion: Motion) -> Array:
    """Return what the state on each day weighs `h` days later (day, 5)."""
    tail = np.tile([motion.fast**h, motion.slow**h], (len(days), 1))
    return np.hstack([season(days + h), tail])


def _grown(motion: Motion, first: NDArray[np.int64] | int, *, second: NDArray[np.int64] | int) -> Array:
    """Return the covariance, at two horizons, of what the fast and slow parts have gained since."""
    found: Array = np.zeros(np.shape(first))
    for sd, left in ((motion.fast_sd, motion.fast), (motion.slow_sd, motion.slow)):
        apart = np.abs(np.asarray(first) - np.asarray(second))
        found = found + sd**2 * left**apart * (1.0 - left ** (2 * np.minimum(first, second)))
    return found
