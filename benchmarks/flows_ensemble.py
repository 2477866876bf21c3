"""Bar F7: an ensemble of flows on the topology of the Sacramento-San Joaquin Delta, followed back from 16 windows.

`uv run python -m benchmarks.flows_ensemble` writes 50 flow samples of seven days (invented tides on the real channels; inflows,
splits, loops and travel times drawn, so that no two are alike; each closed) to one file. The clock runs from where that file
is opened to where the last matrix is there: reading, closing, what is drawn beside the samples, operators, and what a release
at any of 3,269 places in any of 168 hours does to 16 readings, by `suyuan.rolling.matrices_of`. Kernels are compiled before.
`--workers 2` has processes do it, `--members 8` takes fewer samples.

Other work may share the machine: processor seconds stand beside those of the clock. `forward_cpu_s` is one forward run: one
release carried through the seven days of one sample, its matrices assembled. `share_of_copy` is the memory traffic that cannot
be avoided (8 bytes read and 8 written for each cell, step and window, 14 numbers for each cell and step of the assembled
matrices), divided by the processor seconds, over what a copy of large arrays reaches.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import delta
from benchmarks.transport import copy_bandwidth
from suyuan.ensemble import Water, ensemble_of
from suyuan.flow import BalancedFlow, FlowField
from suyuan.io.flow_members import read_flow_members, write_flow_members
from suyuan.network import Network, Station
from suyuan.observations import GOOD, Observations
from suyuan.rolling import matrices_of, operator_of
from suyuan.tracing.given_members import spread_of
from suyuan.tracing.members import FlowErrors, FlowMember, flow_members
from suyuan.tracing.prior import candidate_sources
from suyuan.transport.matrix import Source
from suyuan.transport.runs import Releases, forward
from suyuan.workers import Workers

DAYS, MEMBERS, WINDOWS = 7, 50, 16
STATIONS = (60, 150, 250, 350)
HOURS = (168, 162, 156, 150)


def bars(*only: str, members: int = MEMBERS, workers: Workers | None = None) -> dict[str, dict[str, Any]]:
    """Return F7, if it is asked for."""
    return {} if only and "F7" not in only else {"F7": ensemble_bar(members, workers or Workers())}


@dataclass(frozen=True)
class Seconds:
    """Of the clock, and of the processor with its children."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Seconds:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return cls(time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used))

    def since(self, begin: Seconds) -> Seconds:
        return Seconds(self.wall - begin.wall, self.cpu - begin.cpu)


def ensemble_bar(members: int, workers: Workers) -> dict[str, Any]:
    network = with_stations(delta.network())
    week = delta.tides(network, days=DAYS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flow_members.nc"
        samples = written(network, week, path, count=members)
        run(network, path, members=2, workers=Workers(1))  # compiles
        closing, matrices, found = run(network, path, members=members, workers=workers)
    load = os.getloadavg()[0]
    ahead = forward_run(network, samples[-1])
    operator = operator_of(network, samples[-1])
    work = float(operator.geometry.cells) * operator.steps * members
    traffic = 16.0 * work * WINDOWS + 8.0 * 14 * work
    total = Seconds(closing.wall + matrices.wall, closing.cpu + matrices.cpu)
    spread = spread_of(network, [each.flow for each in samples])
    return {
        "value": round(total.wall, 1),
        "on": f"Delta topology ({len(network.reaches)} channels, {operator.geometry.cells} cells), {DAYS} days, "
        f"{members} flow samples x {WINDOWS} windows, 2 cores shared with other work",
        "beside": {
            "cpu_s": round(total.cpu, 1),
            "cpu_s_over_2": round(total.cpu / 2.0, 1),
            "closing_cpu_s": round(closing.cpu, 1),
            "matrices_cpu_s": round(matrices.cpu, 1),
            "forward_cpu_s": round(ahead.cpu, 2),
            "samples_x_forward_cpu": round(total.cpu / (members * ahead.cpu), 2),
            "cell_window_steps_per_cpu_s": f"{work * WINDOWS / matrices.cpu:.3g}",
            "share_of_copy": round(traffic / matrices.cpu / copy_bandwidth(), 3),
            "spread_of_discharge": round(float(np.nanmedian(spread.discharge)), 3),
            "matrices_gb": round(found / 1e9, 2),
            "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
            "workers": f"{workers.processes} processes" if workers.processes else "2 threads",
            "load_average": round(load, 1),
        },
    }


def with_stations(network: Network) -> Network:
    """Return the network with four stations, each in the middle of a channel."""
    reaches = [network.reaches[i] for i in STATIONS]
    stations = tuple(Station(f"S{r.id}", r.id, 0.5 * r.length_m) for r in reaches)
    return replace(network, stations=stations)


def written(network: Network, flow: BalancedFlow, path: Path, *, count: int) -> tuple[FlowMember, ...]:
    """Write samples of the flow, and return them."""
    samples = flow_members(
        network, flow, count=count, rng=np.random.default_rng(7), errors=FlowErrors(dispersion=0.0)
    )
    ids = tuple(reach.id for reach in network.reaches)
    fields = (
        FlowField(f.start, f.edges, ids, f.discharge_start, f.discharge_end, f.volume)
        for f in (sample.flow for sample in samples)
    )
    write_flow_members(fields, path, names=[str(i) for i in range(count)])
    return samples


def run(network: Network, path: Path, *, members: int, workers: Workers) -> tuple[Seconds, Seconds, float]:
    """Return what reading and closing took, and what the matrices took, and their bytes."""
    begin = Seconds.now()
    given = read_flow_members(path, timezone="UTC", network=network)
    some = type(given)(given.source, given.names[:members], given.readers[:members], network)
    ensemble = ensemble_of(
        Water(None, some),
        network,
        run_on=lambda flow: flow,
        rng=np.random.default_rng(1),
        progress=lambda *_: None,
    )
    closed = Seconds.now()
    matrices = matrices_of(
        network,
        ensemble.members,
        observations=readings(network, ensemble.flow),
        edges=ensemble.flow.edges,
        progress=lambda *_: None,
        workers=workers,
    )
    if len(matrices) != members or not all(m.values.any() for m in matrices):
        raise AssertionError("a matrix is missing or empty")
    return closed.since(begin), Seconds.now().since(closed), float(sum(m.values.nbytes for m in matrices))


def readings(network: Network, flow: BalancedFlow) -> Observations:
    """Return readings of an hour at four stations and four times; their values do not matter here."""
    text = np.full(WINDOWS, "")
    return Observations(
        time=np.tile(flow.start + 3600 * np.array(HOURS).astype("timedelta64[s]"), len(STATIONS)),
        station=np.repeat([station.id for station in network.stations], len(HOURS)),
        determinand=np.full(WINDOWS, "TP"),
        value=np.ones(WINDOWS),
        qualifier=text,
        flag=np.full(WINDOWS, GOOD, np.int8),
        duration_s=np.full(WINDOWS, 3600.0),
        sample_id=text,
    )


def forward_run(network: Network, sample: FlowMember, *, rounds: int = 3) -> Seconds:
    """Return what one release carried through the seven days takes, the least of some rounds."""
    source = next(s for s in candidate_sources(network) if s.reach)
    release = Releases(
        (Source("release", "reach", source.reach, source.chainage_m),),
        sample.flow.edges[[0, 24]],
        np.ones((1, 1, 1)),
    )
    found = []
    for _ in range(rounds):
        begin = Seconds.now()
        forward(operator_of(network, sample), release)
        found.append(Seconds.now().since(begin))
    return min(found, key=lambda each: each.cpu)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument(
        "--workers", default="", help="a number of processes, or the address of a scheduler of dask"
    )
    arguments = parser.parse_args()
    print(json.dumps(bars(members=arguments.members, workers=Workers.of(arguments.workers)), indent=1))


if __name__ == "__main__":
    main()
