"""What enters and leaves a town (进出): loads past stations, what is stored between, and the net load with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.explain.blocks import block_days, counts_drawn, persistence
from suyuan.explain.table import at_times

Array = NDArray[np.float64]
Times = NDArray[np.datetime64]

DAY_S = 86400.0
KG_D = DAY_S / 1000.0
"""kg/d in one g/s."""

DRAWS = 1000
FEWEST = 6
"""Readings a station must have in the window."""

FEWEST_BLOCKS = 5
"""Blocks of time below which resampling them says nothing of the error."""

GAP_S = 12.0 * 3600.0
"""Readings farther apart than this, or than three usual steps if that is more, have a gap between them."""


@dataclass(frozen=True)
class Crossing:
    """One station past which water enters or leaves.

    `discharge` (bin,) [m3/s] is positive in the sense named: into the town at an inlet, out of it at an outlet. `time` and
    `value` (reading,) are the readings of one determinand [g/m3].
    """

    station: str
    discharge: Array
    time: Times
    value: Array


@dataclass(frozen=True)
class Passed:
    """What passed one station: mean load [kg/d] with its 90 % band, mean discharge [m3/s], readings, and the share of the
    time in a gap of readings."""

    station: str
    load: float
    low: float
    high: float
    discharge: float
    readings: int
    gap_share: float


@dataclass(frozen=True)
class Balance:
    """The balance of one determinand over a window; loads in kg/d, each with its 90 % band as (value, low, high).

    `net` is what left less what entered plus what more was stored: what the town adds (negative: what it keeps or breaks down);
    `probability` that it is above 0. `stored` is what the water between holds more per
    day. `water` [m3/s] is what leaves less
    what enters, storage counted. `block_s` is the length of the blocks that were resampled; `per_cent` [kg/d] is what an
    error of one per cent in the discharge or the analyser of the larger side does to the net load. `edges` (bin + 1,) [s] from
    `start` with `entered` and `left` (bin,) [kg/d].
    """

    determinand: str
    inlets: tuple[Passed, ...]
    outlets: tuple[Passed, ...]
    entering: tuple[float, float, float]
    leaving: tuple[float, float, float]
    stored: tuple[float, float, float]
    net: tuple[float, float, float]
    probability: float
    water: float
    block_s: float
    blocks: int
    per_cent: float
    start: np.datetime64
    edges: Array
    entered: Array
    left: Array


def balance_between(
    determinand: str,
    sides: tuple[Sequence[Crossing], Sequence[Crossing]],
    *,
    start: np.datetime64,
    edges: Array,
    volume: Array,
    rng: np.random.Generator,
) -> Balance:
    """Return the balance between the inlets and the outlets of a town, `sides`, over the bins `edges` (bin + 1,) [s].

    The load past a station is the sum of discharge times concentration; between readings this runs straight, in gaps it is
    the mean weighed by discharge, of water running the same way. What is stored is `volume` (bin + 1,) [m3] at the edges
    times the mean concentration of all stations. Days (longer blocks where readings are farther apart) are resampled, as many
    in a row as they resemble each other, the same at all stations, with the discharge known: the band is the error of having
    read the concentration when it was read. The assumption that hurts most: discharges and analysers have no bias, which a
    net load, the difference of two large numbers, feels in full (`per_cent`).
    """
    seconds = np.diff(edges)
    every = [*sides[0], *sides[1]]
    inside = [_within(one, start, edges=edges) for one in every]
    made = [_concentration(one, start, edges=edges) for one in inside]
    loads = np.stack([one.discharge * value * KG_D for one, (value, _) in zip(every, made, strict=True)])
    ins = len(sides[0])
    stored, storing = _stored(inside, start=start, edges=edges, volume=volume, rng=rng)
    block_s = max([DAY_S, *(2.0 * _step(one) for one in inside)])
    drawn, blocks = _drawn(sides, loads, seconds=seconds, block_s=block_s, rng=rng)
    share = seconds / seconds.sum()
    means = loads @ share
    passed = [
        _passed(
            one, drawn[k], load=float(means[k]), readings=len(inside[k].time), gaps=made[k][1], share=share
        )
        for k, one in enumerate(every)
    ]
    net = means[ins:].sum() - means[:ins].sum() + stored
    nets = drawn[ins:].sum(axis=0) - drawn[:ins].sum(axis=0) + storing
    moved = np.array([p.discharge for p in passed])
    water = moved[ins:].sum() - moved[:ins].sum() + float(volume[-1] - volume[0]) / seconds.sum()
    entering, leaving = (
        _with_band(means[part].sum(), drawn[part].sum(axis=0)) for part in (slice(0, ins), slice(ins, None))
    )
    return Balance(
        determinand, tuple(passed[:ins]), tuple(passed[ins:]), entering, leaving, _with_band(stored, storing),
        _with_band(net, nets), float((nets > 0.0).mean()), float(water), block_s, blocks,
        per_cent=0.01 * max(abs(entering[0]), abs(leaving[0])),
        start=start, edges=edges, entered=loads[:ins].sum(axis=0), left=loads[ins:].sum(axis=0),
    )  # fmt: skip


def _passed(one: Crossing, draws: Array, *, load: float, readings: int, gaps: Array, share: Array) -> Passed:
    """Return what passed a station; `share` (bin,) is that of each bin in the window."""
    return Passed(
        one.station, load, *_band(draws), float(one.discharge @ share), readings, float(gaps @ share)
    )


def _band(draws: Array) -> tuple[float, float]:
    low, high = np.quantile(draws, (0.05, 0.95))
    return float(low), float(high)


def _with_band(value: float, draws: Array) -> tuple[float, float, float]:
    return (float(value), *_band(draws))


def _within(one: Crossing, start: np.datetime64, *, edges: Array) -> Crossing:
    """Return a crossing with the readings that lie in the window, and the last before and the first after it."""
    first, last = (start + np.timedelta64(round(float(edge)), "s") for edge in (edges[0], edges[-1]))
    order = np.argsort(one.time, kind="stable")
    time, value = one.time[order], one.value[order]
    begin = max(int(np.searchsorted(time, first)) - 1, 0)
    end = int(np.searchsorted(time, last, side="right")) + 1
    return Crossing(one.station, one.discharge, time[begin:end], value[begin:end])


def _step(one: Crossing) -> float:
    """Return the usual time between readings [s]."""
    return float(np.median(np.diff(one.time) / np.timedelta64(1, "s"))) if len(one.time) > 1 else DAY_S


def _concentration(one: Crossing, start: np.datetime64, *, edges: Array) -> tuple[Array, Array]:
    """Return the concentration in each bin and whether it lies in a gap, both (bin,)."""
    middle = start + np.round(0.5 * (edges[1:] + edges[:-1])).astype("timedelta64[s]")
    value = at_times(middle, one.time, value=one.value, within_s=max(GAP_S, 3.0 * _step(one)) / 2.0)
    gap = ~np.isfinite(value)
    for way in (one.discharge >= 0.0, one.discharge < 0.0):
        known = way & ~gap
        weight = np.abs(one.discharge[known])
        usual = (
            float(np.average(value[known], weights=weight)) if weight.sum() > 0.0 else float(one.value.mean())
        )
        value[way & gap] = usual
    return value, gap.astype(float)


def _stored(
    inside: Sequence[Crossing],
    *,
    start: np.datetime64,
    edges: Array,
    volume: Array,
    rng: np.random.Generator,
) -> tuple[float, Array]:
    """Return what the water between the stations holds more at the end than at the beginning [kg/d], and draws of it (draw,).

    At either time it holds the mean of the stations, none of which sees what lies between: drawn are concentrations as
    uncertain as they vary at each while that water passes (volume over discharge).
    """
    ends = start + np.round(edges[[0, -1]]).astype("timedelta64[s]")
    value = np.stack([at_times(ends, one.time, value=one.value, within_s=1e12) for one in inside], axis=1)
    through = 0.5 * sum(float(np.abs(one.discharge).mean()) for one in inside)
    passing_s = min(float(volume.mean()) / max(through, 1e-12), float(edges[-1] - edges[0]))
    spread = np.array(
        [[_spread(one, end, within_s=max(passing_s, 2.0 * _step(one))) for one in inside] for end in ends]
    )
    drawn = value + spread * rng.normal(0.0, 1.0, (DRAWS, *value.shape))
    water = volume[[0, -1]] / (edges[-1] - edges[0]) * KG_D
    held = value.mean(axis=1) * water
    return float(held[1] - held[0]), np.diff(drawn.mean(axis=2) * water)[:, 0]


def _spread(one: Crossing, when: np.datetime64, *, within_s: float) -> float:
    """Return the standard deviation of the readings so near to a time, of all where these are fewer than two."""
    near = np.abs((one.time - when) / np.timedelta64(1, "s")) <= within_s
    value = one.value[near] if near.sum() > 1 else one.value
    return float(value.std(ddof=1)) if len(value) > 1 else 0.0


def _drawn(
    sides: tuple[Sequence[Crossing], Sequence[Crossing]],
    loads: Array,
    *,
    seconds: Array,
    block_s: float,
    rng: np.random.Generator,
) -> tuple[Array, int]:
    """Return draws of the mean load past every station (station, draw), and the number of blocks.

    Blocks are drawn with replacement, as many in a row as they resemble each other, the same at all stations; the load of what
    ran either way is scaled to the water that really did.
    """
    every = [*sides[0], *sides[1]]
    begin = np.cumsum(seconds) - seconds
    block = (begin // block_s).astype(int)
    count = int(block[-1]) + 1
    kept = _kept(sides, loads, seconds=seconds, block=block)
    length = block_days(kept, count)
    free = max(count / length - 1.0, 1.0)
    chosen = counts_drawn(count, length, kept=kept, free=free, size=DRAWS, rng=rng)
    found = np.zeros((len(every), DRAWS))
    for k, one in enumerate(every):
        for way in (one.discharge >= 0.0, one.discharge < 0.0):
            water = np.bincount(block[way], weights=(one.discharge * seconds)[way], minlength=count)
            load = np.bincount(block[way], weights=(loads[k] * seconds)[way], minlength=count)
            if not water.any():
                continue
            drawn, moved = chosen @ load, chosen @ water
            safe = np.where(moved == 0.0, 1.0, moved)
            found[k] += np.where(moved == 0.0, load.sum(), drawn / safe * water.sum())
    return found / seconds.sum(), count


def _kept(
    sides: tuple[Sequence[Crossing], Sequence[Crossing]],
    loads: Array,
    *,
    seconds: Array,
    block: NDArray[np.int64],
) -> float:
    """Return how much of a block's load beyond the usual is that of the block before: past a station or in net, the larger."""
    water = np.stack([one.discharge for side in sides for one in side]) * seconds
    usual = np.abs(loads * seconds).sum(axis=1) / np.maximum(np.abs(water).sum(axis=1), 1e-12)
    beyond = np.stack([np.bincount(block, one) for one in loads * seconds - usual[:, None] * water])
    net = beyond[len(sides[0]) :].sum(axis=0) - beyond[: len(sides[0])].sum(axis=0)
    together = np.zeros(beyond.shape[1], np.int64)
    return max(persistence(one, together) for one in (*beyond, net))
