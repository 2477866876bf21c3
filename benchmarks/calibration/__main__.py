"""Is the tracer calibrated? Draw events with a known answer, trace each, and say how its promises were kept.

`uv run python -m benchmarks.calibration --out FILE.jsonl` draws and traces what FILE does not hold yet, one line an event,
and then reports; stop it and start it again at will, and let several of it work on files of their own. `--report FILE
[FILE ...]` reports without tracing. An event depends on set, seed and number alone. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.calibration import backgrounds
from benchmarks.calibration.draw import CLASSES, REAL, SETS, WRONG
from benchmarks.calibration.events import Key, read_rows, run
from benchmarks.calibration.figure import write
from benchmarks.calibration.pages import cell, markdown
from benchmarks.calibration.score import Scored, scored
from benchmarks.calibration.summary import bars, sets
from suyuan.tracing.members import StillWater

GROUPS = {"classes": tuple(CLASSES), "wrong": WRONG, "real": REAL, "all": tuple(SETS)}


def main() -> None:
    arguments = _arguments()
    if arguments.out:
        names = _names(arguments.sets)
        numbers = range(arguments.first, arguments.first + arguments.count)
        run(
            [Key(n, arguments.seed, i) for i in numbers for n in names],
            arguments.out,
            workers=arguments.workers,
            still=StillWater() if arguments.still else None,
        )
    files = [*([arguments.out] if arguments.out else []), *arguments.report]
    events = [scored(row) for row in _pooled(files)]
    if not events:
        sys.exit(f"{', '.join(map(str, files))} holds no events; trace some with --out")
    _say(events, arguments=arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out", type=Path, help="trace, and append each event's result here as a line of JSON"
    )
    parser.add_argument(
        "--report", type=Path, nargs="*", default=[], metavar="FILE", help="report on these files"
    )
    parser.add_argument(
        "--sets",
        nargs="*",
        default=["classes"],
        metavar="SET",
        help=f"{', '.join((*SETS, *GROUPS))}; classes if left out",
    )
    parser.add_argument("--count", type=int, default=30, help="events of each set")
    parser.add_argument("--first", type=int, default=0, help="number of the first event of each set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument(
        "--still", action="store_true", help="flow members also draw still water; give it a file of its own"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object: bars by their id, and sets"
    )
    parser.add_argument(
        "--figure", type=Path, metavar="SVG", help="also draw reliability and ranks of the classes"
    )
    parser.add_argument("--tables", type=Path, metavar="MD", help="also write all tables as Markdown")
    arguments = parser.parse_args()
    if not arguments.out and not arguments.report:
        parser.error("give --out FILE to trace, or --report FILE to report on what was traced")
    return arguments


def _names(asked: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in asked if name not in SETS and name not in GROUPS]
    if unknown:
        sys.exit(f"--sets {' '.join(unknown)}: there is no such set; choose of {', '.join((*SETS, *GROUPS))}")
    names = tuple(dict.fromkeys(n for name in asked for n in GROUPS.get(name, (name,))))
    if not backgrounds.exists() and set(names) & set(REAL):
        print(f"left out {', '.join(REAL)}: {backgrounds.RECORD} is absent", file=sys.stderr)
        return tuple(name for name in names if name not in REAL)
    return names


def _pooled(files: Sequence[Path]) -> list[dict]:
    """Return the rows of all files, each event once."""
    rows = {Key(row["set"], row["seed"], row["number"]): row for file in files for row in read_rows(file)}
    return [rows[key] for key in sorted(rows)]


def _say(events: Sequence[Scored], *, arguments: argparse.Namespace) -> None:
    tables, found = sets(events), bars(events)
    if arguments.figure:
        write({n: t for n, t in tables.items() if n in (*CLASSES, "all classes")} or tables, arguments.figure)
    if arguments.tables:
        arguments.tables.write_text(markdown(tables), "utf-8")
    if arguments.json:
        print(json.dumps({**found, "sets": tables}, indent=2))
        return
    print(markdown(tables))
    for name, bar in found.items():
        print(f"{name:12} {_flat(bar['value'])}   must {json.dumps(bar['must'])}")


def _flat(value: object) -> str:
    if isinstance(value, dict) and "value" not in value:
        return "; ".join(f"{key}: {_flat(inner)}" for key, inner in value.items())
    return cell(value)


if __name__ == "__main__":
    main()
