"""Two waters that mix: a straight line through what mixing keeps, the share of each water, and what follows the line.

Where a canal holds now more of the one water and now more of another, everything that mixing keeps lies on a straight line
between the two waters (Christophersen and Hooper, 1992, Water Resources Research 28, two end members). Conductivity gives the
line's measure; nutrients bear witness. What does not lie on the line comes from elsewhere, or from the analyser.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import nnls

from suyuan.explain.notes import Note
from suyuan.explain.table import StationTable
from suyuan.qc.settings import setting
from suyuan.substances import determinands

Array = NDArray[np.float64]

CONSERVATIVE = ("EC", "chloride", "TDS", "sulfate", "bromide", "Na", "K", "B", "Li")
"""Determinands that nothing but mixing changes on the way through a town; the first there is gives the measure."""

FEWEST = 12
"""Readings taken together below which no line is looked for."""

LEAST_SHARE = 0.5
"""Share of its variance that a determinand must owe to the line to be called a follower."""

STRANGER = 0.2
"""Share of its variance up to which a determinand has nothing to do with the line."""

LEAST_P = 0.01
"""Significance that a follower must reach, in its readings and again in their changes."""

WITNESSES = 2
"""Followers that carry mass (nutrients, oxygen demand ...) below which the line is not called mixing."""

CALM = 3.0, 0.03
"""The measure must move, from its 10th to its 90th percentile, by so many of what the instrument can tell, and this share."""

ERROR_SHARE = 0.02
"""Error of a conservative tracer as a share of its level, beside what the instrument can tell."""

PURE = 0.0, 0.05, 0.3, 0.6, 0.9
"""Chances that a reading is of the first water alone, and of the second alone, that are tried: mixtures, a gate that switches
between two waters, and a water that comes seldom."""

ERRORS = 0.2, 0.5, 1.0, 2.0
"""Errors of readings along the line, as shares of what is taken for the tracers' (`_error`), that are tried."""

STEP = 0.25
"""Distance of the places tried for a water near the last reading, in errors of the tracers."""

GATHERED = 400
"""Places at most at which readings are counted."""

INWARD, FARTHEST = 5.0, 10.0
"""How far a water is sought inward of the last reading [errors] and outward of it [spans of the readings]."""

DRAWS = 400


@dataclass(frozen=True)
class Follower:
    """How one determinand goes with the share of the second water.

    `low` and `high` are what the first and the second water hold, with standard errors; `share` is the part of its variance
    that the line explains; `p` the larger of the probabilities that its readings, and the changes from reading to reading,
    go with the measure by chance. `follows` says that it does.
    """

    determinand: str
    low: float
    high: float
    low_sd: float
    high_sd: float
    share: float
    p: float
    readings: int
    follows: bool


@dataclass(frozen=True)
class Mixing:
    """Whether two waters mix at a station, which, and how much of the second each row holds.

    `low` and `high` (tracer,) are the tracers in the two waters, the first tracer higher in the second; `low_band` and
    `high_band` (tracer, 2) their 90 % intervals. `fraction` (time,) is the share of the second water, between 0 and 1 but for
    errors of readings of pure water, NaN without the tracers; `fraction_sd` holds what is not known of the ends.
    `note` says why no mixing was found, where none was.
    """

    tracers: tuple[str, ...]
    low: Array
    high: Array
    low_band: Array
    high_band: Array
    fraction: Array
    fraction_sd: Array
    followers: tuple[Follower, ...] = ()
    is_found: bool = False
    note: Note = field(default_factory=lambda: Note(""))

    @property
    def witnesses(self) -> tuple[Follower, ...]:
        """The followers that carry mass."""
        return tuple(f for f in self.followers if f.follows and carries(f.determinand))

    @property
    def residual(self) -> tuple[str, ...]:
        """Determinands that carry mass and do not go with the mixture at all: what moves them comes from elsewhere."""
        apart = (f for f in self.followers if not f.follows and f.share < STRANGER)
        return tuple(f.determinand for f in apart if carries(f.determinand)) if self.is_found else ()

    def follower(self, determinand: str) -> Follower | None:
        """Return how a determinand goes with the mixture, None where it has too few readings."""
        return next((f for f in self.followers if f.determinand == determinand), None)


def carries(determinand: str) -> bool:
    """Return whether a determinand keeps its mass when waters mix and is no measure of the mixture itself."""
    return determinands()[determinand].is_traceable and determinand not in CONSERVATIVE


def fractions(value: Array, low: Array, *, high: Array, sd: Array) -> Array:
    """Return the share of the second water (time,) in mixtures `value` (time, tracer) of two known waters (tracer,).

    Least squares, each tracer weighed by its error `sd` (tracer,).

    >>> fractions(np.array([[600.0, 40.0]]), np.array([500.0, 20.0]), high=np.array([900.0, 100.0]), sd=np.ones(2)).tolist()
    [0.25]
    """
    span = (high - low) / sd
    return np.asarray(((value - low) / sd) @ span / (span @ span))


def straight_line(value: Array, sd: Array) -> tuple[Array, Array]:
    """Return the middle and the direction (tracer,) of the straight line closest to `value` (time, tracer).

    Total least squares: every tracer errs by its `sd` (tracer,), and distances count in these (Golub and Van Loan, 1980).
    The direction has length 1 in units of `sd` and points to where the first tracer is high.

    >>> middle, direction = straight_line(np.array([[1.0, 10.0], [2.0, 12.0], [3.0, 14.0]]), np.array([1.0, 2.0]))
    >>> middle.tolist(), (direction / direction[0]).round(9).tolist()
    ([2.0, 12.0], [1.0, 2.0])
    """
    middle = value.mean(axis=0)
    direction = np.linalg.svd((value - middle) / sd, full_matrices=False)[2][0]
    return middle, np.asarray(direction * sd * (1.0 if direction[0] >= 0.0 else -1.0))


def linked(x: Array, y: Array) -> tuple[float, float]:
    """Return the correlation of two series and the probability of one as large by chance.

    Readings that resemble the one before count for less: n (1 - r r') / (1 + r r') with the lag-one correlations r and r'
    (Bartlett, 1935, in the form of Bretherton et al., 1999).

    >>> linked(np.arange(4.0), np.array([1.0, 3.0, 5.0, 7.0]))[0]
    1.0
    """
    if len(x) < 4 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return 0.0, 1.0
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -1.0, 1.0))
    alike = max(0.0, lag_one(x) * lag_one(y))
    free = len(x) * (1.0 - alike) / (1.0 + alike) - 2.0
    if free < 2.0:
        return r, 1.0
    return r, float(2.0 * stats.t.sf(abs(r) * np.sqrt(free / max(1.0 - r * r, 1e-15)), free))


def lag_one(x: Array) -> float:
    """Return the correlation of a series with itself one reading later."""
    moved = x - x.mean()
    return float((moved[1:] * moved[:-1]).sum() / max(float((moved**2).sum()), 1e-300))


def mixing_of(
    table: StationTable, *, rng: np.random.Generator, rows: NDArray[np.bool_] | None = None
) -> Mixing:
    """Return whether two waters mix at a station in these rows (time,), all if None.

    Two waters are found where the measure moves, and at least WITNESSES determinands that carry mass go with it: the line
    explains LEAST_SHARE of each, and both readings and their changes are linked at LEAST_P. Changes are asked because two
    series that both drift are linked without any mixing. The assumption that hurts most: the two waters themselves
    stay as they are in these rows.
    """
    rows = np.ones(len(table), bool) if rows is None else rows
    tracers = _tracers(table, rows)
    if not tracers:
        return _none(table, Note("no_tracer", (str(FEWEST),)))
    value = np.stack([table.good(name) for name in tracers], axis=1)
    used = rows & np.isfinite(value).all(axis=1)
    if used.sum() < FEWEST:
        return _none(table, Note("few_tracer", (tracers[0], str(int(used.sum())), str(FEWEST))))
    low, high = np.quantile(value[used, 0], (0.1, 0.9))
    if high - low < max(CALM[0] * setting(tracers[0]).tells, CALM[1] * abs(float(np.median(value[used, 0])))):
        return _none(table, Note("calm_tracer", (tracers[0], f"{low:.4g}", f"{high:.4g}")))
    sd = np.array([_error(name, value[used, k]) for k, name in enumerate(tracers)])
    middle, direction = straight_line(value[used], sd)
    position = _position(value, middle, direction=direction, sd=sd)
    return _settled(table, position, used=used, tracers=tracers, line=(middle, direction), rng=rng)


def _tracers(table: StationTable, rows: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the conservative tracers to use: the first there is, and those read at most of its times."""
    there = {
        name: rows & np.isfinite(table.good(name)) for name in CONSERVATIVE if name in table.determinands
    }
    there = {name: mask for name, mask in there.items() if mask.sum() >= FEWEST}
    if not there:
        return ()
    first = next(iter(there))
    others = [
        name
        for name in there
        if name != first and (there[name] & there[first]).sum() >= 0.7 * there[first].sum()
    ]
    return (first, *others)


def _error(name: str, value: Array) -> float:
    return float(np.hypot(setting(name).tells, ERROR_SHARE * np.median(np.abs(value)))) or 1e-12


def _position(value: Array, middle: Array, *, direction: Array, sd: Array) -> Array:
    """Return where each row lies along the line (time,), in units of the tracers' error."""
    return np.asarray(((value - middle) / sd) @ (direction / sd))


def _followers(
    table: StationTable,
    position: Array,
    *,
    rows: NDArray[np.bool_],
    tracers: tuple[str, ...],
    ends: tuple[float, float],
) -> tuple[Follower, ...]:
    start, width = ends[0], ends[1] - ends[0]
    found = []
    for name in table.determinands:
        value = table.column(name)
        kept = rows & np.isfinite(value) & ~hidden(table, name)
        if name not in tracers and kept.sum() >= FEWEST:
            found.append(_follower(name, (position[kept] - start) / width, value=value[kept]))
    return tuple(sorted(found, key=lambda one: -one.share))


def hidden(table: StationTable, name: str) -> NDArray[np.bool_]:
    """Return the rows left out of a determinand for being flagged: none where most are, for then the flags say nothing."""
    doubtful = table.doubtful(name)
    there = np.isfinite(table.column(name))
    return doubtful if 2 * (doubtful & there).sum() < there.sum() else np.zeros(len(table), bool)


def _follower(name: str, fraction: Array, *, value: Array) -> Follower:
    design = np.stack([1.0 - fraction, fraction], axis=1)
    (low, high), _ = nnls(design, value)
    residual = value - design @ np.array([low, high])
    total = float(((value - value.mean()) ** 2).sum())
    share = max(0.0, 1.0 - float((residual**2).sum()) / total) if total > 0.0 else 0.0
    spread = np.linalg.inv(design.T @ design) * float((residual**2).sum()) / max(len(value) - 2, 1)
    (r, p), (change, change_p) = linked(fraction, value), linked(np.diff(fraction), np.diff(value))
    worst = max(p, change_p)
    follows = share >= LEAST_SHARE and worst < LEAST_P and r * change > 0.0
    sds = np.sqrt(np.diag(spread))
    return Follower(
        name, float(low), float(high), float(sds[0]), float(sds[1]), share, worst, len(value), follows
    )


def _settled(
    table: StationTable,
    position: Array,
    *,
    used: NDArray[np.bool_],
    tracers: tuple[str, ...],
    line: tuple[Array, Array],
    rng: np.random.Generator,
) -> Mixing:
    """Return the two waters: the ends of the readings, or where the band of a water ends before them, that."""
    middle, direction = line
    own = position[used]
    ends = float(own.min()), float(own.max())
    seen = _followers(table, position, rows=used, tracers=tracers, ends=ends)
    drawn_ends = end_members(own, rng, limits=_limits(middle, direction, followers=seen, ends=ends))
    first, last = np.clip(ends, *np.quantile(drawn_ends, (0.05, 0.95), axis=0)).tolist()
    followers = _followers(table, position, rows=used, tracers=tracers, ends=(first, last))
    noise = rng.normal(0.0, 1.0, len(drawn_ends))[:, None]
    drawn = (position + noise - drawn_ends[:, :1]) / (drawn_ends[:, 1:] - drawn_ends[:, :1])
    low, high = middle + direction * first, middle + direction * last
    bands = [
        np.quantile(middle + direction * drawn_ends[:, k : k + 1], (0.05, 0.95), axis=0).T for k in (0, 1)
    ]
    witnesses = sum(one.follows and carries(one.determinand) for one in followers)
    note = (
        Note("")
        if witnesses >= WITNESSES
        else Note("no_witnesses", (tracers[0], str(witnesses), str(WITNESSES)))
    )
    return Mixing(
        tracers, low, high, bands[0], bands[1],
        fraction=(position - first) / (last - first),
        fraction_sd=drawn.std(axis=0),
        followers=followers,
        is_found=witnesses >= WITNESSES,
        note=note,
    )  # fmt: skip


def _limits(
    middle: Array, direction: Array, *, followers: tuple[Follower, ...], ends: tuple[float, float]
) -> tuple[float, float]:
    """Return how far the line may run either way before a tracer or a follower would be negative."""
    least, most = -np.inf, np.inf
    lines = [(m + d * ends[0], m + d * ends[1]) for m, d in zip(middle, direction, strict=True)]
    lines += [(one.low, one.high) for one in followers if one.follows]
    for low, high in lines:
        slope = (high - low) / (ends[1] - ends[0])
        if slope > 0.0:
            least = max(least, ends[0] - low / slope)
        elif slope < 0.0:
            most = min(most, ends[1] - high / slope)
    return min(least, ends[0]), max(most, ends[1])


def end_members(position: Array, rng: np.random.Generator, *, limits: tuple[float, float]) -> Array:
    """Return draws of where the two waters lie on the line, (draw, 2), given mixtures at `position` (time,).

    Positions err by about 1 (ERRORS). A reading holds either water pure, with a chance of PURE each, or a mixture, spread evenly
    between the two; the prior of their distance is in proportion to one over it. Places on a grid, inward of the readings as
    well as outward but none beyond `limits`, are weighed by the product over readings (Bayes), those that resemble the one
    before counting for less.
    Without pure water and errors the share of the distance that n readings span would be Beta(n - 1, 2).
    """
    alike = np.clip(lag_one(position), 0.0, 0.95)
    counted = max(4.0 / len(position), (1.0 - alike) / (1.0 + alike))
    first, last = float(position.min()), float(position.max())
    steps = _steps(last - first)
    low, high = first - steps[::-1], last + steps
    low, high = low[low >= limits[0]], high[high <= limits[1]]
    cell = np.stack(np.meshgrid(np.gradient(low), np.gradient(high), indexing="ij"))
    weight = np.log(cell.prod(axis=0) / (high - low[:, None])) + counted * _log_likelihood(
        position, low, high=high
    )
    chance = np.exp(weight - weight.max()).sum(axis=0)
    a, b = np.unravel_index(rng.choice(chance.size, DRAWS, p=(chance / chance.sum()).ravel()), chance.shape)
    within = cell[:, a, b].T * rng.uniform(-0.5, 0.5, (DRAWS, 2))
    return np.asarray(np.clip(np.stack([low[a], high[b]], axis=1) + within, *limits))


def _steps(span: float) -> Array:
    """Return how far outward of the last reading a water may lie (step,), inward ones first and below 0: finely near it, up to
    FARTHEST spans."""
    inward = -np.arange(STEP, min(INWARD, span / 3.0), STEP)[::-1]
    outward = STEP * 1.2 ** np.arange(np.ceil(np.log(FARTHEST * span / STEP) / np.log(1.2)))
    return np.concatenate([inward, [0.0], outward])


def _log_likelihood(position: Array, low: Array, *, high: Array) -> Array:
    """Return the logarithm of the probability of the readings for every error and chance of pure water, and place of both waters
    (case, low, high). Readings are gathered by STEP, of waters far apart by one of GATHERED."""
    grain = max(STEP, float(np.ptp(position)) / GATHERED)
    at, times = np.unique(np.round(position / grain) * grain, return_counts=True)
    apart, cases = high - low[:, None], []
    for error in ERRORS:
        below, above = (at[:, None] - low) / error, (at[:, None] - high) / error
        even = (stats.norm.cdf(below)[:, :, None] - stats.norm.cdf(above)[:, None, :]) / apart
        first = stats.norm.pdf(below)[:, :, None] / error
        second = stats.norm.pdf(above)[:, None, :] / error
        for p, q in ((p, q) for p, q in product(PURE, PURE) if p + q < 1.0):
            likely = p * first + q * second + (1.0 - p - q) * even
            cases.append(np.einsum("r,rab->ab", times, np.log(likely + 1e-300)))
    return np.stack(cases)


def _none(table: StationTable, note: Note) -> Mixing:
    """Return that no mixing was found."""
    nothing, unknown = np.empty(0), np.full(len(table), np.nan)
    return Mixing((), nothing, nothing, np.empty((0, 2)), np.empty((0, 2)), unknown, unknown, note=note)
