"""Command line: `python -m benchmarks.worlds --out DIR --count N --seed S [--family F] [--style T]`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.worlds.case import make_case
from benchmarks.worlds.style import FAMILIES, STYLES
from benchmarks.worlds.write import write_case


def main() -> None:
    """Draw cases one after another; a case is the same whatever else is drawn in the run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worlds", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets inputs/ and truth/")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--family", choices=FAMILIES, help="draw only this family; else all in turn")
    parser.add_argument("--style", choices=sorted(STYLES), default="given")
    parser.add_argument(
        "--concentration", action="store_true", help="also write the true concentration everywhere"
    )
    asked = parser.parse_args()
    for index in range(asked.first, asked.first + asked.count):
        began = time.perf_counter()
        case = make_case(index, seed=asked.seed, family=asked.family, style=asked.style)
        name = f"case-{index:04d}"
        write_case(case, asked.out, name=name, with_concentration=asked.concentration)
        sources = ", ".join(c.candidate for c in case.culprits) or "nobody"
        size, seconds = len(case.network.reaches), time.perf_counter() - began
        print(f"{name} {case.family:<10}{size:4d} reaches  {sources:<20}{seconds:5.1f} s", flush=True)


if __name__ == "__main__":
    main()
