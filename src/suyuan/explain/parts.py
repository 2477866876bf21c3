"""The parts of a change between two sets of readings, which add up to it exactly, with their bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.explain.blocks import FEWEST_BLOCKS, block_days, counts_drawn, persistence
from suyuan.explain.response import Design, Response, fitted
from suyuan.explain.shapley import products, shapley

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CODES = (
    *("mixing", "upstream", "flow", "season", "saturation", "respiration"),
    *("release", "analyser", "unexplained"),
)
"""Parts in the order of the waterfall."""

ACTING = CODES[:6]
"""Parts that act on each other and are averaged over the order of their removal; the others are plain sums."""

DRAWS = 200
REFITS = 4


@dataclass(frozen=True)
class Sides:
    """Readings of the two sides of a change.

    `value` (time,); `after` and `before` (time,) say which side a reading is on, neither for those that only teach the
    response; `is_good` (time,) is not flagged; `block` (time,) numbers the days that are drawn together; `lasts` (time,) says
    for how many rows of the record a reading counts in means. It teaches the response once.
    """

    value: Array
    after: Mask
    before: Mask
    is_good: Mask
    block: NDArray[np.int64]
    lasts: Array


@dataclass(frozen=True)
class Releases:
    """What traced releases add at the station: `added` (release, time) if each did release, with its probability and the
    standard deviation of the logarithm of its mass, both (release,); `pairs` holds two of `names` and the probability that they
    released together."""

    names: tuple[str, ...]
    added: Array
    probability: Array
    log_sd: Array
    pairs: tuple[tuple[str, str, float], ...] = ()

    @property
    def expected(self) -> Array:
        """What is added on average (time,)."""
        return np.asarray(self.probability @ self.added)

    def drawn(self, rng: np.random.Generator) -> Array:
        """Return one possible truth (time,): a pair, one release alone, or none of them, as a trace has it."""
        mass = self._released(rng) * np.exp(rng.normal(0.0, 1.0, len(self.names)) * self.log_sd)
        return np.asarray(mass @ self.added)

    def _released(self, rng: np.random.Generator) -> Array:
        """Return which released (release,), 1 or 0; what is not of a pair is of the release alone."""
        together = np.array([[name in pair[:2] for name in self.names] for pair in self.pairs], float)
        cases = np.concatenate([together.reshape(-1, len(self.names)), np.eye(len(self.names))])
        paired = np.array([p for *_, p in self.pairs])
        alone = np.maximum(self.probability - paired @ cases[: len(paired)], 0.0)
        chance = np.concatenate([paired, alone])
        found = np.searchsorted(np.cumsum(chance / max(chance.sum(), 1.0)), rng.uniform(), side="right")
        return cases[found] if found < len(cases) else np.zeros(len(self.names))


@dataclass(frozen=True)
class Parted:
    """A change and its parts in the order of CODES, with draws (draw, part) around them; no draw where days are too few.

    `without` (part,) is what the later side would have been had a part stayed as on the earlier one, or without any release, not
    below 0, NaN for parts that are not removed so; `without_draws` (draw, part). `responses` are the refits of the draws and
    `weights` (draw, time) how much each reading counts in their means, `expected` (time,) what the response makes.
    """

    before: float
    after: float
    parts: Array
    draws: Array
    without: Array
    without_draws: Array
    response: Response
    responses: tuple[Response, ...]
    weights: Array
    expected: Array


def parted(
    sides: Sides,
    design: Design,
    *,
    present: Sequence[str],
    releases: Releases | None,
    rng: np.random.Generator,
) -> Parted:
    """Return the parts of the change of the mean from one side to the other.

    `present` are the codes of ACTING for which there are data. The response is learnt from the good readings of all rows.
    The means of its factors are exchanged between the sides set by set, and each part is averaged over all orders (`shapley`), so
    that a factor whose mean stays gets nothing. What the factors' going together changes is left to the unexplained. What
    flagged readings do to the means is the analyser's; the rest is unexplained. So the parts add up to the change but for
    rounding. Draws resample days on each side, as many in a row as they resemble each other (`block_days`), and refit; there
    are none with fewer than FEWEST_BLOCKS days on a side.
    """
    learn = sides.is_good.astype(float)
    response = fitted(sides.value, design, weights=learn)
    parts, without = _parts(sides, design, response=response, present=present, weights=sides.lasts)
    expected = response.expected(design)
    counted = _resampled(sides, expected, rng=rng) if _has_days(sides) else np.empty((0, len(learn)))
    draws, undone = np.empty((len(counted), len(CODES))), np.empty((len(counted), len(CODES)))
    responses = []
    for k, weights in enumerate(counted):
        drawn = design if releases is None else _with_release(design, releases.drawn(rng))
        again = fitted(sides.value, drawn, weights=weights * learn, begin=response, rounds=REFITS)
        draws[k], undone[k] = _parts(
            sides, drawn, response=again, present=present, weights=weights * sides.lasts
        )
        responses.append(again)
    means = [_mean(sides.value, side, weights=sides.lasts) for side in (sides.before, sides.after)]
    return Parted(
        means[0],
        means[1],
        parts,
        draws=draws,
        without=without,
        without_draws=undone,
        response=response,
        responses=tuple(responses),
        weights=counted * sides.lasts,
        expected=expected,
    )


def _has_days(sides: Sides) -> bool:
    """Return whether both sides have good readings on so many days that drawing them tells how firm the parts are."""
    days = [np.unique(sides.block[side & sides.is_good]) for side in (sides.after, sides.before)]
    return min(map(len, days)) >= FEWEST_BLOCKS


def _with_release(design: Design, added: Array) -> Design:
    return Design(design.scale, design.fraction, design.modifiers, design.group, added, design.mixes)


def _mean(value: Array, rows: Mask, *, weights: Array) -> float:
    return float(np.average(value[rows], weights=weights[rows]))


def _factors(design: Design, response: Response, *, present: Sequence[str]) -> Array:
    """Return what each present part multiplies by (part, time); their product is what is expected without releases."""
    made = {"mixing": response.waters(design), "saturation": design.scale}
    known = [made[code] if code in made else response.acted(design, code) for code in present]
    if "mixing" not in present:
        known.append(response.waters(design))  # the same on both sides
    return np.stack(known) if known else np.ones((1, len(design)))


def _parts(
    sides: Sides, design: Design, *, response: Response, present: Sequence[str], weights: Array
) -> tuple[Array, Array]:
    """Return the parts in the order of CODES, and the later mean without each, not below 0."""
    after, before = sides.after & sides.is_good, sides.before & sides.is_good
    factors = _factors(design, response, present=present)
    means = [np.average(factors[:, rows], axis=1, weights=weights[rows]) for rows in (after, before)]
    ours, theirs = (products(mean) for mean in means)  # of means: how factors go together is nobody's alone
    values = ours * theirs[::-1]  # a set on the later side, all others on the earlier
    shares = shapley(values)
    found, without = np.zeros(len(CODES)), np.full(len(CODES), np.nan)
    good = _mean(sides.value, after, weights=weights)
    for k, code in enumerate(present):
        found[CODES.index(code)] = shares[k]
        without[CODES.index(code)] = max(good + values[(len(values) - 1) ^ (1 << k)] - values[-1], 0.0)
    added = [_mean(design.release, rows, weights=weights) for rows in (after, before)]
    found[CODES.index("release")] = added[0] - added[1]
    without[CODES.index("release")] = max(good - added[0], 0.0)
    change = good - _mean(sides.value, before, weights=weights)
    whole = _mean(sides.value, sides.after, weights=weights) - _mean(
        sides.value, sides.before, weights=weights
    )
    found[CODES.index("analyser")] = whole - change
    found[CODES.index("unexplained")] = change - found[: CODES.index("analyser")].sum()
    return found, without


def _resampled(sides: Sides, expected: Array, *, rng: np.random.Generator) -> Array:
    """Return how often each reading counts in draws of the days of each side, (draw, time).

    Blocks are as long as asked by what is `expected` (time,) or by what is not, whichever remembers longer. A draw without a
    good reading on one side is drawn again.
    """
    side, good = sides.after + 2 * sides.before, sides.is_good
    (of, _), index = np.unique(np.stack([side, sides.block])[:, good], axis=1, return_inverse=True)
    made = [np.bincount(index, x[good]) / np.bincount(index) for x in (expected, sides.value - expected)]
    kept = max(persistence(mean, of) for mean in made)
    weights = _drawn(sides, kept, size=DRAWS, rng=rng)
    while True:
        counted = weights * good
        lost = ~(counted[:, sides.after].any(axis=1) & counted[:, sides.before].any(axis=1))
        if not lost.any():
            return weights
        weights[lost] = _drawn(sides, kept, size=int(lost.sum()), rng=rng)


def _drawn(sides: Sides, kept: float, *, size: int, rng: np.random.Generator) -> Array:
    """Return how often each reading counts (draw, time) when blocks of days that resemble each other so much are drawn."""
    groups = [rows for rows in (sides.after, sides.before, ~(sides.after | sides.before)) if rows.any()]
    days = [np.unique(sides.block[rows], return_inverse=True)[1] for rows in groups]
    counts = [int(index.max()) + 1 for index in days]
    lengths = [block_days(kept, count) for count in counts]
    free = max(counts[0] / lengths[0] + counts[1] / lengths[1] - 2.0, 1.0)
    weights = np.empty((size, len(sides.value)))
    for rows, index, count, length in zip(groups, days, counts, lengths, strict=True):
        weights[:, rows] = counts_drawn(count, length, kept=kept, free=free, size=size, rng=rng)[:, index]
    return weights
