"""Accuracy and speed of transport: `python -m benchmarks.transport [--json]`, about a minute and a half.

Rates count seconds of one core (CPU time of the marching thread) and stand beside the copy bandwidth of the
same run. The share of it is what a rate would move if every column of every cell were read and written once a
step.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import erf, erfc, erfcx

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import delta
from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.io.flow import read_flow
from suyuan.io.network import read_network
from suyuan.network import Network, Node, Reach
from suyuan.transport.batches import (
    LANES,
    WIDTH,
    Batch,
    Losses,
    overlaps,
    padded,
    places_of,
    sweep_of,
    touched,
)
from suyuan.transport.march import march_back, march_forward
from suyuan.transport.matrix import Receptors, Source
from suyuan.transport.operator import Bench, TransportOperator, assembled, compile_operator, stretches
from suyuan.transport.reverse import adjoint, backward_batch
from suyuan.transport.runs import Releases, forward
from suyuan.transport.sampling import no_samples, samples_of
from suyuan.transport.source_receptor import source_receptor_matrix

CASES = Path(__file__).parents[2] / "shared" / "cases" / "inputs"
SPEED, DISPERSION, TEN_HOURS = 0.3, 5.0, 36000.0
PULSE = "40 km reach, u 0.3 m/s, D 5 m2/s, dx 100 m, dt 600 s, after 10 h"
Bar = dict[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object, a bar by its id")
    arguments = parser.parse_args()
    bars = {**accuracy(), **exactness(), **speed()}
    if arguments.json:
        print(json.dumps(bars, indent=2))
        return
    for name, bar in bars.items():
        print(f"{name:4} {bar['value']:<12.4g} {bar['unit']:22} {bar['on']}")


def bar(value: float, unit: str, *, on: str, **more: object) -> Bar:
    return {"value": float(value), "unit": unit, "on": on, **more}


# --- accuracy


def canal() -> tuple[Network, BalancedFlow]:
    network = Network((Node("A", "boundary"), Node("B", "outlet")), (Reach("R", "A", "B", 40000.0),))
    discharge, volume = np.full((10, 1), 10.0 * SPEED), np.full((10, 1), 400000.0)
    start, edges = np.datetime64("2024-07-01T00:00:00"), 3600.0 * np.arange(11)
    return network, balanced(FlowField(start, edges, ("R",), discharge, discharge, volume), network)


def accuracy() -> dict[str, Bar]:
    """T1 (Gaussian pulse) and T3 (Ogata & Banks 1961)."""
    network, flow = canal()
    operator = compile_operator(network, flow, dispersion=DISPERSION)
    volume = operator.volume_at(operator.steps)
    edges = np.arange(0.0, 40001.0, 100.0)

    def cloud(centre: float, sigma: float) -> np.ndarray:
        return np.diff(0.5 * erf((edges - centre) / sigma / np.sqrt(2.0))) / 100.0

    got = forward(operator, initial=cloud(10000.0, 150.0)[:, None]).mass[:, 0] / volume
    exact = cloud(10000.0 + SPEED * TEN_HOURS, np.sqrt(150.0**2 + 2.0 * DISPERSION * TEN_HOURS))
    inlet = np.zeros((10, 2, 1))
    inlet[:, 0] = 1.0
    front = forward(operator, boundary=inlet).mass[:, 0] / volume
    x, w = 0.5 * (edges[1:] + edges[:-1]), 2.0 * np.sqrt(DISPERSION * TEN_HOURS)
    b = (x + SPEED * TEN_HOURS) / w
    banks = erfc((x - SPEED * TEN_HOURS) / w) + np.exp(SPEED * x / DISPERSION - b * b) * erfcx(b)
    return {
        "T1": bar(100.0 * np.abs(got - exact).sum() / exact.sum(), "% (L1)", on=f"Gaussian pulse, {PULSE}"),
        "T3": bar(100.0 * np.abs(front - 0.5 * banks).max(), "% (max)", on=f"step inlet, {PULSE}"),
    }


# --- exactness


def ring(bins: int) -> tuple[Network, BalancedFlow]:
    """Return a reversing, storing ring of canals between two boundaries, closed by suyuan itself."""
    nodes = (Node("A", "boundary"), Node("J1"), Node("J2"), Node("J3"), Node("B", "outlet"))
    spans = (
        ("A", "J1", 900.0),
        ("J1", "J2", 1700.0),
        ("J2", "J3", 1300.0),
        ("J1", "J3", 2100.0),
        ("J3", "B", 1100.0),
    )
    reaches = tuple(Reach(f"R{i}", a, b, length) for i, (a, b, length) in enumerate(spans))
    network = Network(nodes, reaches)
    t = 2.0 * np.pi * np.arange(bins + 1)[:, None]
    volume = np.array([r.length_m for r in reaches]) * (10.0 + 1.5 * np.sin(t / 12.4 + np.arange(5) * 0.3))
    storing = np.diff(volume, axis=0) / 3600.0
    around, into = 2.5 * np.sin(t[:-1, 0] / 9.0), 1.0 + 3.0 * np.sin(t[:-1, 0] / 12.4)
    second = 0.5 * (into - storing[:, 0]) + around
    fourth = into - storing[:, 0] - second
    third = second - storing[:, 1]
    fifth = (fourth - storing[:, 3]) + (third - storing[:, 2])
    start = np.column_stack([into, second, third, fourth, fifth])
    ids, edges = tuple(r.id for r in reaches), 3600.0 * np.arange(bins + 1.0)
    when = np.datetime64("2024-07-01T00:00:00")
    return network, balanced(FlowField(when, edges, ids, start, start - storing, volume), network)


def exactness() -> dict[str, Bar]:
    """T4 (mass), T5 (evenness) and T6 (transpose)."""
    network, flow = ring(334)
    operator = compile_operator(network, flow, dispersion=DISPERSION)
    rng = np.random.default_rng(1)
    bins, boundaries = len(flow.edges) - 1, len(operator.geometry.boundaries)
    sources = tuple(Source(f"reach:{r.id}", "reach", r.id, 0.4 * r.length_m) for r in network.reaches)
    columns = 8
    releases = Releases(sources, np.arange(0.0, 1.2e6, 5000.0), rng.random((239, len(sources), columns)))
    boundary, initial = rng.random((bins, boundaries, columns)), rng.random((operator.stores, columns))
    rate, weights = rng.uniform(0.0, 2e-6, columns), rng.random((30, columns))
    receptors = Receptors(
        station=np.full(30, "S"),
        reach=np.full(30, "R2"),
        chainage_m=np.full(30, 470.0),
        time=flow.start + rng.uniform(6e5, 1.2e6, 30).astype("timedelta64[s]"),
        duration_s=np.where(np.arange(30) % 3, 0.0, 5000.0),
    )
    run = forward(
        operator, releases, boundary=boundary, initial=initial, decay_per_s=rate, receptors=receptors
    )
    back = adjoint(
        operator, receptors, weights=weights, places=sources, edges=releases.edges, decay_per_s=rate
    )
    seen = np.einsum("ok,ok->k", run.readings, weights)
    owed = np.einsum("bpk,bpk->k", back.release, releases.rate) + np.einsum(
        "bnk,bnk->k", back.boundary, boundary
    )
    owed += np.einsum("ck,ck,c->k", back.initial, initial, operator.volume_at(0))
    still = forward(operator, releases, boundary=boundary, initial=initial)
    on = f"reversing, storing ring of 5 canals with 2 boundaries, {operator.steps} steps, 8 columns"
    return {
        "T4": bar(np.abs(still.ledger.error).max(), "share of all mass", on=on),
        "T5": evenness(),
        "T6": bar(
            np.abs(seen / owed - 1.0).max(), "relative", on=f"{on}, releases, decay, composites, boundaries"
        ),
    }


def evenness() -> Bar:
    """T5: the largest |c - 1| at the end of each case's flow after closure, worst of all cases."""
    worst = 0.0
    for folder in sorted(CASES.iterdir()):
        network = read_network(folder / "network.gpkg")
        flow = balanced(read_flow(folder / "flow.nc", timezone="Asia/Shanghai", network=network), network)
        operator = compile_operator(network, flow)
        ones = np.ones((len(flow.edges) - 1, len(operator.geometry.boundaries), 1))
        run = forward(operator, boundary=ones, initial=np.ones((operator.stores, 1)))
        worst = max(worst, float(np.abs(run.mass[:, 0] / operator.volume_at(operator.steps) - 1.0).max()))
    return bar(worst, "largest |c - 1|", on="all cases, 12 days in steps of 600 s, after closure")


# --- speed


def best(work: Callable[[], object], *, rounds: int = 9) -> float:
    """Return the least CPU seconds of this thread that a piece of work took."""
    seconds = []
    for _ in range(rounds):
        begin = time.thread_time()
        work()
        seconds.append(time.thread_time() - begin)
    return min(seconds)


def copy_bandwidth() -> float:
    """Return bytes read and written a second when copying 160 MB."""
    source = np.ones(20_000_000)
    target = source.copy()
    return 2.0 * source.nbytes / best(lambda: np.copyto(target, source))


def speed() -> dict[str, Bar]:
    """T7 (marching), T9 (assembly) and T13 (what the backward run saves)."""
    network = delta.network()
    week = delta.tides(network, days=7)
    operator = compile_operator(network, week)
    cells = operator.geometry.cells
    size = f"{len(network.reaches)} channels, {len(network.nodes)} nodes, {cells} cells"
    on = f"Delta topology, {size}, invented tides"
    copy = copy_bandwidth()
    rate = marching(operator)
    assembly = assembly_rate(operator)
    ratio = backward_gain(operator, rate)
    shared = {"copy_GB_per_s": copy / 1e9, "machine": platform.processor() or platform.machine()}
    return {
        "T7": bar(
            rate, "cell-RHS-steps/s/core", on=f"{on}, 64 columns", share_of_copy=16.0 * rate / copy, **shared
        ),
        "T9": bar(assembly, "cell-steps/s", on=on, share_of_copy=8.0 * 14 * assembly / copy, **shared),
        "T13": bar(
            ratio["marching"], "forward / backward time", on=f"{on}, 7 days, 434 x 168, 16 windows", **ratio
        ),
    }


def marching(operator: TransportOperator) -> float:
    """Return cell-RHS-steps a second of one core, 64 columns, the operator's matrices assembled."""
    span, columns, boundaries = range(432, 456), 64, len(operator.geometry.boundaries)
    stretch = assembled(operator, span, bench=Bench.of(operator, len(span))).stretch(span.start, span.stop)
    rng = np.random.default_rng(2)
    held, batches = rng.random((operator.stores, columns)), []
    for first in range(0, columns, WIDTH):
        part = slice(first, first + WIDTH)
        batches.append(
            Batch(
                padded(held, part),
                part,
                no_samples(),
                np.zeros((0, WIDTH)),
                np.zeros(WIDTH),
                sinking=np.zeros(0),
            )
        )
    crossed, outside = np.zeros((2, boundaries, WIDTH)), np.ones((len(span), boundaries, WIDTH))

    def run() -> None:
        for batch in batches:
            sweep = sweep_of(
                operator,
                slice(stretch.first, stretch.last),
                places=places_of(operator, ()),
                batch=batch,
                is_last=False,
            )
            nothing = np.zeros((len(span), 0, WIDTH))
            march_forward(
                operator.mesh,
                operator.system,
                stretch.rows,
                stretch.factors,
                sweep,
                batch.state,
                nothing,
                outside,
                batch.readings,
                crossed,
            )

    run()
    return operator.geometry.cells * len(span) * columns / best(run)


def assembly_rate(operator: TransportOperator) -> float:
    """Return assembled cell-steps a second of one core."""
    span = range(432, 456)
    bench = assembled(operator, span, bench=Bench.of(operator, len(span)))
    return operator.geometry.cells * len(span) / best(lambda: assembled(operator, span, bench=bench))


def backward_gain(operator: TransportOperator, rate: float) -> dict[str, float]:
    """Return how much longer 434 x 168 forward columns would take than the backward run of 16 windows.

    `marching` compares marching with marching, matrices assembled on both sides; `whole` sets the same
    forward time against the whole call: sampling, assembly, marching back and the finished matrix.
    """
    network = operator.network
    touching = {node: r for r in network.reaches for node in (r.from_node, r.to_node)}
    sources = [
        Source(
            f"node:{n.id}",
            "reach",
            touching[n.id].id,
            0.0 if touching[n.id].from_node == n.id else touching[n.id].length_m,
        )
        for n in network.nodes
    ]
    hours, windows = 168, 16
    reach = network.reaches[len(network.reaches) // 2]
    receptors = Receptors(
        station=np.full(windows, "S"),
        reach=np.full(windows, reach.id),
        chainage_m=np.full(windows, 0.5 * reach.length_m),
        time=operator.flow.start + (3600.0 * (hours - np.arange(windows))).astype("timedelta64[s]"),
        duration_s=np.full(windows, 3600.0),
    )
    columns = len(sources) * hours
    ahead = columns * operator.geometry.cells * operator.steps / rate
    whole = best(lambda: source_receptor_matrix(operator, receptors, sources=sources), rounds=2)
    split = min((backward_march(operator, receptors, sources=sources) for _ in range(3)), key=lambda t: t[1])
    return {
        "marching": ahead / split[1],
        "whole": ahead / whole,
        "forward_s": ahead,
        "backward_s": split[1],
        "assembly_s": split[0],
        "matrix_s": whole,
    }


def backward_march(
    operator: TransportOperator, receptors: Receptors, *, sources: list[Source]
) -> tuple[float, float]:
    """March back and gather release bins; return the seconds that assembling took, and those of all else."""
    begin = time.thread_time()
    places, samples, part = places_of(operator, sources), samples_of(operator, receptors), slice(0, LANES)
    batch = backward_batch(
        operator, samples, weights=np.eye(LANES), losses=Losses.of(None, LANES), columns=part
    )
    overlap = overlaps(operator.edges, operator.flow.edges)
    found = np.zeros((len(operator.flow.edges) - 1, len(sources), LANES))
    going, last, boundaries = time.thread_time() - begin, operator.steps, len(operator.geometry.boundaries)
    for stretch in stretches(operator, range(last), is_backward=True):
        ready = time.thread_time()
        size, own = stretch.last - stretch.first, overlap[stretch.first : stretch.last]
        outside, bins = np.empty((size, boundaries, LANES)), touched(own)
        sweep = sweep_of(
            operator,
            slice(stretch.first, stretch.last),
            places=places,
            batch=batch,
            is_last=stretch.last == last,
        )
        matrices = (operator.mesh, operator.system, stretch.rows, stretch.factors)
        at = (own.indptr.astype(np.int64), own.indices.astype(np.int64) - bins.start, own.data)
        march_back(*matrices, sweep, batch.state, batch.readings, at, found[bins], outside)
        going += time.thread_time() - ready
    return time.thread_time() - begin - going, going


if __name__ == "__main__":
    main()
