"""Bars of the flows: what users already have becomes a flow that closes, and is fast enough to be used.

`uv run python -m benchmarks.flows --json` prints one object a bar: `value`, `must`, `stretch`, `met` (which
of the two the value meets, null where neither) and `on`, what it was measured on. Each module in MODULES gives its bars by a
function `bars(*only)`: those of its ids that are asked for, all where none is. A module that is not there is named on stderr.
`--only F1a F2` (or `F1a,F2`) measures some. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

MODULES = {
    "flows_ring": ("F1a", "F1b"),
    "flows_swmm": ("F2", "F6"),
    "flows_reach": ("F3",),
    "flows_reconcile": ("F4", "F5"),
    "flows_ensemble": ("F7",),
}
"""Which module measures which bars."""

LIMITS: dict[str, tuple[Any, Any]] = {
    "F1a": (1e-11, 1e-13),
    "F1b": (1e-10, 1e-14),
    "F2": (1e-10, 1e-12),
    "F3": (1.0 / 200.0, 1.0 / 1000.0),
    "F4": (
        {"rmse": 0.06, "coverage": (0.85, 0.95)},
        {"rmse": 0.04, "coverage": (0.88, 0.92)},
    ),
    "F5": (10.0, 3.0),
    "F6": ((0.80, 1.0), (1.0, 1.0)),
    "F7": (300.0, 100.0),
}
"""Must and stretch: a number is the most a value may be, a pair what it must lie in (ends included), and a value of several
parts has a limit for each."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, a bar by its id")
    parser.add_argument("--only", nargs="*", default=[], metavar="BAR", help="these bars alone")
    arguments = parser.parse_args()
    only = [name for given in arguments.only for name in given.split(",") if name]
    unknown = sorted(set(only) - LIMITS.keys())
    if unknown:
        parser.error(f"no bar is called {', '.join(unknown)}; known are: {', '.join(LIMITS)}")
    found = collected(only)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for name, bar in found.items():
        met = f"meets {bar['met']}" if bar["met"] else "MISSED"
        print(f"{name:4} {json.dumps(bar['value'])}  {met}  [{bar['on']}]")
        for key, said in bar.get("beside", {}).items():
            print(f"     {key:28} {json.dumps(said, ensure_ascii=False)}")


def collected(only: list[str]) -> dict[str, dict[str, Any]]:
    """Return the bars asked for, all where none is, of every module that is there."""
    bars: dict[str, dict[str, Any]] = {}
    for module, ids in MODULES.items():
        asked = [name for name in ids if name in only or not only]
        if not asked:
            continue
        if importlib.util.find_spec(f"benchmarks.{module}") is None:
            print(f"benchmarks/{module}.py is not here: {', '.join(asked)} left out", file=sys.stderr)
            continue
        measured = importlib.import_module(f"benchmarks.{module}").bars(*asked)
        bars |= {name: judged(name, measured[name]) for name in asked if name in measured}
    return bars


def judged(name: str, bar: dict[str, Any]) -> dict[str, Any]:
    """Return a bar with its limits and which of them its value meets; a value that is null meets none."""
    must, stretch = LIMITS[name]
    reached = [word for word, limit in (("must", must), ("stretch", stretch)) if meets(bar["value"], limit)]
    value = {"value": bar["value"], "must": must, "stretch": stretch, "met": reached[-1] if reached else None}
    return {**value, **{key: said for key, said in bar.items() if key not in value}}


def meets(value: Any, limit: Any) -> bool:
    """Return whether a value keeps its limit, every part of it.

    >>> meets(0.9, (0.85, 0.95)), meets({"rmse": 0.05}, {"rmse": 0.04}), meets(None, 3.0)
    (True, False, False)
    """
    if value is None:
        return False
    if isinstance(limit, dict):
        return all(meets(value.get(part), bound) for part, bound in limit.items())
    if isinstance(limit, tuple):
        return bool(limit[0] <= value <= limit[1])
    return bool(value <= limit)


if __name__ == "__main__":
    main()
