"""Faults planted into real rows of ten stations at Lake Taihu, and what real faults the rows hold.

Read from ../shared/data/taihu_auto_4h. Nothing of the planting is known to `suyuan.qc`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.observations import GOOD, MISSING, Observations

RECORD = Path(__file__).resolve().parents[2] / "shared/data/taihu_auto_4h/taihu_auto_4h_2021_2023.csv"
COLUMNS = {
    "water_temp_c": "water_temp",
    "ph": "pH",
    "do_mgl": "DO",
    "ec_uscm": "EC",
    "turb_ntu": "turbidity",
    "codmn_mgl": "CODMn",
    "nh3n_mgl": "NH3-N",
    "tp_mgl": "TP",
    "tn_mgl": "TN",
    "chla_mgl": "chl-a",
    "algae_cells_l": "algal_density",
}
DETECTION = {"NH3-N": 0.05, "TP": 0.01, "TN": 0.1, "CODMn": 0.5}
DEVELOPED_ON = ("兰山嘴", "小梅口", "落蓬湾", "西山", "陈东港")
"""Stations that were looked at while shapes and settings were made; the others were scored only."""

KINDS = ("spike", "offset", "drift", "stuck", "dry probe", "copied block")
EACH = 200
APART = 72
"""Rows of a station between two planted faults of one copy of the record: twelve days."""

SLOT = np.timedelta64(4, "h")
ROWS_A_MONTH = 6 * 30.4375


@dataclass(frozen=True, eq=False)
class Record:
    """The record of one station: `time` (row,) and readings (row, determinand), NaN where there is none."""

    station: str
    time: NDArray[np.datetime64]
    value: NDArray[np.float64]


@dataclass(frozen=True)
class Fault:
    """A planted fault: which readings (row, determinand) of which station are now false, and what they read."""

    kind: str
    station: str
    determinand: str
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    value: NDArray[np.float64]


def records() -> list[Record]:
    """Return the ten stations in the order of the file, rows in order of time."""
    with RECORD.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for station in dict.fromkeys(row["station"] for row in rows):
        mine = sorted((row for row in rows if row["station"] == station), key=lambda row: row["time"])
        time = np.array(
            [row["time"].replace(" ", "T") for row in mine], dtype="datetime64[s]"
        ) - np.timedelta64(8, "h")
        value = np.array([[float(row[name] or "nan") for name in COLUMNS] for row in mine])
        found.append(Record(station, time, value))
    return found


def observations_of(many: Sequence[Record]) -> Observations:
    """Return the readings of all stations as one table, row after row; `place_of` finds them again."""
    names = list(COLUMNS.values())
    time = np.concatenate([np.repeat(each.time, len(names)) for each in many])
    value = np.concatenate([each.value.ravel() for each in many])
    n = len(value)
    return Observations(
        time=time,
        station=np.concatenate([np.full(each.value.size, each.station) for each in many]),
        determinand=np.tile(names, n // len(names)),
        value=value,
        qualifier=np.full(n, ""),
        flag=np.where(np.isnan(value), MISSING, GOOD).astype(np.int8),
        duration_s=np.zeros(n),
        sample_id=np.full(n, ""),
    )


def place_of(many: Sequence[Record], fault: Fault) -> NDArray[np.int64]:
    """Return the places (reading,) of a fault's readings in the table of `observations_of`."""
    before = 0
    for each in many:
        if each.station == fault.station:
            return before + fault.rows * len(COLUMNS) + fault.columns
        before += each.value.size
    raise KeyError(fault.station)


def really_faulty(many: Sequence[Record]) -> NDArray[np.bool_]:
    """Return which readings of the table are real faults: EC < 5, CODMn > 30, and both of TN < NH3-N."""
    names = list(COLUMNS.values())
    value = np.concatenate([each.value for each in many])
    wrong = np.zeros(value.shape, bool)
    wrong[:, names.index("EC")] = value[:, names.index("EC")] < 5.0
    wrong[:, names.index("CODMn")] = value[:, names.index("CODMn")] > 30.0
    pair = [names.index("TN"), names.index("NH3-N")]
    wrong[:, pair] |= (value[:, pair[0]] < value[:, pair[1]])[:, None]
    return wrong.ravel()


def planted(
    many: Sequence[Record], rng: np.random.Generator, *, each: int = EACH
) -> Iterator[tuple[list[Record], list[Fault]]]:
    """Yield copies of the record with faults in them, until every kind was planted `each` times; faults lie APART rows apart."""
    to_plant = [str(kind) for kind in rng.permutation(np.repeat(KINDS, each))]
    weights = np.array([len(record.time) for record in many], float)
    while to_plant:
        free = [np.ones(len(record.time), bool) for record in many]
        copies, faults, later = [replace(record, value=record.value.copy()) for record in many], [], []
        for kind in to_plant:
            k = int(rng.choice(len(many), p=weights / weights.sum()))
            fault = _fault(many[k], kind, free=free[k], rng=rng)
            if fault is None:
                later.append(kind)
                continue
            copies[k].value[fault.rows, fault.columns] = fault.value
            free[k][max(fault.rows.min() - APART, 0) : fault.rows.max() + APART] = False
            faults.append(fault)
        to_plant = later
        yield copies, faults


def _fault(record: Record, kind: str, *, free: NDArray[np.bool_], rng: np.random.Generator) -> Fault | None:
    """Return a fault of this kind at a place that is free, None where none was found in thirty tries."""
    for _ in range(30):
        start = int(rng.integers(10, len(record.time) - 10))
        if not free[start]:
            continue
        column = _column(record, kind, rng)
        hours = {"spike": 0, "drift": 120, "stuck": 24, "copied block": 24}.get(kind)
        hours = (
            int(rng.integers(4, 25) if kind == "dry probe" else rng.integers(24, 121))
            if hours is None
            else hours
        )
        rows = _within(record, start, hours=hours, column=column)
        if not len(rows) or not _is_covered(record, rows, hours=hours, column=column):
            continue
        made = _made(record, kind, column=column, rows=rows, rng=rng)
        if made is not None:
            return made
    return None


def _column(record: Record, kind: str, rng: np.random.Generator) -> int:
    if kind == "dry probe":
        return list(COLUMNS.values()).index("EC")
    return int(rng.choice(_moving(record)))


def _within(record: Record, start: int, *, hours: int, column: int) -> NDArray[np.int64]:
    """Return the rows from `start` on, up to `hours` later, that hold a reading of the determinand."""
    end = record.time[start] + np.timedelta64(hours, "h")
    inside = (record.time >= record.time[start]) & (record.time <= end) & np.isfinite(record.value[:, column])
    rows = np.flatnonzero(inside)
    return rows if len(rows) and rows[0] == start else rows[:0]


def _is_covered(record: Record, rows: NDArray[np.int64], *, hours: int, column: int) -> bool:
    """Return whether two thirds of the slots of the fault, a day before and a day after hold a reading."""
    day = np.timedelta64(24, "h")
    begin, end = record.time[rows[0]] - day, record.time[rows[0]] + np.timedelta64(hours, "h") + day
    there = (record.time >= begin) & (record.time <= end) & np.isfinite(record.value[:, column])
    return bool(there.sum() >= 2 / 3 * (hours + 48) / 4)


def _made(
    record: Record, kind: str, *, column: int, rows: NDArray[np.int64], rng: np.random.Generator
) -> Fault | None:
    name, value = list(COLUMNS.values())[column], record.value[rows, column]
    columns = np.full(len(rows), column)
    if kind == "copied block":
        return _copy(record, rows, rng)
    if kind == "dry probe":
        return Fault(kind, record.station, name, rows, columns, np.round(rng.uniform(0.1, 4.9, len(rows)), 1))
    if kind == "stuck":
        is_visible = value[0] > DETECTION.get(name, 0.0) and len(rows) >= 5
        held = np.full(len(rows), value[0])
        return (
            Fault(kind, record.station, name, rows, columns, held)
            if is_visible and len(set(value)) > 1
            else None
        )
    size = robust_sd(record.value[:, column])
    away = np.full(len(rows), 5.0 * size)
    if kind == "drift":
        away = 3.0 * size * ((record.time[rows] - record.time[rows[0]]) / SLOT + 1.0) / 31.0
    sign = rng.choice([-1.0, 1.0])
    sign = 1.0 if (value + sign * away < 0.0).any() else sign
    digits = (
        0 if name == "algal_density" else 3 if name in {"NH3-N", "TP", "chl-a"} else 2 if name != "EC" else 1
    )
    return Fault(kind, record.station, name, rows, columns, np.round(value + sign * away, digits))


def _copy(record: Record, rows: NDArray[np.int64], rng: np.random.Generator) -> Fault | None:
    """Return a day of all determinands, overwritten with what was read at the same hours one to thirty days before."""
    lag = np.timedelta64(24 * int(rng.integers(1, 31)), "h")
    at = {time: k for k, time in enumerate(record.time)}
    pairs = [(row, at[record.time[row] - lag]) for row in rows if record.time[row] - lag in at]
    if len(pairs) < 6:
        return None
    here, there = np.array(pairs).T
    both = np.isfinite(record.value[here]) & np.isfinite(record.value[there])
    row, column = np.nonzero(both)
    return Fault("copied block", record.station, "all", here[row], column, record.value[there[row], column])


@cache
def _moving(record: Record) -> tuple[int, ...]:
    """Return the determinands of a station that move by more than half their detection limit: below it digits mean nothing."""
    names = list(COLUMNS.values())
    return tuple(
        c for c, name in enumerate(names) if robust_sd(record.value[:, c]) > 0.5 * DETECTION.get(name, 0.0)
    )


def robust_sd(value: NDArray[np.float64]) -> float:
    """Return 1.4826 times the median absolute deviation of a station's whole record of a determinand, 0 where half agree."""
    known = value[np.isfinite(value)]
    return float(1.4826 * np.median(np.abs(known - np.median(known)))) if len(known) else 0.0
