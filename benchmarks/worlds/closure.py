"""Asks whether closure brings discharge nearer to the truth: `python -m benchmarks.worlds.closure DIR`.

Per family, shares of the mean |true discharge| of all canals, hour by hour: how far closure moved the given
flow, how far that was from the truth before, and how far it is after.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.worlds.read import case_names, read_flow, read_network, read_truth
from suyuan.flow import balanced


def closure(folder: Path, name: str) -> dict[str, float]:
    """Return residual, correction and errors of one case."""
    network = read_network(folder, name)
    given, true = (
        read_flow(folder / "inputs" / name / "flow.nc"),
        read_flow(folder / "truth" / f"{name}.flow.nc"),
    )
    closed = balanced(given, network)
    canal = np.array([r.kind != "storm_sewer" for r in network.reaches])
    through = 0.5 * (true.discharge_start + true.discharge_end)[:, canal]
    before = 0.5 * (given.discharge_start + given.discharge_end)[:, canal]
    after = 0.5 * (closed.discharge_start + closed.discharge_end)[:, canal]
    scale = np.abs(through).mean()
    return {
        "residual": closed.balance.residual_share,
        "correction": float(np.abs(after - before).mean() / scale),
        "error before": float(np.abs(before - through).mean() / scale),
        "error after": float(np.abs(after - through).mean() / scale),
        "mean flow before": float(np.abs((before - through).mean(axis=0)).mean() / scale),
        "mean flow after": float(np.abs((after - through).mean(axis=0)).mean() / scale),
    }


def main() -> None:
    """Print one row a family."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worlds.closure", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows: dict[str, list[dict[str, float]]] = {}
    for name in case_names(folder):
        rows.setdefault(read_truth(folder, name)["family"], []).append(closure(folder, name))
    rows["all"] = [row for family in rows.values() for row in family]
    print(f"{'':<16}" + "".join(f"{key:>18}" for key in rows["all"][0]))
    for family, found in rows.items():
        means = [np.mean([row[key] for row in found]) for key in found[0]]
        print(f"{family:<10}{len(found):5d} " + "".join(f"{value:18.4f}" for value in means))


if __name__ == "__main__":
    main()
