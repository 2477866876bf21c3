"""Readings in the form the posterior needs: one block a substance, tied to the receptors of the matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.observations import FAIL, MISSING, Observations
from suyuan.substances import Substance
from suyuan.tracing.background import noise_of
from suyuan.transport.matrix import Receptors

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """The usable readings of one substance.

    Arrays (reading,): `receptor` row in the matrix, `value`, `noise_sd`, `is_below`; `row` is the row in the observations.
    `level` is the median reading.
    """

    substance: Substance
    receptor: NDArray[np.int64]
    row: NDArray[np.int64]
    value: Array
    noise_sd: Array
    is_below: NDArray[np.bool_]
    station: NDArray[np.str_]
    time: Array
    level: float


def blocks_of(observations: Observations, receptors: Receptors, substances: Sequence[Substance]) -> tuple[Block, ...]:
    """Return one block for every substance that has usable readings; the first substance must have some."""
    place = {
        key: i for i, key in enumerate(zip(receptors.station, receptors.time, receptors.duration_s, strict=True))
    }
    keys = zip(observations.station, observations.time, observations.duration_s, strict=True)
    receptor = np.array([place.get(key, -1) for key in keys], dtype=np.int64)
    usable = (receptor >= 0) & np.isfinite(observations.value) & (observations.flag != FAIL) & (observations.flag != MISSING)
    blocks = []
    for substance in substances:
        rows = np.flatnonzero(usable & (observations.determinand == substance.determinand.id))
        if len(rows):
            blocks.append(_block(observations, rows, receptor=receptor[rows], substance=substance))
        elif substance is substances[0]:
            what = f"there is no usable reading of {substance.determinand.id}, the determinand to be traced"
            raise InputError(observations.source, what, "choose another [trace] determinand or a window with readings")
    return tuple(blocks)


def _block(
    observations: Observations, rows: NDArray[np.int64], *, receptor: NDArray[np.int64], substance: Substance
) -> Block:
    value = observations.value[rows].astype(float)
    time = (observations.time[rows] - observations.time.min()) / np.timedelta64(1, "s")
    station = observations.station[rows]
    is_below = observations.qualifier[rows] == "<"
    noise = noise_of(value, time, station)
    noise = np.where(is_below, np.maximum(noise, 0.3 * value), noise)
    level = float(np.median(value))
    return Block(substance, receptor, rows, value, noise, is_below, station, time, max(level, 1e-9))


def thinned(block: Block, count: int) -> Block:
    """Return the block with about `count` readings a station, evenly chosen."""
    keep = np.zeros(len(block.value), bool)
    for station in np.unique(block.station):
        rows = np.flatnonzero(block.station == station)
        keep[rows[:: max(1, len(rows) // count)]] = True
    names = ("receptor", "row", "value", "noise_sd", "is_below", "station", "time")
    return replace(block, **{name: getattr(block, name)[keep] for name in names})
