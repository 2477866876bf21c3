"""The Sacramento-San Joaquin Delta as a test of speed: its real topology and lengths, with invented tides.

Channels come from the California Department of Water Resources' DSM2 input (`../shared/data/dsm2_delta`);
sections and tides here are invented, so nothing computed with them is about the real Delta.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.network import Network, Node, Reach

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "dsm2_delta"
FOOT = 0.3048
SECTION_M2, STORAGE_WIDTH_M = 720.0, 300.0
SPEED_M_S = 0.5
DAY = 86400.0


def network() -> Network:
    """Return the channels and nodes; nodes with one channel are boundaries, the sea at the one called 361 an
    outlet."""
    lines = (FOLDER / "hydro_2009calibration_navd88.inp").read_text("utf-8", "replace").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("CHAN_NO"))
    rows = []
    for line in lines[start + 1 :]:
        if line.startswith("END"):
            break
        rows.append(line.split())
    reaches = tuple(Reach(r[0], r[4], r[5], float(r[1]) * FOOT) for r in rows)
    ends = [node for r in reaches for node in (r.from_node, r.to_node)]
    names, degree = np.unique(ends, return_counts=True)
    kinds = {
        n: "boundary" if d == 1 else "junction" for n, d in zip(names.tolist(), degree.tolist(), strict=True)
    }
    kinds["361"] = "outlet"
    return Network(tuple(Node(n, k) for n, k in kinds.items()), reaches, source="dsm2_delta")


def tides(net: Network, *, days: float, seed: int = 1) -> BalancedFlow:
    """Return hourly flow from a linear storage-conveyance model: a tidal sea, steady inflow elsewhere.

    Node heads h obey M dh/dt = -K h + inflow, M from half the surface of each reach at each of its ends.
    """
    n, bins = len(net.nodes), round(days * 24)
    a = np.array([net.node_index(r.from_node) for r in net.reaches])
    b = np.array([net.node_index(r.to_node) for r in net.reaches])
    length = np.array([r.length_m for r in net.reaches])
    conductance = 1.5e7 / length
    surface = STORAGE_WIDTH_M * length
    k = sparse.csr_matrix(
        (np.tile(conductance, 4) * np.repeat([1, 1, -1, -1], len(a)), (np.r_[a, b, a, b], np.r_[a, b, b, a])),
        (n, n),
    )
    m = sparse.csr_matrix((np.tile(surface / 4.0, 4), (np.r_[a, b, a, b], np.r_[a, b, b, a])), (n, n))
    sea = np.array([node.kind == "outlet" for node in net.nodes])
    rng = np.random.default_rng(seed)
    inflow = np.where([node.kind == "boundary" for node in net.nodes], rng.uniform(20.0, 200.0, n), 0.0)
    hours = np.arange(bins + 1)
    tide = 0.9 * np.sin(2.0 * np.pi * hours / 12.42) + 0.3 * np.sin(2.0 * np.pi * hours / 24.84)
    dt = 3600.0
    inner = ~sea
    solve = splu((m / dt + k)[inner][:, inner].tocsc()).solve
    heads = np.zeros((bins + 1, n))
    heads[0, sea] = tide[0]
    for t in range(1, bins + 1):
        heads[t, sea] = tide[t]
        given = (m / dt)[inner] @ heads[t - 1] - ((m / dt + k)[inner][:, sea] @ heads[t, sea]) + inflow[inner]
        heads[t, inner] = solve(given)
    rise = np.diff(heads, axis=0) / dt
    storing = surface * 0.5 * (rise[:, a] + rise[:, b])
    middle = conductance * (heads[1:, a] - heads[1:, b])
    section = np.maximum(SECTION_M2, np.sqrt(np.mean(middle**2, axis=0)) / SPEED_M_S)
    volume = section * length + surface * 0.5 * (heads[:, a] + heads[:, b])
    flow = FlowField(
        np.datetime64("2024-07-01T00:00:00"),
        3600.0 * hours.astype(float),
        tuple(r.id for r in net.reaches),
        middle + 0.5 * storing,
        middle - 0.5 * storing,
        volume,
    )
    return balanced(flow, net)
