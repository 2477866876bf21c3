"""What an earlier trace left in its folder: the outfalls it suspects, and what they released when."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError

TRACE, RELEASE = "trace.json", "release.csv"

Z90 = 1.6449
"""Standard deviations from the middle of a normal distribution to its 95th percentile."""


@dataclass(frozen=True)
class TracedOutfall:
    """A suspected outfall: probability, median release [g/s] in the hours that begin at `time` (bin,) [UTC], given that it
    released, and the standard deviation of the logarithm of its mass."""

    name: str
    probability: float
    log_sd: float
    time: NDArray[np.datetime64]
    release: NDArray[np.float64]


@dataclass(frozen=True)
class TracedResult:
    """A finished trace: which determinand, which window [UTC], which outfalls, and pairs of candidates with the probability that
    both released."""

    determinand: str
    since: np.datetime64
    until: np.datetime64
    outfalls: tuple[TracedOutfall, ...]
    pairs: tuple[tuple[str, str, float], ...]


def read_traced(results: Path) -> TracedResult | None:
    """Return what the trace in a folder of results found, None where there is none.

    Raises InputError where its files are not those of a trace.
    """
    if not (results / TRACE).is_file():
        return None
    try:
        whole = json.loads((results / TRACE).read_text("utf-8"))
        histories = _histories(results / RELEASE)
        found = [
            TracedOutfall(
                one["id"], float(one["probability"]), _log_sd(one.get("mass_kg")), *histories[one["id"]]
            )
            for one in whole["candidates"]
            if one["kind"] == "outfall" and one["id"] in histories
        ]
        since, until = (_utc(whole[key]) for key in ("since", "until"))
        pairs = tuple(
            (str(a), str(b), float(p)) for a, b, p in ((*x["ids"], x["probability"]) for x in whole["pairs"])
        )
        return TracedResult(str(whole["determinand"]), since, until, tuple(found), pairs)
    except (ValueError, KeyError, TypeError, OSError) as error:
        what = f"is not the result of a trace ({error!r})"
        raise InputError(
            str(results / TRACE), what, "run 'suyuan trace' again, or take the file away"
        ) from error


def _utc(text: str) -> np.datetime64:
    return np.datetime64(datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None), "s")


def _log_sd(mass: dict[str, float] | None) -> float:
    """Return how far the logarithm of the mass is open: half its 90 % interval over Z90; 0 where no interval is given."""
    if not mass or not mass["q05"] or mass["q05"] <= 0.0:
        return 0.0
    return float(np.log(mass["q95"] / mass["q05"]) / (2.0 * Z90))


def _histories(path: Path) -> dict[str, tuple[NDArray[np.datetime64], NDArray[np.float64]]]:
    """Return start of hour and median release by candidate."""
    rows: dict[str, list[tuple[np.datetime64, float]]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["candidate"], []).append((_utc(row["time"]), float(row["q50"])))
    return {
        name: (np.array([t for t, _ in one], "datetime64[s]"), np.array([q for _, q in one]))
        for name, one in rows.items()
    }
