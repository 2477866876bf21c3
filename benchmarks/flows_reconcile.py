"""Bars F4 and F5: flow reconciled from gauges, against a ring that SWMM runs, and its time on a large network.

F4 is measured on the rings of SEEDS, each with its own canals, inflows, tide, storms, survey and gauges' errors; `rmse` is the
root mean square error of the mean in all main links without a gauge over their root mean square discharge, `coverage` the share
of hours and links whose true discharge lies within the 5 % and 95 % quantiles of DRAWS flows. F5 is the wall time of the mean and
100 flows.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.hydraulics.gauges import Gauge, Gauges
from suyuan.hydraulics.reconcile import reconcile
from suyuan.network import Network, Node, Reach

Array = NDArray[np.float64]

SEEDS = tuple(range(1, 13))
DRAWS = 200
REACHES, NODES, HOURS, MEMBERS = 500, 480, 168, 100


def bars(*only: str) -> dict[str, dict[str, Any]]:
    """Return the bars asked for, both where none is."""
    found = {"F4": ring_bar, "F5": size_bar}
    return {name: measure() for name, measure in found.items() if name in only or not only}


def ring_bar() -> dict[str, Any]:
    """Return bar F4: accuracy and coverage over all rings, and of each beside it."""
    from benchmarks import flow_ring
    from benchmarks.reconcile_ring import DISCHARGE, STAGE, SURVEY, gauged, surveyed, truth_of

    rows = []
    links = [name for name in flow_ring.MAIN if name not in DISCHARGE]
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            truth = truth_of(Path(folder), seed=seed)
        rng = np.random.default_rng(seed + 77)
        network = surveyed(truth, rng)
        found = reconcile(
            network, gauged(truth, network, rng=rng), rng=np.random.default_rng(0), errors=SURVEY
        )
        at = [network.reach_index(name) for name in links]
        real = np.stack([truth.discharge[name] for name in links], axis=1)
        drawn = np.stack([_middle(f)[:, at] for f in found.sampled(DRAWS, np.random.default_rng(seed))])
        low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
        error = np.mean((_middle(found.flow)[:, at] - real) ** 2)
        rows.append((error, np.mean(real**2), np.mean((low <= real) & (real <= high))))
    errors, sizes, covered = map(np.array, zip(*rows, strict=True))
    return {
        "value": {
            "rmse": round(float(np.sqrt(errors.sum() / sizes.sum())), 4),
            "coverage": round(float(covered.mean()), 4),
        },
        "on": f"{len(SEEDS)} SWMM rings, discharge at {', '.join(DISCHARGE)}, stage at {', '.join(n for n, _ in STAGE)}, "
        "pump and gate logs",
        "beside": {
            "rmse of each ring": [round(float(x), 4) for x in np.sqrt(errors / sizes)],
            "coverage of each ring": [round(float(x), 4) for x in covered],
        },
    }


def _middle(flow: Any) -> Array:
    return np.asarray(0.5 * (flow.discharge_start + flow.discharge_end))


def size_bar() -> dict[str, Any]:
    """Return bar F5: seconds for the mean and 100 flows of an invented tidal delta."""
    network, gauges = delta(np.random.default_rng(0))
    began = time.perf_counter(), time.process_time()
    found = reconcile(network, gauges, rng=np.random.default_rng(0))
    mean_s = time.perf_counter() - began[0]
    count = sum(1 for _ in found.sampled(MEMBERS, np.random.default_rng(1)))
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    return {
        "value": round(wall, 2),
        "on": f"{len(network.reaches)} reaches x {HOURS} h, {len(gauges.gauges)} gauges, mean and {count} flows",
        "beside": {"mean s": round(mean_s, 2), "CPU s": round(cpu, 2), "rounds": found.fit.rounds},
    }


def delta(rng: np.random.Generator) -> tuple[Network, Gauges]:
    """Return an invented delta of 500 reaches with 21 loops, and gauges read from a linear storage-conveyance model of it."""
    place = rng.random((NODES, 2)) * 25_000.0
    away = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))
    ends = {(int(np.argmin(away[i, :i])), i) for i in range(1, NODES)}
    while len(ends) < REACHES:
        i = int(rng.integers(NODES))
        j = int(np.argsort(away[i])[rng.integers(1, 5)])
        if (i, j) not in ends and (j, i) not in ends:
            ends.add((min(i, j), max(i, j)))
    pairs = np.array(sorted(ends)).T
    degree = np.bincount(pairs.ravel(), minlength=NODES)
    leaves = [int(n) for n in np.flatnonzero(degree == 1) if n][::6]
    kinds = {0: "outlet", **dict.fromkeys(leaves, "boundary")}
    nodes = tuple(Node(f"N{i}", kinds.get(i, "junction")) for i in range(NODES))  # type: ignore[arg-type]
    reaches = tuple(
        Reach(f"R{r}", f"N{b}", f"N{a}", float(away[a, b]) + 50.0, width_m=25.0, depth_m=4.0, roughness=0.03)
        for r, (a, b) in enumerate(pairs.T)
    )
    network = Network(nodes, reaches, source="delta")
    return network, _read(network, pairs[::-1], leaves=leaves, rng=rng)


def _read(
    network: Network, ends: NDArray[np.int64], *, leaves: list[int], rng: np.random.Generator
) -> Gauges:
    """Return gauges of the delta's tide: discharge in every 40th reach and at the outlet, stage in every 40th."""
    length = np.array([r.length_m for r in network.reaches])
    surface, step, parts = 25.0 * length, 3600.0, 4
    conductance = 1.5e5 / length * 15.0
    rows = np.zeros((len(length), NODES))
    rows[np.arange(len(length)), ends[0]], rows[np.arange(len(length)), ends[1]] = 1.0, -1.0
    around = np.abs(rows)
    stored = 0.25 * around.T @ (surface[:, None] * around) / (step / parts)
    flowing = rows.T @ (conductance[:, None] * rows)
    free = np.arange(1, NODES)
    inverse = np.linalg.inv((stored + flowing)[np.ix_(free, free)])
    usual = np.zeros(NODES)
    usual[leaves] = rng.uniform(0.5, 2.0, len(leaves))
    h, hours = np.zeros(NODES), HOURS + 48
    stage, discharge = np.zeros((hours + 1, NODES)), np.zeros((hours, len(length)))
    for b in range(hours * parts):
        sea = 0.4 * np.sin(2.0 * np.pi * (b + 1) / parts / 12.42)
        inflow = usual * (1.0 + 0.2 * np.sin(2.0 * np.pi * b / parts / 24.0))
        change = np.zeros(NODES)
        change[0] = sea
        right = stored @ h + inflow - (stored + flowing) @ change
        h = change
        h[free] = inverse @ right[free]
        discharge[b // parts] += conductance * (rows @ h) / parts
        if (b + 1) % parts == 0:
            stage[(b + 1) // parts] = h
    stage, discharge = stage[48:], discharge[48:]
    found = []
    out = int(np.flatnonzero((ends == 0).any(axis=0))[0])
    for r in sorted({out, *range(0, len(length), 40)}):
        sd = max(0.02 * float(np.sqrt(np.mean(discharge[:, r] ** 2))), 0.01)
        read = discharge[:, r] * (1.0 + 0.05 * rng.standard_normal()) + sd * rng.standard_normal(HOURS)
        found.append(
            Gauge(f"Q{r}", "discharge", read, np.full(HOURS, sd), f"R{r}", 0.5 * float(length[r]), share=0.05)
        )
    for r in range(20, len(length), 40):
        read = stage[:, ends[0, r]] + 0.01 * rng.standard_normal(HOURS + 1)
        found.append(Gauge(f"H{r}", "stage", read, np.full(HOURS + 1, 0.01), f"R{r}", 0.0, offset=3.0))
    return Gauges(
        np.datetime64("2024-07-01T00:00:00"), np.arange(HOURS + 1) * step, tuple(found), source="delta"
    )
