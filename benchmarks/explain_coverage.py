"""How often the 90 % bands of `suyuan explain` hold the truth, on made-up rivers whose water and errors remember.

`uv run python -m benchmarks.explain_coverage [--rivers N]` prints one JSON object. `parts`: two waters mix under errors of 5 %;
both the share of the second water and the errors are AR(1) at four-hour steps with a correlation time of 0 to 48 hours; ten days
are held against ten, and the truth of a part is what it is expected to be. `waters`: readings of mixtures, without or with
half of them of pure water, of waters 12 errors apart. `net`: a known net load of ten days, each keeping some of
the one before.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from suyuan.explain import Drivers, Periods, StationTable, balance_between, explain
from suyuan.explain.balance import KG_D, Crossing
from suyuan.explain.mixing import end_members

Array = NDArray[np.float64]

STEP_H = 4
ROWS = 180
START = np.datetime64("2024-06-30T16:00:00")
RISE = 0.4
"""By so much the share of the second water is expected to rise."""


def remembering(rng: np.random.Generator, hours: float) -> Array:
    """Return a series of variance 1 whose readings forget by e in so many hours."""
    kept = float(np.exp(-STEP_H / hours)) if hours else 0.0
    made = rng.normal(0.0, 1.0, ROWS)
    for k in range(1, ROWS):
        made[k] = kept * made[k - 1] + np.sqrt(1.0 - kept**2) * made[k]
    return made


def river(rng: np.random.Generator, *, water_h: float, error_h: float) -> StationTable:
    """Return thirty days of readings; in the last ten more of the second water."""
    share = np.clip(0.3 + 0.1 * remembering(rng, water_h), 0.0, 0.6) + RISE * (np.arange(ROWS) >= 120)
    columns = {
        "EC": 500.0 + 400.0 * share,
        "TN": (2.0 + 3.0 * share) * np.exp(0.05 * remembering(rng, error_h)),
        "TP": (0.1 + 0.2 * share) * np.exp(0.05 * remembering(rng, error_h)),
    }
    time = START + (np.arange(ROWS) * STEP_H * 3600).astype("timedelta64[s]")
    value = np.stack(list(columns.values()), axis=1)
    return StationTable("S", time, tuple(columns), value, np.zeros(value.shape, bool), np.zeros(ROWS, bool))


def held(rivers: int, *, water_h: float, error_h: float) -> dict[str, float]:
    """Return the share of rivers in which the bands of mixing and of the unexplained hold the truth, and their mean widths."""
    second, day = np.timedelta64(1, "s"), np.timedelta64(10, "D")
    rows = []
    for seed in range(rivers):
        rng = np.random.default_rng(seed)
        table = river(rng, water_h=water_h, error_h=error_h)
        end = table.time[-1]
        periods = Periods(end - day + second, end, (end - 2 * day + second, end - day))
        hours = np.arange(ROWS) * float(STEP_H)
        drivers = Drivers(hour=hours % 24.0, block=(hours // 24.0).astype(np.int64))
        change = explain(table, drivers, periods=periods, determinands=("TN",), rng=rng).leading
        parts = [(change.part("mixing"), 3.0 * RISE), (change.part("unexplained"), 0.0)]
        rows.append([x for p, true in parts for x in (p.low <= true <= p.high, p.high - p.low)])
    names = ("mixing", "mixing_width", "unexplained", "unexplained_width")
    return dict(zip(names, np.nanmean(rows, axis=0).round(3).tolist(), strict=True))


def waters_held(rivers: int, *, pure: bool, readings: int, error: float) -> list[float]:
    """Return the share of rivers in which the band of the first and of the second water holds it."""
    rng, found = np.random.default_rng(7), []
    for _ in range(rivers):
        share = rng.uniform(-0.5, 1.5, readings).clip(0.0, 1.0) if pure else rng.uniform(size=readings)
        position = 12.0 * share + error * rng.normal(size=readings)
        ends = end_members(position, rng, limits=(-np.inf, np.inf))
        low, high = np.quantile(ends, (0.05, 0.95), axis=0)
        found.append((low[0] <= 0.0 <= high[0], low[1] <= 12.0 <= high[1]))
    return np.mean(found, axis=0).round(3).tolist()


def net_held(rivers: int, *, kept: float) -> float:
    """Return the share of rivers in which the band of the net load holds that of the expected concentrations."""
    edges, time = 3600.0 * np.arange(241.0), START + (np.arange(61) * STEP_H * 3600).astype("timedelta64[s]")
    held = []
    for seed in range(rivers):
        rng = np.random.default_rng(seed)
        days = rng.normal(0.0, 0.2, 12)
        for k in range(1, 12):
            days[k] = kept * days[k - 1] + np.sqrt(1.0 - kept**2) * days[k]
        into = Crossing("in", np.full(240, 2.0), time, np.full(61, 0.5))
        out = Crossing("out", np.full(240, 2.0), time, 1.5 + days[np.arange(61) // 6])
        found = balance_between(
            "NH3-N", ([into], [out]), start=START, edges=edges, volume=np.zeros(241), rng=rng
        )
        held.append(found.net[1] <= 2.0 * KG_D <= found.net[2])
    return round(float(np.mean(held)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rivers", type=int, default=100)
    rivers = parser.parse_args().rivers
    memories = [(0.0, 0.0), (0.0, 24.0), (24.0, 0.0), (24.0, 24.0), (48.0, 48.0)]
    cases = [(pure, n, error) for pure in (False, True) for n in (25, 100) for error in (0.3, 1.0)]
    found = {
        "parts": {
            f"water {water:g} h, errors {error:g} h": held(rivers, water_h=water, error_h=error)
            for water, error in memories
        },
        "waters": {
            f"{'pure too' if pure else 'mixtures'}, {n} readings, error {error:g}": waters_held(
                rivers, pure=pure, readings=n, error=error
            )
            for pure, n, error in cases
        },
        "net": {f"kept {kept:g}": net_held(rivers, kept=kept) for kept in (0.0, 0.5, 0.7)},
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
