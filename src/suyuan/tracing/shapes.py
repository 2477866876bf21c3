"""Release histories that a source may have had: pulses, steps that continue, and nightly repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import local
from suyuan.compiled import kernel
from suyuan.errors import InputError

Array = NDArray[np.float64]

PULSE_HOURS = (
    1 / 12,
    1 / 6,
    1 / 4,
    1 / 3,
    1 / 2,
    3 / 4,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    10,
    12,
    14,
    17,
    20,
    24,
    30,
    40,
    55,
    80,
)
"""Durations of a pulse; those below the length of a bin become one bin."""

NIGHT_HOURS = (2, 3, 4, 5, 6, 7, 8, 10, 12)

DUSK_H, SMALL_HOURS_H = 18.0, 4.0
"""A release begins at night from the one to before the other, as clocks show."""


@dataclass(frozen=True)
class Nights:
    """When releases that come again every day begin: a `share` of them at night, as clocks in `zone` show it.

    >>> from datetime import timezone
    >>> at_dusk, at_noon = np.array(["2024-07-20T20:00:00", "2024-07-21T12:00:00"], "datetime64[s]")
    >>> Nights(0.8, timezone.utc).weight(np.array([at_dusk, at_noon])).round(2).tolist()
    [1.92, 0.34]
    """

    share: float
    zone: tzinfo

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        if not 0.0 < self.share < 1.0:
            raise InputError("share of nights", f"{self.share:g}", "give a share above 0 and below 1")

    def weight(self, times: NDArray[np.datetime64]) -> Array:
        """Return how much likelier than on average a daily release begins at each of the times [UTC], (time,)."""
        clock = local(times, self.zone)
        hour = (clock - clock.astype("datetime64[D]")) / np.timedelta64(3600, "s")
        night_h = 24.0 - DUSK_H + SMALL_HOURS_H
        is_night = (hour >= DUSK_H) | (hour < SMALL_HOURS_H)
        return np.where(is_night, 24.0 * self.share / night_h, 24.0 * (1.0 - self.share) / (24.0 - night_h))


@dataclass(frozen=True)
class Shapes:
    """Release histories of rate 1 inside their on-times, each array (shape,) in bins.

    A shape is on from `start` for `length` bins, again every `period` bins, `repeats` times in all. `log_prior` sums to
    one over all shapes when exponentiated.
    """

    bins: int
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    period: NDArray[np.int64]
    repeats: NDArray[np.int64]
    log_prior: Array

    @property
    def columns(self) -> NDArray[np.int64]:
        """Start, length, period and repeats, (4, shape)."""
        return np.stack([self.start, self.length, self.period, self.repeats])

    def history(self, shape: int) -> Array:
        """Return one history, (bin,), 1 where the source is on."""
        on = np.zeros(self.bins)
        for k in range(self.repeats[shape]):
            first = self.start[shape] + k * self.period[shape]
            on[first : first + self.length[shape]] = 1.0
        return on


def release_shapes(bins: int, bin_s: float, *, dusks: Array | None = None) -> Shapes:
    """Return the release histories considered in a window of `bins` bins of `bin_s` seconds.

    A priori a pulse, a step that continues to the end of the window and a nightly repeat are equally likely; the duration
    of a pulse is uniform on the listed (near logarithmic) values. `dusks` (bin,) is how much likelier than on average a
    repeat begins in each bin; they are all alike if None.
    """
    day = round(86400.0 / bin_s)
    rows: list[tuple[int, int, int, int]] = []
    weight: list[float] = []
    dusks = np.ones(bins) if dusks is None else dusks
    pulses = sorted({max(1, round(h * 3600.0 / bin_s)) for h in PULSE_HOURS})
    nights = sorted({max(1, round(h * 3600.0 / bin_s)) for h in NIGHT_HOURS})
    for start in range(bins):
        fitting = [n for n in pulses if start + n < bins]
        for length in fitting:
            rows.append((start, length, day, 1))
            weight.append(1.0 / len(fitting))
        rows.append((start, bins - start, day, 1))
        weight.append(1.0 if fitting else 2.0)
        repeated = _nightly(start, bins, nights=nights, day=day)
        rows.extend(repeated)
        weight.extend([float(dusks[start]) / max(1, len(repeated))] * len(repeated))
    columns = np.array(rows, dtype=np.int64).T
    share = np.array(weight)
    return Shapes(bins, columns[0], columns[1], columns[2], columns[3], np.log(share / share.sum()))


def _nightly(start: int, bins: int, *, nights: list[int], day: int) -> list[tuple[int, int, int, int]]:
    """Return repeats of a daily release from `start`: until the window ends, and for fewer nights."""
    rows: list[tuple[int, int, int, int]] = []
    for length in (n for n in nights if n < day):
        last = (bins - start - length) // day + 1
        counts = {last, max(2, (2 * last) // 3)}
        rows.extend((start, length, day, count) for count in sorted(counts) if 2 <= count <= last)
    return rows


@dataclass(frozen=True)
class Neighbourhood:
    """Which histories are next to which: `codes` (shape,) are sorted, `order` (shape,) the shape of each."""

    shapes: Shapes
    codes: NDArray[np.int64]
    order: NDArray[np.int64]
    lengths: tuple[int, ...]

    @classmethod
    def of_shapes(cls, shapes: Shapes) -> Neighbourhood:
        """Return the neighbourhood of these histories."""
        codes = _codes(shapes.columns, shapes.bins)
        order = np.argsort(codes)
        return cls(shapes, codes[order], order, tuple(np.unique(shapes.length).tolist()))

    def of(self, shape: int) -> NDArray[np.int64]:
        """Return the histories next to one: a little earlier or later, shorter or longer, one night more or less."""
        start, length, period, repeats = self.shapes.columns[:, shape].tolist()
        bins = self.shapes.bins
        goes_on = repeats == 1 and start + length == bins
        moved = [(start + by, length) for by in (-3, -2, -1, 1, 2, 3)]
        if goes_on:
            moved = [(begin, bins - begin) for begin, _ in moved]
        at = self.lengths.index(length)
        for other in (self.lengths[i] for i in (at - 1, at + 1) if 0 <= i < len(self.lengths)):
            moved += [(start, other), (start + length - other, other), (start + (length - other) // 2, other)]
        rows = [(b, n, period, k) for b, n in moved for k in {repeats - 1, repeats, repeats + 1} if k]
        rows += [(start, length, period, k) for k in (repeats - 1, repeats + 1) if k]
        inside = np.array([row for row in rows if row[0] >= 0 and row[0] + row[1] <= bins]).T
        wanted = np.unique(_codes(inside, bins)) if inside.size else np.empty(0, np.int64)
        at_code = np.searchsorted(self.codes, wanted).clip(max=len(self.codes) - 1)
        return np.asarray(self.order[at_code[self.codes[at_code] == wanted]])


def _codes(columns: NDArray[np.int64], bins: int) -> NDArray[np.int64]:
    """Return a number for each history of `columns` (4, shape), no two alike."""
    start, length, period, repeats = columns
    return np.asarray(((start * (bins + 1) + length) * (bins + 1) + repeats) * 10_000 + period)


@kernel
def cumulative_square(product: NDArray[np.float32], out: Array) -> None:  # pragma: no cover - compiled
    """Fill `out` (bin + 1, bin + 1) with the cumulative sums from zero over both axes of `product` (bin, bin)."""
    for i in range(product.shape[0]):
        row = 0.0
        for j in range(product.shape[1]):
            row += product[i, j]
            out[i + 1, j + 1] = out[i, j + 1] + row


@kernel
def scan_shapes(
    gram: Array, match: Array, columns: NDArray[np.int64], alpha: Array, beta: Array
) -> None:  # pragma: no cover - compiled
    """Fill `alpha` (substance, shape) and `beta` (set, substance, shape): squared response and match with the data.

    `gram` (substance, bin + 1, bin + 1) and `match` (set, substance, bin + 1) are cumulative sums from zero over bins of
    G'C^-1 G and G'C^-1 y, so that every rectangle is four look-ups. `columns` is that of Shapes.
    """
    for d in range(gram.shape[0]):
        g = gram[d]
        for s in range(columns.shape[1]):
            start, length, period, repeats = columns[0, s], columns[1, s], columns[2, s], columns[3, s]
            total = 0.0
            for k in range(repeats):
                k0 = start + k * period
                k1 = k0 + length
                total += g[k1, k1] - g[k0, k1] - g[k1, k0] + g[k0, k0]
                for j in range(k):
                    j0 = start + j * period
                    j1 = j0 + length
                    total += 2.0 * (g[k1, j1] - g[k0, j1] - g[k1, j0] + g[k0, j0])
            alpha[d, s] = total
            for r in range(match.shape[0]):
                total = 0.0
                for k in range(repeats):
                    k0 = start + k * period
                    total += match[r, d, k0 + length] - match[r, d, k0]
                beta[r, d, s] = total
