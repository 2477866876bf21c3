"""Bars A1 (limits and rounding), A2 (published classes of Taihu), A3 (lake stations classed as rivers).

A1 is held against the figures in ../shared/data/standards, read here anew and in whole numbers, not against the scheme itself.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from suyuan.assess_run import published_of
from suyuan.clock import iso
from suyuan.io.import_readings import import_readings
from suyuan.io.readings_store import published_classes, stored_readings
from suyuan.io.times import timezone_of
from suyuan.observations import Observations
from suyuan.standards import Section, assess, classify, scheme
from suyuan.standards.published import misses, water_type_of_classes
from suyuan.standards.realtime import NOT_JUDGED, classes_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TABLE = DATA / "standards" / "gb3838_2002_table1.csv"
TAIHU = DATA / "taihu_auto_4h" / "taihu_auto_4h_2021_2023.csv"
CLASSES = ("I", "II", "III", "IV", "V")
LAKES = ("兰山嘴", "兰山嘴(老)", "拖山", "锡东水厂", "沙渚", "西山")
"""Stations in the lake, by the README of the record."""
RIVER_TP = ("兰山嘴(老)", "沙渚")
"""Those of them that the same README found to be published with the river's limits."""
ZONE = timezone_of("Asia/Shanghai")


def bars() -> dict[str, dict]:
    """Return A1, A2 and A3; none where the shared records are not beside the repository."""
    if not TABLE.is_file():
        print(f"{TABLE} is not here: A1, A2 and A3 are left out", file=sys.stderr)
        return {}
    return {"A1": limits_bar(), **taihu_bars()}


def limits_bar() -> dict:
    """Return A1: the share of right classes at every limit, one last digit either side, and at every half digit."""
    cases = list(limit_cases())
    wrong = [
        f"{mode} {item} {water} {value}"
        for mode, item, water, value, want in cases
        if got(mode, item, water, value) != want
    ]
    counts = Counter(mode for mode, *_ in cases)
    return {
        "value": 1.0 - len(wrong) / len(cases),
        "on": f"{len(cases)} values of 23 items, river and lake, two modes",
        "beside": {"cases": dict(counts), "wrong": wrong[:20]},
    }


def limit_cases() -> Iterator[tuple[str, str, str, Fraction, int]]:
    """Yield mode, item, water, value and the class it must have, from the figures in the shared table."""
    digits = {row["key"]: row for row in _rows(DATA / "standards" / "decimals_2020.csv")}
    for row in _rows(TABLE):
        if row["key"] == "water_temp":
            continue
        assessed = int(digits[row["key"]]["assessment_decimals"])
        shown = int(digits[row["key"]]["hourly_decimals"] or assessed)
        for water in ("river", "lake"):
            limits = _limits(row, water)
            for limit in dict.fromkeys(limits):
                for bound in map(abs, limit):
                    for mode, decimals in (("assessment", assessed), ("realtime", shown)):
                        unit = Fraction(1, 10**decimals)
                        for value in (bound - unit, bound, bound + unit):
                            yield mode, row["key"], water, value, _class(value, limits)
                    unit = Fraction(1, 10**assessed)
                    for half in (
                        bound - unit / 2,
                        bound + unit / 2,
                    ):  # exactly between two digits: to the even one
                        whole = int(half / unit)
                        even = (whole if whole % 2 == 0 else whole + 1) * unit
                        if even > 0:
                            yield "assessment", row["key"], water, half, _class(even, limits)


def got(mode: str, key: str, water: str, value: Fraction) -> int:
    """Return the class that suyuan gives a value."""
    item = scheme().item(key)
    number = float(value)
    if mode == "realtime":
        return int(classes_of(np.array([[number]]), [item], water_type=water)[0, 0])
    time, text = np.array(["2024-07-01"], "datetime64[s]"), np.array([""])
    given = Observations(
        time,
        np.array(["S"]),
        np.array([item.determinand]),
        np.array([number]),
        text,
        np.ones(1, np.int8),
        np.zeros(1),
        text,
    )
    until = np.datetime64("2024-08-01")
    found = assess(given, Section("S", water), since=time[0], until=until)
    return next(one.class_index for one in (*found.judged, *found.beside) if one.item.id == item.id)


def taihu_bars() -> dict[str, dict]:
    """Return A2 and A3: the published record imported as a user would, every station classed and held against it."""
    with tempfile.TemporaryDirectory() as folder:
        import_readings(TAIHU, Path(folder), now=datetime.now(UTC))
        readings, shown = stored_readings(Path(folder), ZONE), published_classes(Path(folder), zone=ZONE)
    assert readings is not None
    assert shown is not None
    status = {(r.station, np.datetime64(r.time, "s")): r.status for r in shown.itertuples()}
    right, total, listed, as_river = Counter(), Counter(), [], []
    for station in sorted(set(readings.station.tolist())):
        drawn = classify(readings, Section(station, "lake" if station in LAKES else "river"))
        fits = water_type_of_classes(drawn, published_of(shown, drawn))
        if drawn.section.water_type == "lake" and fits == "river":
            as_river.append(station)
        found = classify(
            readings, Section(station, "lake" if station in LAKES and station not in RIVER_TP else "river")
        )
        published = published_of(shown, found)
        missed = {miss.row: miss for miss in misses(found, published)}
        for row in np.flatnonzero(published != NOT_JUDGED):
            state = status[station, found.time[row]]
            total[state] += 1
            right[state] += int(row) not in missed
        listed += [_listed(found, miss) for miss in missed.values()]
    causes = Counter(miss["cause"] for miss in listed)
    return {
        "A2": {
            "value": {
                "normal": round(right["正常"] / total["正常"], 5),
                "all": round(sum(right.values()) / total.total(), 5),
            },
            "on": f"taihu_auto_4h, {total['正常']} rows with status 正常 and {total.total()} with a class, 10 stations",
            "beside": {"misses": len(listed), "causes": dict(causes), "every_miss": listed},
        },
        "A3": {
            "value": as_river,
            "on": "taihu_auto_4h, six stations in the lake; named are those whose published classes fit the limits of rivers",
            "beside": {"met": as_river == sorted(RIVER_TP)},
        },
    }


def _listed(found: object, miss: object) -> dict:
    ids = [grade.id for grade in found.scheme.classes]
    said = {
        "station": found.section.station,
        "time": iso(found.time[miss.row], ZONE),
        "published": ids[miss.published],
        "ours": ids[miss.ours],
        "cause": miss.cause,
    }
    return said | ({"item": miss.item} if miss.item else {})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _limits(row: dict[str, str], water: str) -> list[tuple[Fraction, ...]]:
    """Return the limit of each class; two numbers for a range, the direction as the sign of the first for one."""
    cells = [row[f"{name}_lake"] if water == "lake" and row["I_lake"] else row[name] for name in CLASSES]
    if not cells[0]:
        return []
    if row["direction"] == "range":
        return [tuple(Fraction(end) for end in cell.split("-")) for cell in cells]
    return [(Fraction(cell) * (-1 if row["direction"] == "ge" else 1),) for cell in cells]


def _class(value: Fraction, limits: list[tuple[Fraction, ...]]) -> int:
    for i, limit in enumerate(limits):
        if len(limit) == 2 and limit[0] <= value <= limit[1]:
            return i
        if len(limit) == 1 and value * (-1 if limit[0] < 0 else 1) <= limit[0]:
            return i
    return len(limits)


if __name__ == "__main__":
    print(bars())
