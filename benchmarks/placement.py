"""Bar W2 of station placement: five sensors on the Net3 impact table, the least mean impact.

`uv run python -m benchmarks.placement --json` prints the mean impact by greedy, by greedy with exchanges, by the search with
its proof, and by integer programming (HiGHS), each with its sensors and seconds, beside the optimum published with Chama. The
table is that of the Water Security Toolkit (EPA; see the README beside it) and is read from ../shared. With `--scale` a second
object holds wall and processor seconds of following test releases and of choosing, on an invented network of 300 reaches;
no bar asks for it. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from suyuan.flow import BalancedFlow, FlowField, balanced
from suyuan.network import Network, Node, Outfall, Reach
from suyuan.tracing.placement.choose import choose, exchanged, greedy
from suyuan.tracing.placement.worth import ImpactTable, Worth

NET3 = Path(__file__).resolve().parents[2] / "shared/data/wst-inversion-cases/networks/Net3_ec.impact"
PUBLISHED = 8655.80
PUBLISHED_SENSORS = (16, 21, 28, 38, 65)
SENSORS = 5
HOUR_S = 3600.0

Bar = dict[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a bar")
    parser.add_argument("--scale", action="store_true", help="also measure the invented network")
    arguments = parser.parse_args()
    bars = {"W2": net3_bar(), **({"scale": scale()} if arguments.scale else {})}
    if arguments.json:
        print(json.dumps(bars, indent=2))
        return
    for name, bar in bars.items():
        print(name, *(f"  {key}: {value}" for key, value in bar.items()), sep="\n")


def read_impact(path: Path) -> tuple[ImpactTable, NDArray[np.int64]]:
    """Return the impact table of a WST file and the location of each of its columns.

    Two header lines, then rows: scenario, location (-1: nobody detects it), time, impact.
    """
    rows = np.array([[float(x) for x in line.split()] for line in path.read_text("utf-8").splitlines()[2:]])
    scenarios, scenario = np.unique(rows[:, 0], return_inverse=True)
    locations = np.unique(rows[:, 1][rows[:, 1] >= 0.0]).astype(np.int64)
    is_undetected = rows[:, 1] == -1.0
    impact = np.full((len(scenarios), len(locations)), np.nan)
    undetected = np.full(len(scenarios), np.nan)
    undetected[scenario[is_undetected]] = rows[is_undetected, 3]
    seen = ~is_undetected
    impact[scenario[seen], np.searchsorted(locations, rows[seen, 1])] = rows[seen, 3]
    return ImpactTable(impact, undetected), locations


def by_integer_programming(table: Worth, count: int) -> tuple[int, ...]:
    """Return the best places by HiGHS: p-median as ReVelle & Swain (1970), another way to the same optimum."""
    columns = np.stack([table.column(j) for j in range(table.places)], axis=1)
    row, place = np.nonzero(columns > 0.0)
    entries = len(row)
    gain = table.weight[row] * columns[row, place]
    own = sparse.csr_array((np.ones(entries), (np.arange(entries), table.places + np.arange(entries))))
    taken = sparse.csr_array((np.ones(entries), (np.arange(entries), place)), own.shape)
    once = sparse.csr_array((np.ones(entries), (row, table.places + np.arange(entries))))
    number = np.concatenate([np.ones(table.places), np.zeros(entries)])
    found = milp(
        np.concatenate([np.zeros(table.places), -gain]),
        integrality=number,
        bounds=Bounds(0.0, 1.0),
        constraints=[
            LinearConstraint(own - taken, -np.inf, 0.0),
            LinearConstraint(once, -np.inf, 1.0),
            LinearConstraint(number[None, :], -np.inf, float(count)),
        ],
        options={"mip_rel_gap": 1e-9},
    )
    return tuple(np.argsort(-found.x[: table.places], kind="stable")[:count].tolist())


def net3_bar() -> Bar:
    """Return the mean impact of five sensors on Net3 by each way."""
    where = f"{os.cpu_count()} cores, {platform.machine()}"
    if not NET3.exists():
        return {"value": None, "on": f"no {NET3.name} in ../shared, {where}"}
    table, locations = read_impact(NET3)
    ways: dict[str, Callable[[], Sequence[int]]] = {
        "greedy": lambda: greedy(table, SENSORS).chosen,
        "greedy_and_exchanges": lambda: exchanged(table, greedy(table, SENSORS).chosen),
        "search": lambda: choose(table, SENSORS).chosen,
        "integer_programming": lambda: by_integer_programming(table, SENSORS),
    }
    found = {name: _timed(table, locations, way) for name, way in ways.items()}
    best = choose(table, SENSORS)
    value = table.mean_impact(best.chosen)
    return {
        "value": value,
        "published": PUBLISHED,
        "above_published": value / PUBLISHED - 1.0,
        "sensors": sorted(locations[list(best.chosen)].tolist()),
        "is_proved_best": best.is_best,
        "published_sensors_give": table.mean_impact(np.searchsorted(locations, PUBLISHED_SENSORS).tolist()),
        "ways": found,
        "on": f"{len(table.undetected)} scenarios, {table.places} places, {where}",
    }


def _timed(table: ImpactTable, locations: NDArray[np.int64], way: Callable[[], Sequence[int]]) -> Bar:
    began = time.perf_counter()
    chosen = list(way())
    seconds = time.perf_counter() - began
    sensors = sorted(locations[chosen].tolist())
    return {"mean_impact": table.mean_impact(chosen), "sensors": sensors, "seconds": round(seconds, 4)}


def invented_tree(
    *, reaches: int, outfalls: int, hours: int, rng: np.random.Generator
) -> tuple[Network, BalancedFlow]:
    """Return an invented river tree, each node fed by one or two reaches, and its tidal flow."""
    parent = [0, *(int(rng.integers(max(0, i - 12), i)) for i in range(1, reaches))]
    heads = set(range(reaches)) - set(parent[1:])
    nodes = [Node("N0", "outlet")]
    nodes += [Node(f"N{i + 1}", "boundary" if i in heads else "junction") for i in range(reaches)]
    lengths = rng.uniform(800.0, 2500.0, reaches)
    drawn = [
        Reach(f"R{i}", f"N{i + 1}", f"N{parent[i] + 1 if i else 0}", float(x)) for i, x in enumerate(lengths)
    ]
    inflow = np.where([i in heads for i in range(reaches)], rng.uniform(0.2, 1.0, reaches), 0.0)
    total = inflow.copy()
    for i in range(reaches - 1, 0, -1):
        total[parent[i]] += total[i]
    tide = 1.0 + 0.3 * np.sin(2.0 * np.pi * np.arange(hours) / 12.4)
    discharge = tide[:, None] * total
    volume = np.tile(lengths * (total / 0.2), (hours + 1, 1))
    spots = [
        Outfall(f"O{k}", f"R{r}", float(0.5 * lengths[r]))
        for k, r in enumerate(rng.choice(reaches, outfalls))
    ]
    network = Network(tuple(nodes), tuple(drawn), tuple(spots))
    names = tuple(reach.id for reach in drawn)
    start = np.datetime64("2024-07-19T16:00:00")
    flow = FlowField(start, HOUR_S * np.arange(hours + 1.0), names, discharge, discharge, volume)
    return network, balanced(flow, network)


def scale(*, reaches: int = 300, outfalls: int = 500, stations: int = 5) -> Bar:
    """Return the seconds of placing stations in an invented network of the size of bar S1."""
    from suyuan.place_run import PlaceAsk, asked_places, place_stations
    from suyuan.tracing.placement.responses import TrialRelease, usual_discharge

    network, flow = invented_tree(reaches=reaches, outfalls=outfalls, hours=168, rng=np.random.default_rng(1))
    ask = PlaceAsk(stations)
    places = asked_places(network, ask)
    marks: list[tuple[str, float]] = []
    began, busy = time.perf_counter(), time.process_time()
    placement = place_stations(
        network,
        flow,
        ask=ask,
        places=places,
        test=TrialRelease(usual_discharge(network, flow)),
        progress=lambda what, _: marks.append((what, time.process_time() - busy)),
    )
    followed = max(at for what, at in marks if what == "following test releases")
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "processor_seconds": round(time.process_time() - busy, 2),
        "processor_seconds_following_releases": round(followed, 2),
        "places": places.free,
        "seen": float(placement.seen[-1]),
        "assured": placement.choice.assured,
        "on": f"invented tree, {reaches} reaches, {outfalls} outfalls, {os.cpu_count()} cores",
    }


if __name__ == "__main__":
    main()
