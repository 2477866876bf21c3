"""Unsteady flow on an invented network: stages at canal nodes, Manning's conveyance, storage, sewers.

Canals: each node holds a stage h; reach r carries Q = K (h_from - h_to), K from Manning's equation at the
stages of the step before (the diffusive wave; Cunge, Holly and Verwey 1980, section 2.5). Half of a reach's
water surface belongs to each end node, so with Q in mid-reach the discharge at the ends is
Q +- (w L / 2) dh/dt, and reach volumes and discharges balance exactly. Gates keep their volume. Sewers fall
freely into the canal as linear reservoirs: volume = travel time x outflow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import FlowField
from suyuan.network import Network
from suyuan.synthetic.forcing import START, STEP_S, Forcing, Weather, draw_forcing

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

LEAST_DEPTH_M = 0.15
GENTLE_SLOPE = 1e-6
"""Surface slope below which conveyance no longer grows, so that slack water stays calm."""

SPIN_UP_STEPS = 288


@dataclass(frozen=True)
class Channels:
    """The network as arrays (reach,): ends as node numbers, lengths [m], and the surface that stores [m2]."""

    begin: Indices
    end: Indices
    is_canal: NDArray[np.bool_]
    length: Array
    width: Array
    area: Array


def draw_flow(network: Network, rng: np.random.Generator, *, weather: Weather | None = None) -> FlowField:
    """Return hourly unsteady flow on `network` that balances exactly; see `run_water` and `hourly`."""
    return hourly(run_water(network, draw_forcing(network, rng, weather=weather)))


def run_water(network: Network, forcing: Forcing) -> FlowField:
    """Return the flow under `forcing`, in bins of STEP_S with volumes at the bin edges.

    Two days before the start are run under the first day's inflow and the first stage: nothing sloshes.
    """
    channels = _channels(network)
    sewer_start, sewer_end, sewer_volume, inflow = _run_sewers(network, channels, forcing=forcing)
    stage, middle = _run_stages(network, channels, forcing=forcing, inflow=inflow)
    rate = np.diff(stage, axis=0) / STEP_S
    half = 0.5 * channels.area
    start = np.where(channels.is_canal, middle + half * rate[:, channels.begin], sewer_start)
    end = np.where(channels.is_canal, middle - half * rate[:, channels.end], sewer_end)
    mean_stage = 0.5 * (stage[:, channels.begin] + stage[:, channels.end])
    canal_volume: Array = channels.width * channels.length * forcing.depth_m + channels.area * mean_stage
    volume = np.where(channels.is_canal, canal_volume, sewer_volume)
    edges: Array = STEP_S * np.arange(len(middle) + 1.0)
    ids = tuple(r.id for r in network.reaches)
    return FlowField(
        START, edges, ids, start, end, volume, forcing.boundaries, forcing.inflow, "synthetic flow"
    )


def hourly(flow: FlowField) -> FlowField:
    """Return hourly means of discharges and inflows, and the volumes at the full hours."""
    per = round(3600.0 / float(flow.edges[1] - flow.edges[0]))

    def mean(course: Array) -> Array:
        return np.asarray(course.reshape(-1, per, course.shape[1]).mean(axis=1))

    return FlowField(
        flow.start,
        flow.edges[::per],
        flow.reaches,
        mean(flow.discharge_start),
        mean(flow.discharge_end),
        flow.volume[::per],
        flow.boundaries,
        mean(flow.inflow),
        flow.source,
    )


def _channels(network: Network) -> Channels:
    gates = {s.reach for s in network.structures}
    length = np.array([r.length_m for r in network.reaches])
    width = np.array([r.width_m for r in network.reaches])
    is_canal = np.array([r.kind == "canal" for r in network.reaches])
    stores = is_canal & np.array([r.id not in gates for r in network.reaches])
    return Channels(
        begin=np.array([network.node_index(r.from_node) for r in network.reaches]),
        end=np.array([network.node_index(r.to_node) for r in network.reaches]),
        is_canal=is_canal,
        length=length,
        width=width,
        area=np.where(stores, length * width, 0.0),
    )


def _run_sewers(
    network: Network, channels: Channels, *, forcing: Forcing
) -> tuple[Array, Array, Array, Array]:
    """Return sewer discharges at both ends (step, reach), volumes (step + 1, reach), inflow (step, node)."""
    steps, reaches = len(forcing.inflow), len(channels.begin)
    inflow = np.zeros((steps, len(network.nodes)))
    for b, name in enumerate(forcing.boundaries):
        inflow[:, network.node_index(name)] += forcing.inflow[:, b]
    start, end, volume = (
        np.zeros((steps, reaches)),
        np.zeros((steps, reaches)),
        np.zeros((steps + 1, reaches)),
    )
    waiting = [int(r) for r in np.flatnonzero(~channels.is_canal)]
    while waiting:
        r = next(r for r in waiting if channels.begin[r] not in channels.end[waiting])
        waiting.remove(r)
        start[:, r] = inflow[:, channels.begin[r]]
        inflow[:, channels.begin[r]] = 0.0
        volume[:, r] = _reservoir(start[:, r], travel_s=float(channels.length[r] / forcing.sewer_speed[r]))
        end[:, r] = start[:, r] - np.diff(volume[:, r]) / STEP_S
        inflow[:, channels.end[r]] += end[:, r]
    return start, end, volume, inflow


def _reservoir(inflow: Array, *, travel_s: float) -> Array:
    """Return the volume (step + 1,) of a linear reservoir, implicit in time, steady at first."""
    volume = np.empty(len(inflow) + 1)
    volume[0] = travel_s * inflow[0]
    for t, q in enumerate(inflow):
        volume[t + 1] = (volume[t] + STEP_S * q) / (1.0 + STEP_S / travel_s)
    return volume


def _run_stages(
    network: Network, channels: Channels, *, forcing: Forcing, inflow: Array
) -> tuple[Array, Array]:
    """Return stages (step + 1, node) [m] and mid-reach discharges (step, reach) [m3/s], zero in sewers."""
    canals = np.flatnonzero(channels.is_canal)
    begin, end = channels.begin[canals], channels.end[canals]
    count = len(network.nodes)
    incidence = np.zeros((count, len(canals)))
    incidence[begin, np.arange(len(canals))] = 1.0
    incidence[end, np.arange(len(canals))] -= 1.0
    storage = 0.5 * np.abs(incidence) @ channels.area[canals] / STEP_S
    lake = np.array([n.kind == "outlet" for n in network.nodes])
    free = np.flatnonzero(~lake & (np.abs(incidence).sum(axis=1) > 0.0))
    conveyance = _conveyance(channels, canals, forcing=forcing)
    steps = len(inflow)
    h, drop = np.full(count, forcing.lake_stage[0]), np.zeros(len(canals))
    stage, middle = np.empty((steps + 1, count)), np.zeros((steps, len(channels.begin)))
    stage[0] = h
    for t in range(-SPIN_UP_STEPS, steps):
        now = max(t, 0)
        k = conveyance(0.5 * (h[begin] + h[end]), drop) * forcing.is_open[now, canals]
        matrix = (incidence * k) @ incidence.T
        matrix[np.diag_indices(count)] += storage
        right = storage * h + (inflow[now] if t >= 0 else inflow[:144].mean(axis=0))
        h = np.where(lake, forcing.lake_stage[now + (t >= 0)], h)
        h[free] = np.linalg.solve(matrix[np.ix_(free, free)], (right - matrix[:, lake] @ h[lake])[free])
        drop = h[begin] - h[end]
        stage[now + (t >= 0)] = h
        if t >= 0:
            middle[t, canals] = k * drop
    return stage, middle


def _conveyance(channels: Channels, canals: Indices, *, forcing: Forcing) -> Callable[[Array, Array], Array]:
    """Return a function of mean stage and fall (canal,) [m]: Manning's discharge per metre of fall [m2/s]."""
    width, length = channels.width[canals], channels.length[canals]
    bed, roughness = forcing.depth_m[canals], forcing.roughness[canals]

    def conveyance(stage: Array, fall: Array) -> Array:
        depth = np.maximum(bed + stage, LEAST_DEPTH_M)
        radius = width * depth / (width + 2.0 * depth)
        slope = np.sqrt((fall / length) ** 2 + GENTLE_SLOPE**2)
        return np.asarray(width * depth * radius ** (2.0 / 3.0) / (roughness * length * np.sqrt(slope)))

    return conveyance
