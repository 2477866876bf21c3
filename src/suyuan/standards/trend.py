"""Trends of means over years or months: Spearman's rank correlation with time, against critical values."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FEWEST_PERIODS = 5

MOST_COUNTED = 10
"""Up to this number of periods critical values were counted; beyond, they are as printed, from memory."""

_NORMAL = {"0.05": 1.645, "0.01": 2.326}


@dataclass(frozen=True)
class Trend:
    """Spearman's `rho` with time over `periods` values. `level` is the one-sided level it reaches: '0.01', '0.05',
    or '' for neither.
    """

    periods: int
    rho: float
    level: str

    @property
    def direction(self) -> Literal["rising", "falling", "none"]:
        """What the values do, where they do anything."""
        if not self.level:
            return "none"
        return "rising" if self.rho > 0 else "falling"


def trend(values: Sequence[float]) -> Trend | None:
    """Return the trend of values in order of time (Spearman 1904; 环办〔2011〕22号); None for fewer than five or where
    all are equal.

    Ties share their mean rank. Without ties this is 1 - 6 sum(d^2) / (n^3 - n): here sum(d^2) is 2 and n 5.

    >>> round(trend([1.0, 2.0, 4.0, 3.0, 5.0]).rho, 3), trend([1.0, 2.0, 4.0, 3.0, 5.0]).direction
    (0.9, 'rising')
    """
    given = np.asarray(values, float)
    if len(given) < FEWEST_PERIODS or len(np.unique(given)) == 1:
        return None
    rho = float(np.corrcoef(_ranks(given), np.arange(len(given)))[0, 1])
    reached = [level for level in ("0.01", "0.05") if abs(rho) >= critical(len(given), level) - 1e-9]
    return Trend(len(given), rho, reached[0] if reached else "")


def critical(periods: int, level: str) -> float:
    """Return the least |rho| that is significant, one-sided at '0.05' or '0.01'.

    For a number of periods that the table lacks the next smaller one holds (stricter); beyond 30, z / sqrt(n - 1).

    >>> critical(5, "0.05"), critical(13, "0.05"), round(critical(101, "0.05"), 4)
    (0.9, 0.506, 0.1645)
    """
    table = _table()[level]
    if periods > max(table):
        return float(_NORMAL[level] / np.sqrt(periods - 1))
    return table[max(n for n in table if n <= periods)]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1, ties with their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse], float)


@cache
def _table() -> dict[str, dict[int, float]]:
    data = tomllib.loads(files("suyuan.standards").joinpath("trend.toml").read_text("utf-8"))
    both = {level: data["exact"][level] | data["printed"][level] for level in _NORMAL}
    return {level: {int(n): float(rho) for n, rho in row.items()} for level, row in both.items()}
