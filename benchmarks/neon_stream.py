"""Rio Guilarte as the tracer is told it: a stream of the drip's discharge, its flow, and the loggers' readings.

What is chosen here, and why, stands in `benchmarks.neon`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.neon_record import Drip, Logger
from suyuan.flow import FlowField
from suyuan.network import Network, Node, Reach, Station
from suyuan.observations import GOOD, Observations

Array = NDArray[np.float64]

BIN_S, HOUR_S = 300.0, 3600.0
TAIL_M = 100.0
SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True)
class Stream:
    """The stream of one drip: width, depth [m] and velocity [m/s], from its discharge; `head_m` above the near logger."""

    velocity: float
    depth: float
    width: float
    head_m: float

    @property
    def mixing_length(self) -> float:
        """Dispersion over velocity [m]: 0.011 u W^2 / (d u*), u* = u / 10 (Fischer et al., 1979, eq. 5.19)."""
        return 0.11 * self.width**2 / self.depth

    @property
    def lead_s(self) -> float:
        """Time from the head to the near logger at half the velocity, in whole release bins [s]."""
        return BIN_S * float(np.ceil(self.head_m / (0.5 * self.velocity) / BIN_S))


def stream_of(drip: Drip) -> Stream:
    """Return the stream that carries the drip's discharge q: u = 0.194 q^0.285, d = 0.409 q^0.294 (Raymond et al., 2012)."""
    q = drip.discharge
    velocity, depth = 0.194 * q**0.285, 0.409 * q**0.294
    return Stream(velocity, depth, q / (velocity * depth), drip.far.below_m - drip.near.below_m)


def began(drip: Drip) -> np.datetime64:
    """Return when the drip began by the record: the steepest rise at the near logger, less the time to it."""
    time = (drip.near.time - drip.near.time[0]) / SECOND
    after, before = (_means(time, drip.near.ec, time + by) for by in (0.5 * BIN_S, -0.5 * BIN_S))
    steepest = float(time[np.nanargmax(after - before)])
    return drip.near.time[0] + np.timedelta64(
        round(steepest - drip.near.below_m / stream_of(drip).velocity), "s"
    )


def _means(time: Array, value: Array, middle: Array) -> Array:
    """Return the mean of the readings within half a bin of each `middle`, NaN where the record does not reach so far."""
    total = np.concatenate([[0.0], np.cumsum(value)])
    first = np.searchsorted(time, middle - 0.5 * BIN_S)
    last = np.searchsorted(time, middle + 0.5 * BIN_S)
    whole = (middle - 0.5 * BIN_S >= time[0]) & (middle + 0.5 * BIN_S <= time[-1])
    with np.errstate(invalid="ignore"):
        return np.where(whole, (total[last] - total[first]) / (last - first), np.nan)


def network_of(drip: Drip) -> Network:
    """Return the stream from its head to TAIL_M below the far logger, a reach between loggers."""
    stream = stream_of(drip)
    lengths = (stream.head_m, drip.far.below_m - drip.near.below_m, TAIL_M)
    kinds = ("boundary", "junction", "junction", "outlet")
    reaches = tuple(
        Reach(f"R{i}", f"N{i}", f"N{i + 1}", length, "river", stream.width, stream.depth)
        for i, length in enumerate(lengths)
    )
    stations = tuple(
        Station(logger.station, f"R{i}", lengths[i]) for i, logger in enumerate((drip.near, drip.far))
    )
    nodes = tuple(Node(f"N{i}", kind) for i, kind in enumerate(kinds))
    return Network(nodes, reaches, stations=stations, source="Rio Guilarte")


def flow_of(drip: Drip, network: Network, *, since: np.datetime64, until: np.datetime64) -> FlowField:
    """Return steady flow from an hour before `since` to an hour after `until`."""
    hours = int(np.ceil((until - since) / SECOND / HOUR_S)) + 2
    discharge = np.full((hours, len(network.reaches)), drip.discharge)
    volume = np.array([r.width_m * r.depth_m * r.length_m for r in network.reaches])
    return FlowField(
        start=since - np.timedelta64(round(HOUR_S), "s"),
        edges=HOUR_S * np.arange(hours + 1.0),
        reaches=tuple(r.id for r in network.reaches),
        discharge_start=discharge,
        discharge_end=discharge,
        volume=np.tile(volume, (hours + 1, 1)),
        boundaries=("N0",),
        inflow=np.full((hours, 1), drip.discharge),
        source="Rio Guilarte",
    )


def readings(loggers: Sequence[Logger], *, until: np.datetime64) -> Observations:
    """Return means of five minutes of what the loggers read up to `until`."""
    means = [_binned(logger, until=until) for logger in loggers]
    time = np.concatenate([end for end, _ in means])
    value = np.concatenate([mean for _, mean in means])
    n = len(time)
    return Observations(
        time=time,
        station=np.concatenate(
            [np.full(len(end), logger.station) for logger, (end, _) in zip(loggers, means, strict=True)]
        ),
        determinand=np.full(n, "EC"),
        value=value,
        qualifier=np.full(n, "", dtype="<U1"),
        flag=np.full(n, GOOD, np.int8),
        duration_s=np.full(n, BIN_S),
        sample_id=np.full(n, "", dtype="<U1"),
        source="Rio Guilarte",
    )


def _binned(logger: Logger, *, until: np.datetime64) -> tuple[NDArray[np.datetime64], Array]:
    """Return the ends of whole bins of readings since the first and their means."""
    seconds = (logger.time[logger.time <= until] - logger.time[0]) / SECOND
    whole = int(seconds[-1] // BIN_S)
    bin_of = (seconds // BIN_S).astype(int)
    keep = bin_of < whole
    mean = np.bincount(bin_of[keep], logger.ec[: len(seconds)][keep]) / np.bincount(bin_of[keep])
    ends = logger.time[0] + (BIN_S * np.arange(1, whole + 1)).astype("timedelta64[s]")
    return ends, mean
