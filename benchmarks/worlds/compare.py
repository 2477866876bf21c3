"""Prints how two sets of cases compare: `python -m benchmarks.worlds.compare DIR [DIR ...] [--family F]`.

Each cell is the median over cases, with the least and most in brackets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.worlds.read import case_names, read_flow, read_network, read_readings, read_truth
from suyuan.flow import balanced


def statistics(folder: Path, name: str) -> dict[str, float]:
    """Return what can be counted about one case."""
    network, truth = read_network(folder, name), read_truth(folder, name)
    flow, readings = read_flow(folder / "inputs" / name / "flow.nc"), read_readings(folder, name)
    return {
        **_of_network(network),
        **_of_flow(network, flow),
        **_of_readings(readings),
        **_of_truth(truth),
    }


def _of_network(network: Any) -> dict[str, float]:
    kinds = [r.kind for r in network.reaches]
    stem = [r.length_m for r in network.reaches if r.width_m >= 9.0]
    branch = [r.length_m for r in network.reaches if 1.0 < r.width_m < 9.0]
    inner = {r.to_node for r in network.reaches}
    return {
        "reaches": len(kinds),
        "sewer pipes": kinds.count("storm_sewer"),
        "loops": len(kinds) - len(network.nodes) + 1,
        "boundaries": sum(n.kind == "boundary" for n in network.nodes),
        "boundaries inside": sum(n.kind == "boundary" and n.id in inner for n in network.nodes),
        "outfalls per reach": len(network.outfalls) / len(kinds),
        "stations": len(network.stations),
        "stem reach m": float(np.mean(stem)),
        "branch reach m": float(np.mean(branch)),
    }


def _of_flow(network: Any, flow: Any) -> dict[str, float]:
    length = np.array([r.length_m for r in network.reaches])
    width = np.array([r.width_m for r in network.reaches])
    q = 0.5 * (flow.discharge_start + flow.discharge_end)
    area = flow.volume / length
    speed = np.abs(q / area).mean(axis=0)
    depth = (area / width).mean(axis=0)
    stem, sewer = width >= 9.0, width <= 1.0
    branch = ~stem & ~sewer
    canal = [b for b, n in enumerate(flow.boundaries) if not n.startswith("S")]
    log_inflow = np.log(flow.inflow[:, canal])
    balance = balanced(flow, network).balance
    return {
        "inflow sum m3/s": float(flow.inflow.mean(axis=0).sum()),
        "inflow log-sd": float(np.median(log_inflow.std(axis=0))),
        "inflow lag-12 corr": float(np.median([np.corrcoef(x[:-12], x[12:])[0, 1] for x in log_inflow.T])),
        "stem speed m/s": float(speed[stem].mean()),
        "branch speed m/s": float(speed[branch].mean()),
        "sewer speed m/s": float(speed[sewer].mean()) if sewer.any() else np.nan,
        "stem area/width m": float(depth[stem].mean()),
        "branch area/width m": float(depth[branch].mean()),
        "sewer area/width m": float(depth[sewer].mean()) if sewer.any() else np.nan,
        "canal hours reversed": float((q[:, ~sewer] < 0.0).mean()),
        "hour to hour change": float(
            np.median(np.std(np.diff(q[:, ~sewer], axis=0), axis=0) / np.abs(q[:, ~sewer]).mean(axis=0))
        ),
        "rain in sewers, peak/median": float(
            (flow.inflow.max(axis=0) / np.median(flow.inflow, axis=0)).max()
        ),
        "node residual share": balance.residual_share,
        "correction share": float(balance.correction.sum() / np.abs(q).mean(axis=0).sum()),
    }


def _of_readings(readings: dict[tuple[str, str], Any]) -> dict[str, float]:
    out = {"readings per series": float(np.mean([len(v) for v in readings.values()]))}
    for name in ("NH3-N", "TP", "CODMn", "EC"):
        series = [v for (_, d), v in readings.items() if d == name]
        out[f"{name} lower quartile"] = (
            float(np.mean([np.quantile(v, 0.25) for v in series])) if series else np.nan
        )
        out[f"{name} highest"] = float(np.max([v.max() for v in series])) if series else np.nan
    return out


def _of_truth(truth: dict[str, Any]) -> dict[str, float]:
    first = truth["sources"][0] if truth["sources"] else None
    lag: Callable[[Any], float] = lambda s: (  # noqa: E731
        (datetime.fromisoformat(s["start"]) - datetime(2024, 7, 20)).total_seconds() / 3600.0
    )
    return {
        "mass kg": first["mass_kg"] if first else np.nan,
        "rise at section mg/L": first["peak_rise_mg_l"]["section"] if first else np.nan,
        "start hour": lag(first) if first else np.nan,
        "decay NH3-N per day": truth["decay_per_day"]["NH3-N"],
        "flow error %": abs(truth["flow_error_pct"]),
        "quality error %": float(np.max(np.abs(truth["quality_error_pct"]))),
    }


def main() -> None:
    """Print one row a statistic and one column a folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worlds.compare", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--family")
    asked = parser.parse_args()
    columns = []
    for folder in asked.folders:
        names = [n for n in case_names(folder) if asked.family in (None, read_truth(folder, n)["family"])]
        columns.append([statistics(folder, n) for n in names])
    print(
        f"{'':<30}"
        + "".join(
            f"{f'{folder.name} ({len(rows)})':>28}"
            for folder, rows in zip(asked.folders, columns, strict=True)
        )
    )
    for key in columns[0][0]:
        cells = [np.array([row[key] for row in rows]) for rows in columns]
        shown = [f"{np.nanmedian(c):.3g} [{np.nanmin(c):.3g}, {np.nanmax(c):.3g}]" for c in cells]
        print(f"{key:<30}" + "".join(f"{text:>28}" for text in shown))


if __name__ == "__main__":
    main()
