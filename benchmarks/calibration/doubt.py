"""How sure shares and errors from so many events are: Wilson's interval, the bootstrap, chi-square of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

Array = NDArray[np.float64]

LEAST = 0.02
"""Candidates of less than this say nothing of calibration: nearly all of them are rightly hopeless."""

BINS = 10
Z = 1.96
RESAMPLES = 400


def share(hits: Sequence[bool | None]) -> dict[str, float | int | None]:
    """Return a share with its 95 % interval (Wilson 1927) over those that can be asked.

    >>> share([True] * 9 + [False, None])["n"], round(share([True] * 9 + [False])["low"], 3)
    (10, 0.596)
    """
    asked = [bool(hit) for hit in hits if hit is not None]
    n = len(asked)
    if n == 0:
        return {"value": None, "low": None, "high": None, "n": 0}
    p = sum(asked) / n
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return {"value": p, "low": max(float(middle - half), 0.0), "high": min(float(middle + half), 1.0), "n": n}


def mean(values: Sequence[float], *, rng: np.random.Generator) -> dict[str, float | int | None]:
    """Return a mean with its 95 % bootstrap interval (Efron 1979) over events."""
    x = np.array(values, float)
    if len(x) == 0:
        return {"value": None, "low": None, "high": None, "n": 0}
    means = x[rng.integers(len(x), size=(RESAMPLES, len(x)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"value": float(x.mean()), "low": float(low), "high": float(high), "n": len(x)}


@dataclass(frozen=True)
class Reliability:
    """Stated probabilities of LEAST or more against what was right, in ten equal bins, event by event.

    `count`, `stated` and `right` (event, bin): how many candidates, the sum of their probabilities, and how many of them
    released.
    """

    count: Array
    stated: Array
    right: Array

    def error(self, weight: Array | None = None) -> float:
        """Return the mean distance of stated from right over bins, weighted by candidates; NaN without any.

        `weight` (event,) is how often each event counts.
        """
        weight = np.ones(len(self.count)) if weight is None else weight
        n, p, h = (weight @ part for part in (self.count, self.stated, self.right))
        return float(np.abs(p - h).sum() / n.sum()) if n.sum() else np.nan

    def interval(self, rng: np.random.Generator) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the error over events."""
        events = len(self.count)
        drawn = rng.multinomial(events, np.full(events, 1.0 / events), size=RESAMPLES)
        low, high = np.nanquantile([self.error(weight.astype(float)) for weight in drawn], [0.025, 0.975])
        return float(low), float(high)

    def to_rows(self) -> list[dict[str, float | int | None]]:
        """Return one row a bin: candidates, mean probability stated, share right with interval."""
        rows = []
        for b in range(BINS):
            n, hits = int(self.count[:, b].sum()), int(self.right[:, b].sum())
            right = share([True] * hits + [False] * (n - hits))
            stated = float(self.stated[:, b].sum() / n) if n else None
            rows.append(
                {"stated": stated, "right": right["value"], **{k: right[k] for k in ("low", "high", "n")}}
            )
        return rows


def reliability(events: Sequence[tuple[Sequence[float], Sequence[bool]]]) -> Reliability:
    """Return the reliability of (probabilities, right) of each event.

    >>> one = reliability([((0.95, 0.15, 0.01), (True, False, False))])
    >>> round(one.error(), 3)  # (|0.95 - 1| + |0.15 - 0|) / 2
    0.1
    """
    table = np.zeros((3, len(events), BINS))
    for e, (stated, right) in enumerate(events):
        for p, hit in zip(stated, right, strict=True):
            if p >= LEAST:
                table[:, e, min(BINS - 1, int(p * BINS))] += (1.0, p, hit)
    return Reliability(*table)


def chance_error(
    events: Sequence[tuple[Sequence[float], Sequence[bool]]], *, rng: np.random.Generator
) -> float:
    """Return the calibration error that perfect calibration would show on so many events, by chance alone.

    Who released is drawn anew from the stated probabilities, candidates independently.
    """
    errors = []
    for _ in range(100):
        redrawn = [(p, rng.random(len(p)) < np.array(p)) for p, _ in events]
        errors.append(reliability(redrawn).error())
    return float(np.mean(errors))


def ranks(levels: Sequence[float], counts: Array) -> dict[str, object]:
    """Return how the truths (bin,) fall between stated quantiles, beside what is expected, and Pearson's chi-square p.

    >>> ranks((0.05, 0.5, 0.95), np.array([5.0, 45.0, 45.0, 5.0]))["p"]
    1.0
    """
    expected = np.diff([0.0, *levels, 1.0])
    n = float(counts.sum())
    if n == 0.0:
        return {"levels": list(levels), "expected": expected.tolist(), "shares": None, "p": None, "n": 0}
    statistic = float(((counts - n * expected) ** 2 / (n * expected)).sum())
    return {
        "levels": list(levels),
        "expected": [round(float(e), 6) for e in expected],
        "shares": (counts / n).tolist(),
        "p": float(chi2.sf(statistic, len(expected) - 1)),
        "n": round(n),
    }
