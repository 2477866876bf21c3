"""Bar R2: real releases of which the record says where, when or how much.

`uv run python -m benchmarks.real_releases --json` traces the dye in the Severn from every choice of at least three stations
(`benchmarks.severn_subsets`), and the salt drips in Rio Guilarte from two loggers (`benchmarks.neon`), and prints one
object: the value and what it was measured on, each trace below it. `--subsets N` takes N choices of stations, evenly spaced
in order of first station, number and place; `--seeds` draws the flow members anew. The data are read from ../shared/data;
what is absent is left out and said. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import neon, neon_record, severn, severn_subsets
from suyuan.tracing.members import StillWater

Bar = dict[str, object]


def main() -> None:
    arguments = _arguments()
    parts = {"severn": severn_part, "neon": neon_part}
    bar = assembled({name: parts[name](arguments) for name in arguments.only or parts})
    if arguments.json:
        print(json.dumps({"R2": bar}, indent=2))
        return
    for name, part in bar["parts"].items():
        print(name, part.get("refused", ""), part.get("on", ""))
        for key, value in (bar["value"].get(name) or {}).items():
            print(f"  {key:24}{value}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, the bar by its id")
    parser.add_argument("--only", nargs="*", choices=("severn", "neon"), help="one record alone")
    parser.add_argument("--subsets", type=int, default=0, help="so many choices of stations; all if left out")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 2, 3], help="draws of the flow members (1 2 3)"
    )
    parser.add_argument("--members", type=int, default=severn.MEMBERS, help="flow members of each draw (48)")
    parser.add_argument(
        "--counted",
        action="store_true",
        help="a dye curve counts as the four numbers that are recorded of it",
    )
    parser.add_argument(
        "--still", action="store_true", help="flow members also draw still water beside the channel"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes; some GB of memory each")
    return parser.parse_args()


def assembled(parts: dict[str, Bar]) -> Bar:
    """Return the bar of these parts; a part without its record has no value."""
    return {
        "id": "R2",
        "value": {name: part.get("value") for name, part in parts.items()},
        "on": "; ".join(str(part["on"]) for part in parts.values() if "on" in part),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "parts": parts,
    }


def severn_part(arguments: argparse.Namespace) -> Bar:
    """Return what R2 asks of the Severn, over all choices and seeds and for each choice."""
    if not severn.STATIONS.exists():
        return {"refused": "the Severn record (severn-tracer/stations.csv) is not beside the repository"}
    passages = severn.read_stations(severn.STATIONS)
    some = severn_subsets.choices([p.km for p in passages], count=arguments.subsets)
    found = severn_subsets.traced(
        passages,
        some,
        seeds=arguments.seeds,
        trial=severn_subsets.Trial(arguments.members, arguments.counted, _still(arguments)),
        workers=arguments.workers,
    )
    counted = ", each curve counted as its four recorded numbers" if arguments.counted else ""
    return {
        "value": severn_subsets.scores(found),
        "by_first_km": severn_subsets.by_first(found),
        "on": f"River Severn, rhodamine, {len(some)} choices of at least {severn_subsets.LEAST_STATIONS} of "
        f"{len(passages)} stations, {_draws(arguments)}{counted}",
        "runs": [each.to_dict() for each in found],
    }


def neon_part(arguments: argparse.Namespace) -> Bar:
    """Return what R2 asks of the salt drips: medians and shares of each way over both days and all seeds."""
    if not neon_record.FOLDER.exists():
        return {"refused": "the record of the salt drips (neon-guil-reaeration) is not beside the repository"}
    found = neon.recovered(
        seeds=arguments.seeds, members=arguments.members, workers=arguments.workers, still=_still(arguments)
    )
    return {
        "value": {way: neon.scores([each for each in found if each.way == way]) for way in neon.WAYS},
        "on": f"Rio Guilarte, salt as specific conductance, {len(neon_record.DAYS)} drips, two loggers, "
        f"{_draws(arguments)}; discharge from the chloride plateau, so mass and rate are not scored",
        "runs": [each.to_dict() for each in found],
    }


def _still(arguments: argparse.Namespace) -> StillWater | None:
    return StillWater() if arguments.still else None


def _draws(arguments: argparse.Namespace) -> str:
    still = " with still water" if arguments.still else ""
    return f"{arguments.members} flow members{still}, seeds {', '.join(map(str, arguments.seeds))}"


if __name__ == "__main__":
    main()
