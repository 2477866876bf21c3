"""Readings in the form the posterior needs: one block a substance, tied to the receptors of the matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.observations import Observations
from suyuan.substances import Substance
from suyuan.tracing.background import noise_of
from suyuan.transport.matrix import Means, Receptors
from suyuan.transport.sampling import means_of

Array = NDArray[np.float64]

LATENT_S = 6.0 * 3600.0
"""Readings below detection, or above the range, this close to each other err together: they say no more than one of them."""

LEAST_NOISE = 1e-3
"""No reading is trusted to better than this share of the median reading."""


ABOVE_MEAN, ABOVE_SD = 3.0, 2.0
"""What stands for a reading '>', and how unsure that is, as shares of its limit: water just above it fits, and five times it."""

ROUNDING = 1.0 / np.sqrt(12.0)
"""Standard deviation of what is lost where a reading is rounded, as a share of the smallest reading above 0."""

LEAST_RANGE = 1e-4
"""No reading is told from 0 below this share of the highest."""


@dataclass(frozen=True)
class Block:
    """The usable readings of one substance.

    `means` say which receptors of the matrix each is the mean of. Arrays (reading,): `value`, `noise_sd`, `is_below`; `row` is
    the row in the observations, `time` [s] the mean of its receptors' times. Where `is_below`, `value` and
    `noise_sd` are those of `below_detection`, not the limit; of a reading above the range those of `above_range`.
    `level` is the median reading, at least what can be told from 0.
    """

    substance: Substance
    means: Means
    row: NDArray[np.int64]
    value: Array
    noise_sd: Array
    is_below: NDArray[np.bool_]
    station: NDArray[np.str_]
    time: Array
    level: float

    @property
    def series(self) -> NDArray[np.int64]:
        """Which readings can be compared one after the other, (reading,): those of a station drawn over alike hours."""
        return series_of(self.station, self.means.count)


def series_of(station: NDArray[np.str_], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each reading's series, (reading,): of its station and of the `count` of receptors it is the mean of.

    The latter is its duration, in begun parts of 3 h. A composite of 24 h says nothing of the noise of the three-hour means
    between which it stands, nor of their slope, and one of 48 h nothing of those of 24 h. A grab and means over 15 minutes or
    two hours are one series: means of a sensor's readings are as long as its gaps leave them, and must not be taken apart for it.

    >>> series_of(np.array(["S", "S", "S", "T"]), np.array([1, 8, 8, 8])).tolist()
    [1, 8, 8, 17]
    """
    place = np.unique(station, return_inverse=True)[1]
    return np.asarray(place * (count.max(initial=0) + 1) + count, np.int64)


def blocks_of(
    observations: Observations, receptors: Receptors, *, substances: Sequence[Substance]
) -> tuple[Block, ...]:
    """Return one block for every substance that has usable readings above 0; the first substance must have some."""
    means = means_of(receptors, observations)
    usable = (means.count > 0) & observations.is_usable
    seconds = (receptors.time - observations.time.min()) / np.timedelta64(1, "s")
    blocks = []
    for substance in substances:
        rows = np.flatnonzero(usable & (observations.determinand == substance.determinand.id))
        if len(rows) and observations.value[rows].max() > 0.0:
            own = means.where(rows)
            blocks.append(_block(observations, rows, means=own, time=own.of(seconds), substance=substance))
        elif substance is substances[0]:
            above = f" above 0 among {len(rows)}" if len(rows) else ""
            what = f"there is no usable reading of {substance.determinand.id}, the determinand to be traced{above}"
            raise InputError(
                observations.source, what, "choose another [trace] determinand or a window with readings"
            )
    return tuple(blocks)


def _block(
    observations: Observations, rows: NDArray[np.int64], *, means: Means, time: Array, substance: Substance
) -> Block:
    given = observations.value[rows].astype(float)
    station = observations.station[rows]
    is_below, is_above = (observations.qualifier[rows] == sign for sign in "<>")
    likely, unsure = above_range(given, is_above, time=time, station=station)
    value, noise = below_detection(likely, is_below, time=time, station=station)
    median, resolution = float(np.median(value)), _resolution(given)
    level = max(median, resolution)
    noise[is_above] = unsure[is_above]
    seen = ~is_below & ~is_above
    series = series_of(station, means.count)[seen]
    noise[seen] = noise_of(given[seen], time[seen], series=series, kind=means.count[seen])
    least = LEAST_NOISE * level if median >= resolution else ROUNDING * resolution
    noise = np.maximum(noise, least)
    return Block(substance, means, rows, value, noise, is_below, station, time, level)


def _resolution(given: Array) -> float:
    """Return the smallest reading above 0: an instrument that mostly says 0 tells no less apart."""
    return max(float(given[given > 0.0].min()), LEAST_RANGE * float(given.max()))


def above_range(
    value: Array, is_above: NDArray[np.bool_], *, time: Array, station: NDArray[np.str_]
) -> tuple[Array, Array]:
    """Return the readings, those above the range as what they may have been, and how unsure that is, (reading,).

    A reading '>' (a kit that says yes, an instrument at the end of its range) lies anywhere above its limit. Those of a
    station err together as those below detection do. Others stay as they are, unsure by 0.

    >>> given, above = np.array([0.5, 0.2]), np.array([True, False])
    >>> found = above_range(given, above, time=np.zeros(2), station=np.array(["S", "S"]))
    >>> [each.tolist() for each in found]
    [[1.5, 0.2], [1.0, 0.0]]
    """
    likely, unsure = np.where(is_above, ABOVE_MEAN * value, value), np.where(is_above, ABOVE_SD * value, 0.0)
    for name in np.unique(station[is_above]):
        above = (station == name) & is_above
        unsure[above] *= _together(time[above])
    return likely, unsure


def _together(time: Array) -> Array:
    """Return the square root of how many of these readings lie within LATENT_S of each, itself included, (reading,)."""
    when = np.sort(time)
    before, after = (np.searchsorted(when, time + lag) for lag in (-LATENT_S, LATENT_S + 1e-6))
    return np.asarray(np.sqrt(after - before))


def below_detection(
    value: Array, is_below: NDArray[np.bool_], *, time: Array, station: NDArray[np.str_]
) -> tuple[Array, Array]:
    """Return the readings, those below detection as what they may have been, and how unsure that is, (reading,).

    A reading '<' lies between 0 and its limit; there it has the distribution of its station's readings, normal
    about their median. Its mean and standard deviation stand for it, the latter widened by the square root of
    how many such readings lie within LATENT_S, since they err together. Others stay as they are, unsure by 0.

    >>> below_detection(np.array([0.2]), np.array([True]), time=np.zeros(1), station=np.array(["S"]))[0]
    array([0.1])
    """
    latent, unsure = np.where(is_below, 0.5 * value, value), np.zeros(len(value))
    for name in np.unique(station[is_below]):
        own, below = station == name, (station == name) & is_below
        for _ in range(3):
            middle = float(np.median(latent[own]))
            spread = max(1.4826 * float(np.median(np.abs(latent[own] - middle))), 0.5 * middle)
            latent[below], unsure[below] = _between_zero_and(value[below], middle=middle, spread=spread)
        unsure[below] *= _together(time[below])
    return latent, unsure


def _between_zero_and(limit: Array, *, middle: float, spread: float) -> tuple[Array, Array]:
    """Return mean and standard deviation of a normal cut off at 0 and at each limit, (limit,)."""
    nodes = (np.arange(200) + 0.5) / 200.0
    x = np.minimum(limit, middle + 6.0 * spread)[:, None] * nodes
    weight = np.exp(-0.5 * ((x - middle) / max(spread, 1e-12)) ** 2) + 1e-30
    weight /= weight.sum(axis=1, keepdims=True)
    mean = (x * weight).sum(axis=1)
    return mean, np.sqrt(((x - mean[:, None]) ** 2 * weight).sum(axis=1))


def thinned(block: Block, count: int) -> Block:
    """Return the block with about `count` readings a station, evenly chosen."""
    keep = np.zeros(len(block.value), bool)
    for station in np.unique(block.station):
        rows = np.flatnonzero(block.station == station)
        keep[rows[:: max(1, len(rows) // count)]] = True
    names = ("row", "value", "noise_sd", "is_below", "station", "time")
    thin = {name: getattr(block, name)[keep] for name in names}
    return replace(block, means=block.means.where(keep), **thin)
