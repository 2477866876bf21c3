"""Bar Q2: experts' labels of type E (high variability) in the turbidity of Sandy Creek, beside ioos-qc on the same rows.

ioos-qc ships no thresholds; each of its tests gets the one of a grid that is best on these very labels. Ours come
from NEON's Pringle Creek.
"""

from __future__ import annotations

import csv
import importlib.util
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.observations import GOOD, MISSING, SUSPECT, Observations
from suyuan.qc import screen

RECORD = Path(__file__).resolve().parents[2] / "shared/data/oddwater/data_sandy_anom.csv"
TRIED = 40
"""Thresholds that each test of ioos-qc may choose from."""


def sandy_creek() -> dict[str, Any]:
    """Return the bar: F1 of all our checks together and of each test of ioos-qc at its best threshold."""
    if not RECORD.is_file():
        return {"value": None, "refused": "oddwater is not beside the repository (../shared/data)"}
    given, kind = _turbidity()
    told = kind == "E"
    seen = screen(given)
    ours = np.isin(seen.observations.flag, (3, 4))
    noisy = seen.by_check("noisy") >= SUSPECT
    others = ioos_qc(given, told)
    best = max(others.values(), default=None)
    return {
        "value": {"F1": f1(ours, told), "F1_best_of_ioos_qc": best},
        "precision": round(float((ours & told).sum() / max(ours.sum(), 1)), 3),
        "recall": round(float((ours & told).sum() / told.sum()), 3),
        "F1_noisy_alone": f1(noisy, told),
        "ioos_qc": others or "ioos-qc is not installed: uv run --group quality",
        "of_the_other_labels_flagged": {
            str(k): f"{int(ours[kind == k].sum())} of {int((kind == k).sum())}"
            for k in np.unique(kind)
            if k not in {"0", "E"}
        },
        "measured_on": {
            "rows": len(told),
            "labels_of_type_E": int(told.sum()),
            "ours_set_on": "NEON Pringle Creek, no label",
        },
    }


def f1(found: NDArray[np.bool_], told: NDArray[np.bool_]) -> float:
    return round(float(2.0 * (found & told).sum() / (found.sum() + told.sum())), 3)


def _turbidity() -> tuple[Observations, NDArray[np.str_]]:
    with RECORD.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    n = len(rows)
    value = np.array([float(row["Tur"] or "nan") for row in rows])
    stamps = [datetime.strptime(row["Timestamp"], "%d/%m/%Y %H:%M") for row in rows]
    return Observations(
        time=np.array(stamps, dtype="datetime64[s]"),
        station=np.full(n, "Sandy Creek"),
        determinand=np.full(n, "turbidity"),
        value=value,
        qualifier=np.full(n, ""),
        flag=np.where(np.isnan(value), MISSING, GOOD).astype(np.int8),
        duration_s=np.zeros(n),
        sample_id=np.full(n, ""),
    ), np.array([row["type_Tur"] for row in rows])


def ioos_qc(given: Observations, told: NDArray[np.bool_]) -> dict[str, float]:
    """Return the F1 of each test of ioos-qc at the threshold of a grid that suits these labels best; {} where it is
    not installed."""
    if importlib.util.find_spec("ioos_qc") is None:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ioos_qc import qartod

        value, time, day = given.value, given.time, 86400
        low, high = np.nanquantile(value, (0.001, 0.999))
        grid = np.geomspace(0.001 * (high - low), high - low, TRIED)
        tests = {
            "gross range": lambda t: qartod.gross_range_test(
                value, fail_span=(-1e9, 1e9), suspect_span=(-1e9, t)
            ),
            "spike, average": lambda t: qartod.spike_test(value, t, 1e9, method="average"),
            "spike, differential": lambda t: qartod.spike_test(value, t, 1e9, method="differential"),
            "rate of change": lambda t: qartod.rate_of_change_test(value, time, threshold=t / 5400.0),
            "flat line": lambda t: qartod.flat_line_test(value, time, day // 4, day, tolerance=t),
            "attenuated signal": lambda t: qartod.attenuated_signal_test(
                value, time, suspect_threshold=t, fail_threshold=0.1 * t, test_period=day
            ),
        }
        return {
            name: max(f1(np.isin(np.asarray(test(t)), (3, 4)), told) for t in grid)
            for name, test in tests.items()
        } | {"spike and rate": _both(tests, grid, told=told)}


def _both(tests: dict[str, Any], grid: NDArray[np.float64], *, told: NDArray[np.bool_]) -> float:
    """Return the best F1 of spike (average) or rate of change together, over all pairs of thresholds."""
    spikes, rates = (
        [np.isin(np.asarray(tests[name](t)), (3, 4)) for t in grid]
        for name in ("spike, average", "rate of change")
    )
    return max(f1(a | b, told) for a in spikes for b in rates)
