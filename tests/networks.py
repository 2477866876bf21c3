"""Small named networks with flow that closes exactly; every test says which water it needs by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suyuan.flow import BalancedFlow, WaterBalance
from suyuan.network import Network, Node, Reach, Station

Array = NDArray[np.float64]
START = np.datetime64("2024-07-19T16:00:00")
HOUR = 3600.0


def flow_of(
    network: Network,
    start: Array,
    volume: Array,
    *,
    seconds: float = HOUR,
    lateral: Array | float = 0.0,
    rain: Array | float = 0.0,
) -> BalancedFlow:
    """Return the flow with these discharges at from_nodes and volumes at edges.

    Shapes are (bin, reach) and (bin + 1, reach). Discharge at to_nodes follows from the volumes and what enters along reaches,
    `lateral` (bin, reach), what enters at boundaries from the nodes' balance; at junctions the caller must have seen to it.
    Lakes store what comes, `rain` (bin, node) [m3/s] included.
    """
    bins = len(start)
    along = np.broadcast_to(np.asarray(lateral, float), start.shape).copy()
    end = start - np.diff(volume, axis=0) / seconds + along
    external = np.zeros((bins, len(network.nodes)))
    for r, reach in enumerate(network.reaches):
        external[:, network.node_index(reach.from_node)] += start[:, r]
        external[:, network.node_index(reach.to_node)] -= end[:, r]
    closed = [n.kind in ("junction", "manhole") for n in network.nodes]
    assert np.abs(external[:, closed]).max(initial=0.0) < 1e-9
    external[:, closed] = 0.0
    holds = np.array([n.kind == "lake" and n.volume_m3 > 0.0 for n in network.nodes])
    falling = np.where(holds, np.broadcast_to(np.asarray(rain, float), external.shape), 0.0)
    gained = np.cumsum((falling - external) * seconds, axis=0)
    first = np.where(holds, [n.volume_m3 for n in network.nodes], np.nan)
    held = first + np.vstack([np.zeros(len(holds)), gained])
    external = np.where(holds, falling, external)
    nodes, reaches = tuple(n.id for n in network.nodes), tuple(r.id for r in network.reaches)
    none, nothing = np.zeros(len(nodes)), np.zeros(len(reaches))
    balance = WaterBalance(nodes, reaches, 0.0, none, none, nothing, nothing)
    edges = seconds * np.arange(bins + 1.0)
    return BalancedFlow(START, edges, start, end, volume, external, balance, along, held)


def steady(network: Network, discharge: Array, *, section_m2: float = 10.0, hours: int = 24) -> BalancedFlow:
    """Return flow that never changes, with the same cross-section everywhere."""
    volume = section_m2 * np.array([r.length_m for r in network.reaches])
    return flow_of(network, np.tile(discharge, (hours, 1)), np.tile(volume, (hours + 1, 1)))


def single_reach(
    *, length_m: float = 4000.0, velocity: float = 0.3, hours: int = 24
) -> tuple[Network, BalancedFlow]:
    """Return one straight canal of 10 m2 from a boundary A to an outlet B."""
    network = Network(
        (Node("A", "boundary"), Node("B", "outlet")),
        (Reach("R", "A", "B", length_m),),
        stations=(Station("S", "R", 0.75 * length_m),),
    )
    return network, steady(network, np.array([10.0 * velocity]), hours=hours)


def confluence() -> tuple[Network, BalancedFlow]:
    """Return two canals, 1 and 3 m3/s, that meet at J and run on to an outlet."""
    nodes = (Node("A", "boundary"), Node("B", "boundary"), Node("J"), Node("C", "outlet"))
    reaches = (Reach("RA", "A", "J", 1500.0), Reach("RB", "B", "J", 2100.0), Reach("RC", "J", "C", 3000.0))
    network = Network(nodes, reaches, stations=(Station("S", "RC", 2000.0),))
    return network, steady(network, np.array([1.0, 3.0, 4.0]))


def loop(*, hours: int = 48) -> tuple[Network, BalancedFlow]:
    """Return a ring of three canals, a boundary and an outlet; flow reverses and canals fill and empty."""
    nodes = (Node("A", "boundary"), Node("J1"), Node("J2"), Node("J3"), Node("B", "outlet"))
    reaches = (
        Reach("in", "A", "J1", 900.0),
        Reach("r12", "J1", "J2", 1700.0),
        Reach("r23", "J2", "J3", 1300.0),
        Reach("r13", "J1", "J3", 2100.0),
        Reach("out", "J3", "B", 1100.0),
    )
    network = Network(nodes, reaches, stations=(Station("S", "r23", 400.0),))
    t = np.arange(hours + 1) * 2.0 * np.pi
    lengths = np.array([r.length_m for r in reaches])
    phase = np.array([0.0, 0.4, 0.9, 0.5, 1.2])
    volume = lengths * (10.0 + 1.5 * np.sin(t[:, None] / 12.4 + phase))
    storing = np.diff(volume, axis=0) / HOUR
    around = 2.5 * np.sin(t[:-1] / 9.0)
    into = 1.0 + 3.0 * np.sin(t[:-1] / 12.4)
    r12 = 0.5 * (into - storing[:, 0]) + around
    r13 = into - storing[:, 0] - r12
    r23 = r12 - storing[:, 1]
    out = (r13 - storing[:, 3]) + (r23 - storing[:, 2])
    return network, flow_of(network, np.column_stack([into, r12, r23, r13, out]), volume)


def tidal(*, hours: int = 50) -> tuple[Network, BalancedFlow]:
    """Return one canal that ebbs and floods between a river and the sea."""
    network = Network(
        (Node("A", "boundary"), Node("B", "outlet")),
        (Reach("R", "A", "B", 6000.0),),
        stations=(Station("S", "R", 3000.0),),
    )
    t = 2.0 * np.pi * np.arange(hours + 1) / 12.4
    volume = 6000.0 * (12.0 + 2.0 * np.sin(t))[:, None]
    start = (0.4 + 2.0 * np.cos(t[:-1] + 0.5))[:, None]
    return network, flow_of(network, start, volume)


def gate() -> tuple[Network, BalancedFlow]:
    """Return a canal with a side arm behind a gate that is shut every other six hours."""
    nodes = (Node("A", "boundary"), Node("J"), Node("G"), Node("D", "boundary"), Node("B", "outlet"))
    reaches = (
        Reach("main", "A", "J", 2000.0),
        Reach("low", "J", "B", 2500.0),
        Reach("arm", "J", "G", 800.0),
        Reach("far", "G", "D", 700.0),
    )
    network = Network(nodes, reaches, stations=(Station("S", "low", 1500.0),))
    hours = np.arange(48)
    arm = np.where((hours // 6) % 2 == 0, 0.0, -0.8)
    flow = np.column_stack([np.full(48, 2.0), 2.0 - arm, arm, arm])
    volume = np.tile([20000.0, 25000.0, 6000.0, 5000.0], (49, 1))
    return network, flow_of(network, flow, volume)


def drain_tree() -> tuple[Network, BalancedFlow]:
    """Return storm sewers, quick enough to be flushed within a step, that drain into a slow canal."""
    nodes = (
        *(Node(f"H{i}", "boundary") for i in range(4)),
        *(Node(f"M{i}", "manhole") for i in range(3)),
        Node("J"),
        Node("A", "boundary"),
        Node("B", "outlet"),
    )
    reaches = (
        *(Reach(f"s{i}", f"H{i}", f"M{i // 2}", 60.0 + 25.0 * i, kind="storm_sewer") for i in range(4)),
        Reach("t0", "M0", "M2", 80.0, kind="storm_sewer"),
        Reach("t1", "M1", "M2", 120.0, kind="storm_sewer"),
        Reach("t2", "M2", "J", 90.0, kind="storm_sewer"),
        Reach("up", "A", "J", 1500.0),
        Reach("down", "J", "B", 2500.0),
    )
    network = Network(nodes, reaches, stations=(Station("S", "down", 1800.0),))
    sewer = np.array([0.05, 0.03, 0.08, 0.02])
    q = np.array([*sewer, sewer[:2].sum(), sewer[2:].sum(), sewer.sum(), 1.5, 1.5 + sewer.sum()])
    rain = 1.0 + 2.0 * np.exp(-(((np.arange(30) - 10.0) / 3.0) ** 2))
    discharge = rain[:, None] * q
    discharge[:, 7] = 1.5
    discharge[:, 8] = 1.5 + rain * sewer.sum()
    section = np.array([0.1] * 4 + [0.15, 0.15, 0.25, 8.0, 9.0])
    volume = np.tile(section * np.array([r.length_m for r in reaches]), (31, 1))
    return network, flow_of(network, discharge, volume)


def lake() -> tuple[Network, BalancedFlow]:
    """Return a river into a mixed lake of 20,000 m3 and one out of it that draws it down and fills it."""
    nodes = (Node("A", "boundary"), Node("L", "lake", volume_m3=20000.0), Node("B", "outlet"))
    reaches = (Reach("in", "A", "L", 1000.0), Reach("out", "L", "B", 1000.0))
    network = Network(nodes, reaches, stations=(Station("S", "out", 500.0),))
    t = np.arange(48)
    discharge = np.column_stack([np.full(48, 1.0), 1.0 + 0.5 * np.sin(2.0 * np.pi * t / 24.0)])
    volume = np.tile([10000.0, 10000.0], (49, 1))
    return network, flow_of(network, discharge, volume)


def rings(*, turns: float, held: bool = False, hours: int = 2) -> tuple[Network, BalancedFlow]:
    """Return two rings of canals that meet at J, in each of which water goes round `turns` times in 600 s.

    Besides, 3 m3/s run from A to B; if `held`, J is a lake.
    """
    kind = Node("J", "lake", volume_m3=5000.0) if held else Node("J")
    nodes = (Node("A", "boundary"), kind, Node("K"), Node("M"), Node("B", "outlet"))
    reaches = (
        Reach("in", "A", "J", 900.0),
        Reach("jk", "J", "K", 400.0),
        Reach("kj", "K", "J", 600.0),
        Reach("jm", "M", "J", 500.0),
        Reach("mj", "J", "M", 500.0),
        Reach("out", "K", "B", 1100.0),
        Reach("by", "M", "B", 700.0),
    )
    network = Network(nodes, reaches, stations=(Station("S", "out", 400.0),))
    through, round_ = 3.0, np.round(10.0 * 1000.0 * turns / 600.0)
    discharge = [through, round_ + 2.0, round_, round_, round_ + 1.0, 2.0, 1.0]
    return network, steady(network, np.array(discharge), hours=hours)


ALL = {f.__name__: f for f in (single_reach, confluence, loop, tidal, gate, drain_tree, lake)}
"""Every network here by its name."""
