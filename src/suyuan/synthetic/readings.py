"""Readings as invented stations report them, and the flow as an invented bureau's model gives it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import FlowField
from suyuan.network import Network
from suyuan.observations import GOOD, Observations
from suyuan.synthetic.quality import Waters
from suyuan.synthetic.releases import WARM_UP_H
from suyuan.synthetic.waters import DETERMINANDS, Noise

Array = NDArray[np.float64]

MISSED = 0.02
"""Share of readings that simply never arrive."""


def observe(
    waters: Waters,
    network: Network,
    *,
    start: np.datetime64,
    noise: Noise,
    every_h: int,
    rng: np.random.Generator,
) -> Observations:
    """Return noisy, gappy, rounded readings every `every_h` hours, from the end of the warm-up on.

    `start` is when the waters' first hour begins [datetime64[s] UTC]. Each station is also silent for a
    spell or two of 3 to 12 h. A reading below its detection limit is given as `<` the limit.
    """
    hours = np.arange(WARM_UP_H, len(waters.concentration), every_h)
    parts = []
    for station in network.stations:
        truth = waters.at(network, (station.reach, station.chainage_m))[hours]
        read = np.maximum(truth + noise.sd(truth) * rng.normal(size=truth.shape), 0.0)
        arrived = _arrived(rng, hours)[:, None] & (rng.random(read.shape) >= MISSED)
        arrived[-1, 0] = True  # the window ends with a reading
        parts += [
            (h, station.id, d, read[t, d]) for t, h in enumerate(hours) for d in np.flatnonzero(arrived[t])
        ]
    parts.sort(key=lambda part: part[0])
    hour, place, which, value = map(np.array, zip(*parts, strict=True))
    limit = noise.limit[which]
    return Observations(
        time=start + hour * np.timedelta64(3600, "s"),
        station=place,
        determinand=np.array(DETERMINANDS)[which],
        value=_rounded(np.maximum(value, limit)),
        qualifier=np.where(value < limit, "<", ""),
        flag=np.full(len(hour), GOOD, np.int8),
        duration_s=np.zeros(len(hour)),
        sample_id=np.full(len(hour), ""),
        source="invented readings",
    )


def _arrived(rng: np.random.Generator, hours: NDArray[np.int64]) -> NDArray[np.bool_]:
    arrived = np.ones(len(hours), bool)
    for _ in range(int(rng.integers(1, 3))):
        silent = int(rng.integers(hours[0], hours[-1]))
        arrived &= (hours < silent) | (hours >= silent + int(rng.integers(3, 13)))
    return arrived


def _rounded(value: Array) -> Array:
    """Return values with four significant digits.

    >>> _rounded(np.array([0.0123456, 623.456]))
    array([1.235e-02, 6.235e+02])
    """
    digits = 3 - np.floor(np.log10(np.maximum(value, 1e-12)))
    return np.asarray(np.round(value * 10.0**digits) / 10.0**digits)


def reported(flow: FlowField, rng: np.random.Generator, *, error: float = 1.0) -> FlowField:
    """Return hourly flow as a model exports it: volumes are means over the hour, and it does not close.

    Each reach's discharges are off by a log-sd of 0.015 throughout and 0.01 from hour to hour (times
    `error`), and rounded to 0.1 L/s.
    """
    bins, reaches = flow.discharge_start.shape
    wrong = np.exp(error * (0.015 * rng.normal(size=reaches) + 0.01 * rng.normal(size=(bins, reaches))))
    return FlowField(
        flow.start,
        flow.edges,
        flow.reaches,
        np.round(flow.discharge_start * wrong, 4),
        np.round(flow.discharge_end * wrong, 4),
        0.5 * (flow.volume[1:] + flow.volume[:-1]),
        flow.boundaries,
        np.round(flow.inflow, 4),
        "invented flow",
    )
