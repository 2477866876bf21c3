"""Bar ROLL of rolling operation: a trace after one more hour of readings, over the same trace made from nothing.

`uv run python -m benchmarks.rolling --json` invents a county, traces it, lets readings come hour by hour, and traces each time
with what the run before has kept and, for comparison, anew; both in the same process, one after the other. `value` is the ratio
of the sums of processor seconds; `matrices` is that of finding the matrices alone: all readings take part in the rest, the
weighing of the evidence and the report. The answers are compared. A last part lets the flow file grow by an hour instead, which
changes the closed flow before, and says by how much the rows change; they are then all computed anew. The exit code is 0
whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from suyuan.asked import Ask
from suyuan.flow import FlowField, balanced
from suyuan.io.flow import read_flow
from suyuan.io.network import read_network
from suyuan.io.project import read_project
from suyuan.io.synthetic_project import write_event
from suyuan.rolling import STORE, rolled_matrices
from suyuan.run import Done, Traced, release_edges, trace_folder
from suyuan.synthetic import demo_event
from suyuan.tracing.members import flow_members

HOUR = np.timedelta64(1, "h")
PARTS = ("wall", "cpu", "matrices_wall", "matrices_cpu")

Seconds = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a bar")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another county")
    parser.add_argument("--hours", type=int, default=3, help="hours of readings that come one by one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "county"
        write_event(demo_event(np.random.default_rng(arguments.seed)), folder)
        bars = {"ROLL": rolled(folder, arguments.hours)}
    if arguments.json:
        print(json.dumps(bars, indent=2))
        return
    for bar, found in bars.items():
        print(bar, *(f"  {key}: {value}" for key, value in found.items()), sep="\n")


def rolled(folder: Path, hours: int) -> dict[str, object]:
    """Return the bar: `hours` readings later, again and again."""
    until = read_project(folder).trace.until
    assert until is not None
    first, _ = timed(
        folder, until - hours * HOUR, keeps_rows=True
    )  # the runs below start from it; it also compiles
    again, anew = defaultdict(float), defaultdict(float)
    rows, same = [], True
    for left in range(hours - 1, -1, -1):
        at = until - left * HOUR
        done, seconds = timed(folder, at, keeps_rows=True)
        whole, fresh = timed(folder, at, keeps_rows=False)
        assert done.kept is not None
        rows.append(done.kept.computed / (done.kept.taken + done.kept.computed))
        same &= answer(done) == answer(whole)
        for part in PARTS:
            again[part] += seconds[part]
            anew[part] += fresh[part]
    size = sum(f.stat().st_size for f in (folder / "results" / STORE).rglob("*.npz"))
    return {
        "value": round(again["cpu"] / anew["cpu"], 3),
        "wall": round(again["wall"] / anew["wall"], 3),
        "matrices": round(again["matrices_cpu"] / anew["matrices_cpu"], 3),
        "rows_computed": round(float(np.mean(rows)), 4),
        "is_same_answer": same,
        "seconds_again": {part: round(again[part] / hours, 2) for part in PARTS},
        "seconds_anew": {part: round(anew[part] / hours, 2) for part in PARTS},
        "store_mb": round(size / 1e6, 1),
        "flow_one_hour_longer": flow_grown(folder, first.traced),
        "on": f"invented county, {hours} hours, {os.cpu_count()} cores, {platform.machine()}",
    }


def timed(folder: Path, until: np.datetime64, *, keeps_rows: bool) -> tuple[Done, Seconds]:
    """Return a run and its seconds, those of the matrices apart."""
    marks: list[tuple[str, float, float]] = []

    def hear(what: str, _: float) -> None:
        marks.append((what, time.perf_counter(), time.process_time()))

    out = folder / ("results" if keeps_rows else "anew")
    ask = Ask(until=f"{until}+00:00", keeps_rows=keeps_rows)
    began = time.perf_counter(), time.process_time()
    done = trace_folder(folder, ask, out=out, now=datetime.now(UTC), progress=hear)
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    first = next(m for m in marks if m[0] == "closing the water balance")
    last = next(m for m in marks if m[0] == "weighing the evidence")
    return done, dict(zip(PARTS, (wall, cpu, last[1] - first[1], last[2] - first[2]), strict=True))


def answer(done: Done) -> tuple[bytes, bytes]:
    """Return what must be equal to the byte."""
    by_name = {path.name: path.read_bytes() for path in done.files}
    return by_name["ranking.csv"], by_name["release.csv"]


def flow_grown(folder: Path, first: Traced) -> dict[str, object]:
    """Return by how much the rows change when the flow file ends an hour later, and the members are drawn as before."""
    project = read_project(folder)
    network = read_network(project.files.network)
    given = read_flow(project.files.flow, timezone=project.zone, network=network)  # type: ignore[arg-type]
    found = []
    for field in (without_last(given), given):
        flow = balanced(field, network)
        members = flow_members(network, flow, count=2, rng=np.random.default_rng(1))
        edges = release_edges(flow, (first.since, first.until))
        found.append(
            rolled_matrices(
                network,
                members,
                observations=first.observations,
                edges=edges,
                progress=lambda *_: None,
            )
        )
    change = []
    for before, after in zip(*found, strict=True):
        size = np.abs(after.matrix.values).max(axis=(1, 2))
        moved = np.abs(after.matrix.values - before.matrix.values).max(axis=(1, 2))
        change.append(moved[size > 0.0] / size[size > 0.0])
    return {
        "median_change_of_a_row": float(np.median(np.concatenate(change))),
        "largest_change_of_a_row": float(np.max(np.concatenate(change))),
    }


def without_last(flow: FlowField) -> FlowField:
    """Return the flow without its last bin."""
    cut = {name: getattr(flow, name)[:-1] for name in ("edges", "discharge_start", "discharge_end", "volume")}
    return replace(flow, **cut, inflow=flow.inflow[:-1] if flow.boundaries else flow.inflow)


if __name__ == "__main__":
    main()
