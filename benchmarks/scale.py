"""Bar S1: how long a trace takes on a river network of 300 reaches.

`uv run python -m benchmarks.scale --json` invents a county (loops, junctions, storm sewers, a gate, tide that turns the lower
canals), 500 listed outfalls, three stations read hourly for seven days for four determinands, lets one outfall release, and
traces it with 20 flow members, on two threads. The clock runs from where the project is read to where the trace is done; kernels
were compiled on a small county before. Unlisted sources on every reach and at every boundary are candidates on top of the 500;
`--within` draws so few outfalls that all together are about 500. Readings are pooled over three hours, as `suyuan trace` does;
`--every-reading` leaves them as they are. `forward_s` is the time of one forward run: transport of one release over the same
seven days with one flow member, its matrices assembled.

The county, its water and its readings are invented. Other work may share the machine: processor seconds stand beside those
of the clock, and the load beside both. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any
from unittest.mock import patch

import numpy as np

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from suyuan import rolling
from suyuan.flow import BalancedFlow, balanced
from suyuan.observations import pooled
from suyuan.qc import flag
from suyuan.run import POOLED_S, release_edges
from suyuan.substances import Substance, determinand
from suyuan.synthetic import CountySize, Event, Family, draw_event
from suyuan.tracing import posterior, scenes, verdict
from suyuan.tracing.members import FlowMember, flow_members
from suyuan.tracing.prior import default_prior
from suyuan.tracing.result import Trace
from suyuan.transport import operator, reverse, source_receptor
from suyuan.transport.matrix import Source, SourceReceptorMatrix
from suyuan.transport.runs import Releases, forward

DAYS, WARM_UP_DAYS = 7, 4
SIZE = CountySize(columns=60, loops=30, gates=1, side_canals=70, sewers=9, outfalls=500)
SMALL = CountySize(columns=9, loops=2, side_canals=4, sewers=1, outfalls=12)
OUTFALLS_WITHIN = 110
TIDAL = Family("scale", tide=(6.0, 8.0), seen=(25.0, 45.0), days=WARM_UP_DAYS + DAYS)

STAGES: tuple[tuple[object, str, str], ...] = (
    (rolling, "matrix_with", "adjoint matrices"),
    (rolling, "operator_of", "operators"),
    (rolling, "carried", "adjoint matrices: what is carried"),
    (operator, "assembled", "adjoint matrices: assembly"),
    (reverse, "march_back", "adjoint matrices: marching"),
    (source_receptor._Found, "take", "adjoint matrices: gathering"),
    (posterior, "problem_of", "readings"),
    (posterior, "weigh", "weighing"),
    (verdict, "scene_of_two", "weighing: two plumes"),
    (verdict, "scenes_of_events", "weighing: sources in the place of events"),
    (scenes, "_sought", "weighing: seeking"),
    (scenes, "ground_of", "weighing: ground"),
    (scenes, "explain", "weighing: scan"),
    (scenes, "singles_anew", "weighing: settling singles"),
    (scenes, "pairs_anew", "weighing: settling pairs"),
    (posterior, "_findings", "verdict: releases"),
    (posterior, "why_of", "verdict: why"),
    (posterior, "blind_spots", "verdict: blind spots"),
    (posterior, "fits_of", "verdict: fits"),
)
"""Functions whose seconds are counted: where they are called from, and what they do."""


def main() -> None:
    arguments = _arguments()
    outfalls = OUTFALLS_WITHIN if arguments.within else SIZE.outfalls
    pooled_s = 0.0 if arguments.every_reading else POOLED_S
    run_event(draw(1, SMALL), members=2, pooled_s=POOLED_S)  # compiles
    event = draw(arguments.seed, replace(SIZE, outfalls=outfalls))
    bar = bar_of(event, run_event(event, members=arguments.members, pooled_s=pooled_s))
    if arguments.json:
        print(json.dumps({"S1": bar}, indent=2))
        return
    print("S1", *(f"  {key}: {value}" for key, value in bar.items()), sep="\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, a bar by its id")
    parser.add_argument("--seed", type=int, default=14, help="another seed is another county")
    parser.add_argument("--members", type=int, default=20, help="flow members")
    parser.add_argument(
        "--within", action="store_true", help="about 500 candidates in all, unlisted ones too"
    )
    parser.add_argument("--every-reading", action="store_true", help="do not pool readings over three hours")
    return parser.parse_args()


def draw(seed: int, size: CountySize) -> Event:
    """Return the invented event."""
    return draw_event(np.random.default_rng(seed), family=TIDAL, size=size)


# --- the clock


@dataclass
class Clock:
    """Seconds of stages, [wall, processor]: of the thread for what runs in several, of the process for all else.

    A stage that is entered again from within any stage of a like beginning is part of that one.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @contextmanager
    def stage(self, name: str, processor: Callable[[], float] = time.process_time) -> Iterator[None]:
        """Count the seconds of what is done within."""
        began = time.perf_counter(), processor()
        try:
            yield
        finally:
            with self.lock:
                total = self.seconds.setdefault(name, [0.0, 0.0])
                total[0] += time.perf_counter() - began[0]
                total[1] += processor() - began[1]

    def timed(self, work: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return the function, its calls counted as a stage."""
        is_threaded = name.startswith(("adjoint", "operators"))

        def counted(*given: Any, **named: Any) -> Any:
            if is_threaded:
                with self.stage(name, time.thread_time):
                    return work(*given, **named)
            if any(name.partition(":")[1] and each.partition(":")[1] for each in self.open):
                return work(*given, **named)
            self.open.append(name)
            try:
                with self.stage(name):
                    return work(*given, **named)
            finally:
                self.open.pop()

        return counted

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the seconds of STAGES within."""
        with ExitStack() as stack:
            for place, function, name in STAGES:
                stack.enter_context(patch.object(place, function, self.timed(getattr(place, function), name)))
            yield

    def table(self) -> dict[str, dict[str, float]]:
        """Return the seconds of every stage."""
        return {
            name: {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2)}
            for name, (wall, cpu) in sorted(self.seconds.items())
        }


# --- the trace


@dataclass(frozen=True)
class Timed:
    """A trace with its seconds, and the forward runs to compare them with; `load` is before and after."""

    trace: Trace
    matrices: tuple[SourceReceptorMatrix, ...]
    clock: Clock
    forward_s: float
    forward_cpu_s: float
    load: tuple[float, float]


def run_event(event: Event, *, members: int, pooled_s: float) -> Timed:
    """Trace an event as `suyuan trace` does with what it has read, and measure it."""
    clock, rng, load = Clock(), np.random.default_rng(1), os.getloadavg()[0]
    with clock.watching(), clock.stage("whole trace"):
        with clock.stage("readings: flags, means"):
            observations = flag(event.observations).select(since=event.since, until=event.until)
            observations = pooled(observations, every_s=pooled_s) if pooled_s else observations
        with clock.stage("flow: balance, members"):
            flow = balanced(event.flow, event.network)
            drawn = flow_members(event.network, flow, count=members, rng=rng)
        with clock.stage("operators and adjoint matrices"):
            matrices = rolling.matrices_of(
                event.network,
                drawn,
                observations=observations,
                edges=release_edges(flow, (event.since, event.until)),
                progress=lambda *_: None,
            )
        found = posterior.trace(
            observations,
            matrices,
            substances=[Substance(determinand(d), rate / 86400.0) for d, rate in event.decay_per_day.items()],
            fingerprints=event.fingerprints,
            prior=default_prior(event.network, flow),
            rng=rng,
        )
    wall, cpu = forward_run(event, drawn[-1])
    return Timed(found, matrices, clock, wall, cpu, (load, os.getloadavg()[0]))


def forward_run(event: Event, member: FlowMember, *, rounds: int = 3) -> tuple[float, float]:
    """Return wall and processor seconds, the least of some rounds, of one release carried through the seven days."""
    place = event.truth.releases[0].place
    week = FlowMember(last_days(member.flow, DAYS), member.dispersion_factor)
    found = []
    for _ in range(rounds):
        began = time.perf_counter(), time.thread_time()
        rate = np.ones((1, 1, 1))
        source = Source("release", "outfall", place.reach, place.chainage_m)
        release = Releases((source,), week.flow.edges[[0, 24]], rate)
        forward(rolling.operator_of(event.network, week), release)
        found.append((time.perf_counter() - began[0], time.thread_time() - began[1]))
    walls, processors = zip(*found, strict=True)
    return min(walls), min(processors)


def last_days(flow: BalancedFlow, days: int) -> BalancedFlow:
    """Return the last days of a flow."""
    first = int(np.searchsorted(flow.edges, flow.edges[-1] - 86400.0 * days))
    start = flow.start + np.timedelta64(round(float(flow.edges[first])), "s")
    return replace(
        flow,
        start=start,
        edges=flow.edges[first:] - flow.edges[first],
        discharge_start=flow.discharge_start[first:],
        discharge_end=flow.discharge_end[first:],
        volume=flow.volume[first:],
        external=flow.external[first:],
        lateral=flow.lateral[first:],
        lake_volume=flow.lake_volume[first:],
    )


# --- the bar


def bar_of(event: Event, done: Timed) -> dict[str, object]:
    """Return the bar: seconds of the clock, what they were spent on, and whether the answer is right."""
    wall, cpu = done.clock.seconds["whole trace"]
    return {
        "value": round(wall, 1),
        "unit": "s wall, 2 threads",
        "bar": 60.0,
        "stretch": 20.0,
        "cpu_s": round(cpu, 1),
        "forward_s": round(done.forward_s, 3),
        "forward_cpu_s": round(done.forward_cpu_s, 3),
        "multiple_of_forward": round(wall / done.forward_s, 1),
        "multiple_of_forward_cpu": round(cpu / done.forward_cpu_s, 1),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "matrices_gb": round(sum(m.values.nbytes + m.fraction.nbytes for m in done.matrices) / 1e9, 2),
        "load_average": [round(load, 2) for load in done.load],
        "stages": done.clock.table(),
        "answer": answer(event, done.trace),
        "on": setting(event, done),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
    }


def answer(event: Event, found: Trace) -> dict[str, object]:
    """Return what the trace says of the true outfall, and of nobody."""
    truth = event.truth.releases[0].place.candidate
    ids = [finding.candidate.id for finding in found.findings]
    rank = ids.index(truth)
    return {
        "truth": truth,
        "in_90_percent_set": truth in found.credible_set,
        "size_of_set": len(found.credible_set),
        "rank": rank + 1,
        "probability": round(found.findings[rank].probability, 4),
        "leading": {f.candidate.id: round(f.probability, 4) for f in found.findings[:4]},
        "nobody": float(f"{found.no_source_probability:.3g}"),
    }


def setting(event: Event, done: Timed) -> dict[str, object]:
    """Return how large all was."""
    network, matrix = event.network, done.matrices[0]
    both = np.concatenate([event.flow.discharge_start, event.flow.discharge_end])
    least = 0.01 * np.abs(both).max(axis=0)
    turns = (both.max(axis=0) > least) & (both.min(axis=0) < -least)
    return {
        "what": "invented county with loops, junctions, storm sewers, a gate and tide; all data invented",
        "reaches": len(network.reaches),
        "reaches_that_reverse": int(turns.sum()),
        "nodes": len(network.nodes),
        "length_km": round(sum(r.length_m for r in network.reaches) / 1000.0, 1),
        "listed_outfalls": len(network.outfalls),
        "candidates": len(done.trace.findings),
        "points_of_release": len(matrix.sources),
        "stations": len(network.stations),
        "readings": int(event.observations.is_usable.sum()),
        "receptors": len(matrix.receptors),
        "determinands": len(event.decay_per_day),
        "release_bins": len(matrix.edges) - 1,
        "days_of_flow": round(float(event.flow.edges[-1]) / 86400.0, 2),
        "members": len(done.matrices),
        "effective_members": round(done.trace.effective_members, 2),
    }


if __name__ == "__main__":
    main()
