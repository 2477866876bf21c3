"""A canal ring with a tide, moved by a model that is not the one under test: local inertia, step by step, one node a junction."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.hydraulics.gauges import Gauge, Gauges
from suyuan.network import Network, Node, Reach, Structure

Array = NDArray[np.float64]
START = np.datetime64("2024-07-01T00:00:00")
HOUR, SECONDS, GRAVITY = 3600.0, 60.0, 9.81


@dataclass(frozen=True)
class Truth:
    """What really flows: the network with its true sizes, hourly mean discharge (bin, reach), stage at full hours (bin + 1, node)
    and whether the gate is open (bin,)."""

    network: Network
    discharge: Array
    stage: Array
    opening: Array

    def of(self, reach: str) -> Array:
        """Return the true discharge of a reach, (bin,)."""
        return np.asarray(self.discharge[:, self.network.reach_index(reach)])


def ring(rng: np.random.Generator, *, hours: int = 72) -> Truth:
    """Return the water of a ring of six canals, two inflows, a canal to the sea, and a gate across, shut half the day."""
    nodes = (
        *(Node(f"J{i}") for i in range(6)),
        Node("A", "boundary"),
        Node("B", "boundary"),
        Node("O", "outlet"),
    )
    ends = [
        *((f"J{i}", f"J{(i + 1) % 6}") for i in range(6)),
        ("A", "J0"),
        ("B", "J2"),
        ("J4", "O"),
        ("J1", "J3"),
    ]
    names = [*(f"C{i}" for i in range(6)), "IA", "IB", "OUT", "G"]
    reaches = tuple(
        Reach(
            n,
            a,
            b,
            float(rng.uniform(900.0, 1500.0)),
            width_m=float(rng.uniform(15.0, 25.0)),
            depth_m=2.0,
            roughness=0.03,
        )
        if n != "G"
        else Reach(n, a, b, 1.0, width_m=2.0, depth_m=1.0)
        for n, (a, b) in zip(names, ends, strict=True)
    )
    network = Network(nodes, reaches, structures=(Structure("gate", "G", "gate"),), source="ring")
    return Truth(network, *_moved(network, rng, hours=hours))


def _moved(network: Network, rng: np.random.Generator, *, hours: int) -> tuple[Array, Array, Array]:
    """Return hourly means of discharge (bin, reach), stage at full hours (bin + 1, node) and the gate's opening (bin,)."""
    ends = np.array([[network.node_index(n) for n in (r.from_node, r.to_node)] for r in network.reaches]).T
    length, width = (np.array([getattr(r, k) for r in network.reaches]) for k in ("length_m", "width_m"))
    gate, sea = network.reach_index("G"), network.node_index("O")
    area = np.where(np.arange(len(length)) == gate, 0.0, 0.5 * length * width)
    surface = np.bincount(ends[0], area, len(network.nodes)) + np.bincount(ends[1], area, len(network.nodes))
    phase, warm_up = rng.uniform(0.0, 6.28), 24
    inflow = {network.node_index("A"): rng.uniform(1.0, 2.5), network.node_index("B"): rng.uniform(0.5, 1.5)}
    storm = rng.uniform(10.0, hours)
    q, h = np.zeros(len(length)), np.zeros(len(network.nodes))
    steps = round(HOUR / SECONDS)
    discharge, stage = np.zeros((hours, len(length))), np.zeros((hours + 1, len(h)))
    is_open = np.array([float((b + 6) % 12 < 6) for b in range(-warm_up, hours)])
    for step in range((warm_up + hours) * steps):
        t = step * SECONDS / HOUR - warm_up
        fall = h[ends[0]] - h[ends[1]]
        depth = 2.0 + 0.5 * (h[ends[0]] + h[ends[1]])
        section = width * depth
        k2 = (section * (section / (width + 2.0 * depth)) ** (2.0 / 3.0) / 0.03) ** 2
        speed_up = GRAVITY * section / length * SECONDS
        last = q[gate]
        q = (q + speed_up * fall) / (1.0 + speed_up * length * np.abs(q) / k2)
        rush = (
            GRAVITY * 2.0 / 100.0 * SECONDS
        )  # 2 m2 of opening, and 100 m of water that must be set in motion
        cost = 1.0 / (2.0 * GRAVITY * (0.65 * 2.0) ** 2)
        opened = (last + rush * fall[gate]) / (1.0 + rush * cost * abs(last))
        q[gate] = opened if is_open[int(t + warm_up)] else 0.0
        net = np.bincount(ends[1], q, len(h)) - np.bincount(ends[0], q, len(h))
        rain = 1.0 + 1.2 * max(t - storm, 0.0) / 5.0 * np.exp(1.0 - max(t - storm, 0.0) / 5.0)
        for node, usual in inflow.items():
            net[node] += usual * rain * (1.0 + 0.2 * np.sin(6.28 * t / 24.0))
        h = h + SECONDS * net / surface
        h[sea] = 0.4 * np.sin(6.28 * t / 12.42 + phase)
        if t >= 0.0:
            discharge[int(t)] += q / steps
        if t >= 0.0 and step % steps == 0:
            stage[int(t)] = h
    stage[-1] = h
    return discharge, stage, is_open[warm_up:]


def believed(truth: Truth, rng: np.random.Generator, *, conveyance: float, width: float) -> Network:
    """Return the network as surveyed: widths and roughness off by these log standard deviations."""
    reaches = []
    for reach in truth.network.reaches:
        if reach.id == "G":
            reaches.append(reach)
            continue
        wider = float(np.exp(width * rng.standard_normal()))
        rougher = float(np.exp(conveyance * rng.standard_normal()))
        reaches.append(
            replace(reach, width_m=reach.width_m * wider, roughness=reach.roughness * wider * rougher)
        )
    return replace(truth.network, reaches=tuple(reaches))


def gauges_of(
    truth: Truth, rng: np.random.Generator, *, discharge: tuple[str, ...], share: float = 0.03
) -> Gauges:
    """Return gauges of discharge halfway along these reaches, of stage at J4 and J1, and the gate's log; errors as they say."""
    bins, found = len(truth.discharge), []
    for reach in discharge:
        sd = 0.02 * float(np.sqrt(np.mean(truth.of(reach) ** 2)))
        value = truth.of(reach) * (1.0 + share * rng.standard_normal()) + sd * rng.standard_normal(bins)
        middle = 0.5 * truth.network.reach(reach).length_m
        found.append(Gauge(reach, "discharge", value, np.full(bins, sd), reach, middle, share=share))
    for name, reach in (("J4", "OUT"), ("J1", "C1")):
        level = truth.stage[:, truth.network.node_index(name)] + 0.01 * rng.standard_normal(bins + 1)
        found.append(Gauge(name, "stage", level, np.full(bins + 1, 0.01), reach, 0.0, offset=3.0))
    found.append(Gauge("gate", "opening", truth.opening, np.ones(bins), "G"))
    return Gauges(START, np.arange(bins + 1) * HOUR, tuple(found))
