"""Bars of the section: what an inspector asks every morning, held against limits, published classes and real records.

`uv run python -m benchmarks.section --json` prints one object a bar: `value`, and `on`, what it was measured on. Each module
in MODULES adds bars by a function `bars()`; one that is not there, or whose data are not, is named on stderr.
`--only A1 A2` prints some. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from pathlib import Path

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

MODULES = ("section_standards", "section_quality", "section_outlook", "section_explain", "section_loads")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, a bar by its id")
    parser.add_argument("--only", nargs="*", default=[], metavar="BAR", help="these bars alone")
    arguments = parser.parse_args()
    found = {name: bar for name, bar in collected().items() if not arguments.only or name in arguments.only}
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for name, bar in found.items():
        print(f"{name} {json.dumps(bar['value'], ensure_ascii=False)}  [{bar['on']}]")
        for key, said in bar.get("beside", {}).items():
            print(f"   {key:24} {json.dumps(said, ensure_ascii=False)}")


def collected() -> dict[str, dict]:
    """Return the bars of every module that is there."""
    bars: dict[str, dict] = {}
    for name in MODULES:
        if importlib.util.find_spec(f"benchmarks.{name}") is None:
            print(f"benchmarks/{name}.py is not here: its bars are left out", file=sys.stderr)
            continue
        bars |= importlib.import_module(f"benchmarks.{name}").bars()
    return bars


if __name__ == "__main__":
    main()
