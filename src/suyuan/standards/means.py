"""One value of a period from many readings, in decimal arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

_DIGITS = 40
_PERCENTILES = {
    "p10": Decimal("0.1"),
    "median": Decimal("0.5"),
    "p90": Decimal("0.9"),
    "p95": Decimal("0.95"),
}


def decimals_of(value: NDArray[np.float64], qualifier: NDArray[np.str_]) -> list[Decimal]:
    """Return readings as decimals, as they were written; those below detection as half their limit.

    A reading above its range (`>`) counts as the end of the range: a mean with it is at least as high.

    >>> decimals_of(np.array([0.12, 0.05]), np.array(["", "<"]))
    [Decimal('0.12'), Decimal('0.025')]
    """
    exact = [Decimal(repr(round(float(v), 12))) for v in value]
    return [v / 2 if q == "<" else v for v, q in zip(exact, qualifier, strict=True)]


def statistic_of(values: Sequence[Decimal], statistic: str, *, weights: Sequence[Decimal] = ()) -> Decimal:
    """Return one value of a period; there must be at least one reading.

    Means take `weights`, one for each value, all the same if left out; other statistics take none.

    `hydrogen_mean` is the pH of the arithmetic mean of the hydrogen ions: -log10(mean(10^-pH)). Percentiles lie
    between neighbours in proportion (Hyndman and Fan 1996, type 7).

    >>> str(statistic_of([Decimal(7), Decimal(9)], "hydrogen_mean"))[:6]
    '7.2967'
    >>> statistic_of([Decimal(1), Decimal(4)], "mean", weights=[Decimal(2), Decimal(1)])
    Decimal('2')
    >>> statistic_of([Decimal(1), Decimal(2), Decimal(4)], "p90")
    Decimal('3.6')
    """
    if not values:
        raise InputError("readings", "there is no reading to take a mean of", "choose a period with readings")
    with localcontext() as context:
        context.prec = _DIGITS
        if statistic == "mean":
            return _mean(values, weights)
        if statistic == "hydrogen_mean":
            return -_mean([Decimal(10) ** -v for v in values], weights).log10()
        if statistic in ("min", "max"):
            return min(values) if statistic == "min" else max(values)
        ordered = sorted(values)
        place = _PERCENTILES[statistic] * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _mean(values: Sequence[Decimal], weights: Sequence[Decimal]) -> Decimal:
    if not any(weights):
        return sum(values, Decimal(0)) / len(values)
    return sum((v * w for v, w in zip(values, weights, strict=True)), Decimal(0)) / sum(weights, Decimal(0))
