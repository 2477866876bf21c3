"""Turns SWMM's pieces into hourly discharge and volume of whole reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.worlds.draw import pieces
from benchmarks.worlds.style import FLOW_HOUR
from benchmarks.worlds.swmm import Run
from benchmarks.worlds.weather import Array, Weather
from suyuan.network import Network


@dataclass(frozen=True)
class ReachFlow:
    """Hourly means from FLOW_HOUR on.

    `discharge_start`, `discharge_end` [m3/s] and `volume` [m3] have shape (hour, reach);
    `inflow` [m3/s] has shape (hour, boundary).
    """

    discharge_start: Array
    discharge_end: Array
    volume: Array
    boundaries: tuple[str, ...]
    inflow: Array


def reach_flow(network: Network, weather: Weather, *, run: Run) -> ReachFlow:
    """Return the hourly flow of every reach; discharge at an end is that of its first or last piece."""
    first = [run.links[f"{r.id}.0"] for r in network.reaches]
    last = [run.links[f"{r.id}.{pieces(r) - 1}"] for r in network.reaches]
    volume = np.stack(
        [
            run.volume[:, [run.links[f"{r.id}.{c}"] for c in range(pieces(r))]].sum(axis=1)
            for r in network.reaches
        ],
        axis=1,
    )
    boundaries = tuple(weather.inflow)
    inflow = np.stack([0.5 * (q[1:] + q[:-1]) for q in weather.inflow.values()], axis=1)[FLOW_HOUR:]
    starts, ends = run.flow[FLOW_HOUR:, first].astype(float), run.flow[FLOW_HOUR:, last].astype(float)
    return ReachFlow(starts, ends, volume[FLOW_HOUR:].astype(float), boundaries, inflow)
