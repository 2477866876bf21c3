"""Bars of the tracing: C1 to C6 on cases with a known answer, R1 on the dye release in the Severn.

`uv run python -m benchmarks.tracing --json` runs the installed command `suyuan trace` on every case folder, one
process a case and one after another, scores what it wrote, and prints one object a bar with its value and what it was
measured on. `--cases DIR` takes other cases of the same layout (inputs/, truth/), `benchmarks.worlds` draws them.
C1 to C5 are refused (value null) while the scorer misses a case. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import severn

SHARED = Path(__file__).resolve().parents[2] / "shared" / "cases"
Bar = dict[str, object]

BARS = {
    "C1": ("loss_per_case",),
    "C2": ("accused_wrongly", "quiet_accused", "quiet_suspected", "missed"),
    "C3": ("top1_listed", "top3_listed"),
    "C4": ("credible_set_covers", "credible_set_size", "top_stated_minus_right"),
    "C5": ("mass_90_covers", "start_90_covers", "mass_width_median", "start_width_hours_median"),
}
"""What each bar reads off the scorer's totals."""

SEVERN_SEEDS = tuple(range(1, 16))
"""R1 hangs on the flow members that happen to be drawn: of five seeds the median moves between 9 and 31 %."""

PER_FAMILY = ("loss", "top1", "top3", "p_true", "p_none", "in_set", "set_size", "accused_wrongly")
"""What is averaged over the cases of a family."""


@dataclass(frozen=True)
class Run:
    """One case traced: wall time [s] from outside, exit code, and the end of what it said on stderr."""

    case: str
    seconds: float
    code: int
    said: str


def main() -> None:
    arguments = _arguments()
    cases: Path = arguments.cases
    names = _names(cases, arguments.only)
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary) / "results"
        runs = [traced(cases / "inputs" / name, out=out / name) for name in names]
        scores = scored(cases, out, names=names, scratch=Path(temporary))
    bars = case_bars(
        runs, scores, on=f"{len(names)} cases of {cases.name}, {os.cpu_count()} cores, {platform.machine()}"
    )
    bars["R1"] = severn_bar()
    if arguments.json:
        print(json.dumps({**bars, "families": families(scores), "failed": failed(runs)}, indent=2))
        return
    _print(bars, families(scores), failed(runs))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, a bar by its id")
    parser.add_argument("--cases", type=Path, default=SHARED, help="folder with inputs/ and truth/")
    parser.add_argument("--only", nargs="*", default=[], metavar="CASE", help="these cases (case-0003) alone")
    parser.add_argument("--out", type=Path, help="keep the results here; a temporary folder if left out")
    return parser.parse_args()


def _names(cases: Path, only: Sequence[str]) -> list[str]:
    known = sorted(folder.name for folder in (cases / "inputs").glob("case-*"))
    unknown = sorted(set(only) - set(known))
    if unknown or not known:
        sys.exit(
            f"{cases}/inputs holds {len(known)} cases, not {', '.join(unknown) or 'one'}; give --cases DIR"
        )
    return [name for name in known if name in only or not only]


def traced(folder: Path, *, out: Path) -> Run:
    """Trace one case in a process of its own, as a user would."""
    beside = Path(sys.executable).parent / "suyuan"
    command = str(beside) if beside.exists() else shutil.which("suyuan")
    if command is None:
        sys.exit("the command suyuan is not installed; run uv sync first")
    out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    done = subprocess.run(
        [command, "trace", str(folder), "--out", str(out)], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    print(f"{folder.name} {seconds:6.1f} s, exit code {done.returncode}", file=sys.stderr)
    return Run(folder.name, seconds, done.returncode, done.stderr[-500:] if done.returncode else "")


def scored(cases: Path, results: Path, *, names: Iterable[str], scratch: Path) -> dict[str, object]:
    """Return what score.py says of these cases alone; it reads networks from the folder beside the truth."""
    scorer = cases / "score.py" if (cases / "score.py").exists() else SHARED / "score.py"
    if not scorer.exists():
        sys.exit(f"there is no score.py in {cases} or {SHARED}; the cases cannot be scored")
    truth = scratch / "truth"
    truth.mkdir()
    (scratch / "inputs").symlink_to((cases / "inputs").resolve())
    for name in names:
        shutil.copy(cases / "truth" / f"{name}.json", truth)
    command = [sys.executable, str(scorer), str(results), str(truth), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"total": {"missing": list(names)}, "cases": [], "why": done.stderr[-500:]}
    found: dict[str, object] = json.loads(done.stdout)
    return found


def case_bars(runs: Sequence[Run], scores: dict, *, on: str) -> dict[str, Bar]:
    """Return C1 to C6; C1 to C5 without a value while a case is missing."""
    total, bars = scores["total"], {}
    for name, keys in BARS.items():
        if total["missing"]:
            bars[name] = {"value": None, "refused": f"missing: {', '.join(total['missing'])}", "on": on}
        else:
            values = {key: total[key] for key in keys}
            bars[name] = {"value": values if len(keys) > 1 else total[keys[0]], "on": on}
    seconds = [run.seconds for run in runs]
    bars["C6"] = {
        "value": statistics.median(seconds),
        "unit": "s",
        "highest": max(seconds),
        "on": f"{on}; wall time from outside, one process a case; load average {os.getloadavg()[0]:.1f}",
    }
    return bars


def families(scores: dict) -> dict[str, dict[str, float | int | None]]:
    """Return the means of each family's cases, None where no case says."""
    table: dict[str, dict[str, float | int | None]] = {}
    for family in sorted({row["family"] for row in scores["cases"]}):
        rows = [row for row in scores["cases"] if row["family"] == family]
        table[family] = {"cases": len(rows)}
        for key in PER_FAMILY:
            said = [float(row[key]) for row in rows if row.get(key) is not None]
            table[family][key] = statistics.fmean(said) if said else None
    return table


def failed(runs: Sequence[Run]) -> dict[str, str]:
    """Return the cases whose process did not end well, with the end of what it said."""
    return {run.case: run.said for run in runs if run.code}


def severn_bar() -> Bar:
    """Return R1: the error of the place as a share of the distance to the first station used, over several draws."""
    if not severn.STATIONS.exists():
        return {
            "value": None,
            "refused": f"no record of the Severn release at {severn.STATIONS.name}",
            "on": "",
        }
    passages = severn.read_stations(severn.STATIONS)
    found = [severn.trace_release(passages, seed=seed) for seed in SEVERN_SEEDS]
    first = found[0]
    return {
        "value": statistics.median(f.place_error_share for f in found),
        "covers": all(f.covers_release for f in found),
        "runs": [
            {"seed": s, "place_error_share": f.place_error_share, "covers": f.covers_release, **f.to_dict()}
            for s, f in zip(SEVERN_SEEDS, found, strict=True)
        ],
        "on": f"River Severn, rhodamine, stations {first.first_km:g} to {first.last_km:g} km, {first.members} flow "
        f"members, median of {len(found)} seeds; covers: of all of them",
    }


def _print(bars: dict[str, Bar], table: dict, broken: dict[str, str]) -> None:
    for name, bar in bars.items():
        print(f"{name:3} {json.dumps(bar['value'])}  {bar.get('refused', '')}  [{bar['on']}]")
    print(f"{'family':10}" + "".join(f"{key:>16}" for key in ("cases", *PER_FAMILY)))
    for family, row in table.items():
        print(f"{family:10}" + "".join(f"{'' if v is None else round(v, 3):>16}" for v in row.values()))
    for case, said in broken.items():
        print(f"{case} failed: {said}")


if __name__ == "__main__":
    main()
