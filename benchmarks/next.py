"""Bars of the next samples: N1 on invented trees, N2 on cases whose truth answers.

`uv run python -m benchmarks.next --json` prints one object a bar. N1 takes a minute; N2 traces every case anew after
every sample and takes hours while a trace takes half a minute: `--only case-0003 case-0004` runs some, `--trees` none.
The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import next_cases, next_trees

SHARED = Path(__file__).resolve().parents[2] / "shared" / "cases"


def main() -> None:
    arguments = _arguments()
    bars = {"N1": trees_bar(arguments.runs, arguments.seed)}
    if not arguments.trees:
        bars["N2"] = cases_bar(arguments.cases, arguments.only, most=arguments.most)
    if arguments.json:
        print(json.dumps(bars, indent=1))
        return
    for name, bar in bars.items():
        print(f"{name} {json.dumps(bar['value'])}  [{bar['on']}]")
        for key, said in bar.get("beside", {}).items():
            print(f"   {key:24} {json.dumps(said)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, a bar by its id")
    parser.add_argument("--runs", type=int, default=400, help="searches of N1 a rule and prior")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trees", action="store_true", help="N1 alone")
    parser.add_argument("--cases", type=Path, default=SHARED, help="folder with inputs/ and truth/")
    parser.add_argument("--only", nargs="*", default=[], metavar="CASE", help="these cases alone")
    parser.add_argument("--most", type=int, default=8, help="samples after which a search of N2 gives up")
    return parser.parse_args()


def trees_bar(runs: int, seed: int) -> dict:
    """Return N1: mean samples until the leading outfall has 0.95, from nothing and from a fingerprint posterior."""
    found = next_trees.run(runs, seed)
    start = {k: found[f"{k}/information"] for k in ("nothing", "fingerprint")}
    return {
        "value": {
            "from_nothing": start["nothing"]["samples"],
            "from_fingerprint": start["fingerprint"]["samples"],
            "right_from_nothing": start["nothing"]["right"],
            "right_from_fingerprint": start["fingerprint"]["right"],
        },
        "beside": found,
        "on": f"{runs} invented trees of {next_trees.REACHES} reaches and {next_trees.OUTFALLS} outfalls, seed {seed}; mean over "
        f"runs of the kits until the leading outfall has {next_trees.SURE}; fingerprint: three log-ratios, spread "
        f"{next_trees.LIBRARY} within and {next_trees.BETWEEN_OUTFALLS} between outfalls",
    }


def cases_bar(folder: Path, only: list[str], *, most: int) -> dict:
    """Return N2; refused where there are no cases with a truth."""
    known = sorted(path.stem for path in (folder / "truth").glob("case-*.nc"))
    names = [name for name in known if name in only or not only]
    if not names:
        return {"value": None, "refused": f"no truth/*.nc of such cases in {folder.name}", "on": ""}
    found = next_cases.run(
        folder, names, most=most, say=lambda text: print(text, file=sys.stderr, flush=True)
    )
    rows = found.pop("cases")
    return {
        "value": found,
        "cases": rows,
        "on": f"{len(names)} cases of {folder.name}, grab samples one by one, at most {most}; a search that does not reach "
        f"P(true) {next_cases.SURE} counts {most + 1}; {os.cpu_count()} cores",
    }


if __name__ == "__main__":
    main()
