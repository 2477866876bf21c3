"""Bars Q1 and Q2: planted faults and real rows at Lake Taihu; the labelled turbidity of Sandy Creek beside ioos-qc.

`uv run --group quality python -m benchmarks.section_quality --json` prints one object by bar. `bars()` returns the
same. The data are read
from ../shared/data; a bar whose data or package is absent says so. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import quality_faults as faults
from benchmarks.quality_sandy import sandy_creek
from suyuan.observations import FAIL, SUSPECT
from suyuan.qc import screen
from suyuan.qc.flat import runs

Bar = dict[str, Any]
SEED = 20


def bars() -> dict[str, Bar]:
    """Return bars Q1 and Q2, each with its value and what it was measured on."""
    return {"Q1": planted_and_real(), "Q2": sandy_creek()}


def planted_and_real(seed: int = SEED, *, only: tuple[str, ...] = (), each: int = faults.EACH) -> Bar:
    """Return recall on planted faults, false alarms on untouched rows, and whether the three traps stay silent."""
    if not faults.RECORD.is_file():
        return {"value": None, "refused": "taihu_auto_4h is not beside the repository (../shared/data)"}
    many = [record for record in faults.records() if not only or record.station in only]
    untouched = screen(faults.observations_of(many))
    flagged = _flagged(untouched.observations.flag)
    found = _recall(many, flagged, rng=np.random.default_rng(seed), each=each)
    return {
        "value": {
            "recall": found["all"],
            "recall_by_kind": {kind: found[kind] for kind in faults.KINDS},
            "false_alarms_per_station_month": _false_alarms(many, flagged),
            "traps_silent": _traps(many, untouched),
            "real_faults_found": _real_found(many, flagged),
        },
        "by_determinand": found["by_determinand"],
        "by_check": _by_check(many, untouched),
        "false_alarms_each_determinand_by_itself": _by_determinand(many, flagged),
        "false_flagged_readings_per_station_month": _false_readings(many, flagged),
        "by_station": {
            record.station: _false_alarms(many, flagged, station=record.station) for record in many
        },
        "measured_on": {
            "rows": sum(len(record.time) for record in many),
            "stations": [record.station for record in many],
            "looked_at_before": [s for s in faults.DEVELOPED_ON if not only or s in only],
            "planted_of_each_kind": each,
            "seed": seed,
            "an_alarm": "a stretch of consecutive rows of a station in which anything is flagged",
            "a_station_month": "182.6 rows of a station",
        },
    }


def _flagged(flag: NDArray[np.int8]) -> NDArray[np.bool_]:
    return (flag == SUSPECT) | (flag == FAIL)


def _recall(
    many: list[faults.Record], before: NDArray[np.bool_], *, rng: np.random.Generator, each: int
) -> dict[str, Any]:
    """Return the share of planted faults with a reading that is flagged and was not flagged untouched, by kind and
    determinand."""
    seen: list[tuple[str, str, bool]] = []
    for copies, planted in faults.planted(many, rng, each=each):
        now = _flagged(screen(faults.observations_of(copies)).observations.flag)
        for fault in planted:
            places = faults.place_of(many, fault)
            seen.append((fault.kind, fault.determinand, bool((now & ~before)[places].any())))
    by_kind = {kind: _share([hit for k, _, hit in seen if k == kind]) for kind in faults.KINDS}
    names = sorted({name for _, name, _ in seen})
    by_name = {
        f"{kind} {name}": _share([hit for k, n, hit in seen if (k, n) == (kind, name)])
        for kind in ("spike", "offset", "drift", "stuck")
        for name in names
        if any((k, n) == (kind, name) for k, n, _ in seen)
    }
    return {**by_kind, "all": _share([hit for *_, hit in seen]), "by_determinand": by_name}


def _share(hits: list[bool]) -> float:
    return round(float(np.mean(hits)), 3) if hits else float("nan")


def _false_alarms(many: list[faults.Record], flagged: NDArray[np.bool_], *, station: str = "") -> float:
    """Return stretches of rows with something flagged and no real fault in them, per station and month."""
    alarms, months = 0, 0.0
    for record, mine, true in _parts(many, flagged):
        if station in {"", record.station}:
            months += len(record.time) / faults.ROWS_A_MONTH
            alarms += sum(not true[a:b].any() for a, b in runs(mine.any(axis=1)))
    return round(alarms / months, 2)


def _by_determinand(many: list[faults.Record], flagged: NDArray[np.bool_]) -> float:
    """Return the same with each determinand's alarms counted by themselves."""
    alarms, months = 0, 0.0
    for record, mine, true in _parts(many, flagged):
        months += len(record.time) / faults.ROWS_A_MONTH
        for column in range(record.value.shape[1]):
            there = np.isfinite(record.value[:, column])
            alarms += sum(not true[there, column][a:b].any() for a, b in runs(mine[there, column]))
    return round(alarms / months, 2)


def _parts(
    many: list[faults.Record], flagged: NDArray[np.bool_]
) -> Iterator[tuple[faults.Record, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield each record with what is flagged and what is a real fault of it, both (row, determinand)."""
    real, before = faults.really_faulty(many), 0
    for record in many:
        inside = slice(before, before + record.value.size)
        before += record.value.size
        yield record, flagged[inside].reshape(record.value.shape), real[inside].reshape(record.value.shape)


def _false_readings(many: list[faults.Record], flagged: NDArray[np.bool_]) -> float:
    months = sum(len(record.time) for record in many) / faults.ROWS_A_MONTH
    return round(float((flagged & ~faults.really_faulty(many)).sum()) / months, 2)


def _real_found(many: list[faults.Record], flagged: NDArray[np.bool_]) -> dict[str, str]:
    """Return how many of the readings that are real faults are flagged, by kind."""
    value = np.concatenate([record.value for record in many])
    names, mine = list(faults.COLUMNS.values()), flagged.reshape(value.shape)
    ec, codmn, tn, nh3n = (names.index(name) for name in ("EC", "CODMn", "TN", "NH3-N"))
    kinds = {
        "EC < 5": (value[:, ec] < 5.0, mine[:, ec]),
        "CODMn > 30": (value[:, codmn] > 30.0, mine[:, codmn]),
        "TN < NH3-N": (value[:, tn] < value[:, nh3n], mine[:, tn] | mine[:, nh3n]),
    }
    return {
        kind: f"{int((wrong & found).sum())} of {int(wrong.sum())}" for kind, (wrong, found) in kinds.items()
    }


def _by_check(many: list[faults.Record], untouched: Any) -> dict[str, float]:
    """Return the alarms of each check on untouched rows, real faults included, per station and month."""
    months = sum(len(record.time) for record in many) / faults.ROWS_A_MONTH
    names = [alarm.check for alarm in untouched.alarms]
    return {name: round(names.count(name) / months, 3) for name in sorted(set(names))}


def _traps(many: list[faults.Record], untouched: Any) -> dict[str, bool | str]:
    """Return whether each trap stays silent: nobody calls it flat, attenuated or copied."""
    quiet = (
        np.max([untouched.by_check(name) for name in ("flat line", "attenuated", "copied")], axis=0) < SUSPECT
    )
    names, before, longest, night = list(faults.COLUMNS.values()), 0, (0, True), True
    for record in many:
        mine = quiet[before : before + record.value.size].reshape(record.value.shape)
        before += record.value.size
        hidden = record.value[:, names.index("NH3-N")] == 0.025
        there = np.isfinite(record.value[:, names.index("NH3-N")])
        for a, b in runs(hidden[there]):
            longest = max(longest, (b - a, bool(mine[there, names.index("NH3-N")][a:b].all())))
        night &= _nights_are_silent(record, mine)
    return {
        f"NH3-N at half its detection limit, {longest[0]} readings": longest[1],
        "nutrients repeated at 00 h and 04 h": night,
        **_rounded_ph(many),
    }


def _nights_are_silent(record: faults.Record, quiet: NDArray[np.bool_]) -> bool:
    """Return whether nutrients that repeat the evening's value at 00 h and 04 h, and no longer, are never told."""
    for name in ("NH3-N", "TP", "TN", "CODMn"):
        column = list(faults.COLUMNS.values()).index(name)
        there = np.isfinite(record.value[:, column])
        value, hour = record.value[there, column], ((record.time[there].astype(np.int64) // 3600) + 8) % 24
        repeats = np.append(False, np.diff(value) == 0.0)
        is_day = repeats & ~np.isin(hour, (0, 4))
        run = np.cumsum(~repeats) - 1
        alone = np.bincount(run, weights=repeats)[run].astype(bool) & ~np.bincount(run, weights=is_day)[
            run
        ].astype(bool)
        alone &= value > faults.DETECTION[name]
        if not quiet[there, column][alone].all():
            return False
    return True


def _rounded_ph(many: list[faults.Record]) -> dict[str, bool | str]:
    """Return whether pH that is published in whole numbers stays silent; this copy of the record ends before that happened.

    So the longest stretch of real pH between 7.5 and 8.5 is rounded here, 141 readings of it.
    """
    column, best = list(faults.COLUMNS.values()).index("pH"), (0, 0, 0)
    for k, record in enumerate(many):
        there = np.flatnonzero(np.isfinite(record.value[:, column]))
        for a, b in runs(np.round(record.value[there, column]) == 8.0):
            best = max(best, (b - a, k, int(there[a])))
    length, k, first = best
    name = (
        f"pH rounded to 8.0, {min(length, 141)} readings (rounded here: the copy ends before the real ones)"
    )
    record = many[k]
    value = record.value.copy()
    rows = (first + np.flatnonzero(np.isfinite(value[first:, column])))[:141]
    value[rows, column] = 8.0
    seen = screen(faults.observations_of([faults.Record(record.station, record.time, value)]))
    told = (
        np.max([seen.by_check(check) for check in ("flat line", "attenuated", "copied")], axis=0) >= SUSPECT
    )
    return {name: not told.reshape(value.shape)[rows, column].any()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, bars by their ids")
    parser.add_argument("--only", nargs="*", default=[], help="these stations alone, and Q1 alone")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--each", type=int, default=faults.EACH, help="planted faults of each kind")
    asked = parser.parse_args()
    if asked.only or asked.seed != SEED or asked.each != faults.EACH:
        found = {"Q1": planted_and_real(asked.seed, only=tuple(asked.only), each=asked.each)}
    else:
        found = bars()
    if asked.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for name, bar in found.items():
        print(name)
        for key, value in bar.items():
            print(f"  {key}: {value}")


if __name__ == "__main__":
    main()
