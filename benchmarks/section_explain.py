"""Bar E1, and what detection of episodes does on records with planted and labelled ones (reported, no bar).

`uv run python -m benchmarks.section_explain --json` prints one object by id. `bars()` returns the same. The data are read
from ../shared/data; what is absent says so. The exit code is 0 whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from suyuan.episodes import Watched, find_episodes
from suyuan.explain.mixing import mixing_of
from suyuan.explain.table import station_table
from suyuan.explain_run import ExplainAsk, explain_folder
from suyuan.io.import_readings import import_readings
from suyuan.io.observations import read_observations
from suyuan.io.times import timezone_of
from suyuan.qc import screen
from suyuan.report.explain import explain_headline

Bar = dict[str, Any]
Array = NDArray[np.float64]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DELTA = DATA / "china_auto_4h_2021_04" / "yangtze_delta_2021-04-01_05.csv"
TAIHU = DATA / "taihu_auto_4h" / "taihu_auto_4h_2021_2023.csv"
CANARY = DATA / "canary_station_b" / "Tutorial_Station_B.csv"
GECCO = DATA / "gecco2018" / "gecco2018_first90000.csv.gz"
NOW = datetime(2024, 1, 1, tzinfo=UTC)

NAMED = ("五牧", "吕城", "望亭上游", "黄埝桥", "殷村港桥", "陈东港", "洪巷桥", "大浦港桥", "潘家坝")
"""The other sections that the record's description names."""

COLUMNS = {
    "NH3-N": "nh3n_mgl",
    "TP": "tp_mgl",
    "TN": "tn_mgl",
    "CODMn": "codmn_mgl",
    "turbidity": "turb_ntu",
    "EC": "ec_uscm",
    "DO": "do_mgl",
}


def bars() -> dict[str, Bar]:
    """Return bar E1, and detection under D1 (planted at Taihu), D2 (planted in Station B) and D3 (labelled, GECCO)."""
    return {"E1": yaoxiang(), "D1": planted_at_taihu(), "D2": planted_in_station_b(), "D3": labelled_gecco()}


def _refused(path: Path) -> Bar:
    return {"value": None, "on": f"{path.parent.name} is not beside the repository (../shared/data)"}


def yaoxiang() -> Bar:
    """Return whether the movement at 姚巷桥 is told as the record's description has it."""
    if not DELTA.is_file():
        return _refused(DELTA)
    with tempfile.TemporaryDirectory() as spare:
        folder = Path(spare)
        import_readings(DELTA, folder, now=NOW)
        ask = ExplainAsk("姚巷桥", "2021-04-01", "2021-04-05")
        explained = explain_folder(folder, ask, now=NOW, progress=lambda _what, _share: None)
        readings = read_observations((folder / "readings.csv",), timezone=timezone_of("Asia/Shanghai"))
    found, whole = explained.explanation, explained.to_dict()
    sentence = explain_headline(found, explained.name, zone=explained.zone).en
    codmn = next(change for change in found.changes if change.determinand == "CODMn")
    accused = [r for change in found.changes for r in change.releases]
    holds = {
        "names mixing of two waters by EC": found.mixing.is_found
        and found.mixing.tracers == ("EC",)
        and "two waters" in sentence,
        "two end members": bool(0.0 < found.mixing.low[0] < found.mixing.high[0]),
        "CODMn is the residual": found.mixing.residual == ("CODMn",)
        and codmn.part("unexplained").value > 0.8 * codmn.change,
        "accuses nobody": not accused and "outfall" not in sentence,
    }
    rng = np.random.default_rng(1)
    seen = screen(readings).observations
    every = {
        str(name): mixing_of(station_table(seen, (str(name),)), rng=rng) for name in np.unique(seen.station)
    }
    return {
        "value": "yes" if all(holds.values()) else "no",
        "on": "姚巷桥, 2021-04-01..05, 21 distinct samples",
        "beside": {
            "holds": holds,
            "sentence": sentence,
            "waters": whole["mixing"]["waters"],
            "followers": {one.determinand: round(one.share, 3) for one in found.mixing.followers},
            "parts_of_TN": {
                part["part"]: part["value"] for part in whole["changes"][0]["parts"] if part["possible"]
            },
            "sections_with_mixing": [sum(one.is_found for one in every.values()), len(every)],
            "other_named_sections_with_mixing": [
                name for name in NAMED if name in every and every[name].is_found
            ],
        },
    }


def _watch(time: NDArray[np.datetime64], value: Array, *, station: str, name: str) -> Watched:
    seconds = time.astype("datetime64[s]")
    hour = (seconds - seconds.astype("datetime64[D]")) / np.timedelta64(3600, "s")
    quiet = np.zeros(len(value), bool)
    return find_episodes(seconds, value, station=station, determinand=name, hour=hour, is_suspect=quiet)


def _planted(
    time: NDArray[np.datetime64],
    value: Array,
    *,
    factor: float,
    length: int,
    rng: np.random.Generator,
    name: str,
) -> tuple[Array, list[tuple[int, int]]]:
    """Return readings with an episode in every 300 or so: a rise and fall over `length` readings to `factor` times the median;
    of oxygen a fall."""
    made, places = value.copy(), []
    shape = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    for at in range(100, len(value) - 100, 300):
        begin = at + int(rng.integers(0, 100))
        rows = slice(begin, begin + length)
        if time[begin + length] - time[begin] > 3 * length * np.median(np.diff(time)):
            continue
        if name == "DO":
            made[rows] = made[rows] * (1.0 - (1.0 - 1.0 / factor) * shape)
        else:
            made[rows] = made[rows] + (factor - 1.0) * np.median(value) * shape
        places.append((begin, begin + length))
    return made, places


def _scored(
    time: NDArray[np.datetime64],
    value: Array,
    *,
    station: str,
    name: str,
    rng: np.random.Generator,
    length: int,
) -> Bar:
    """Return recall and the error of the size of planted episodes by factor, and what untouched rows give."""
    untouched = _watch(time, value, station=station, name=name)
    found: Bar = {
        "months": untouched.months,
        "episodes": len(untouched.episodes),
        "mirrored": untouched.false_alarms,
    }
    for factor in (1.5, 2.0, 3.0, 5.0):
        made, places = _planted(time, value, factor=factor, length=length, rng=rng, name=name)
        seen = _watch(time, made, station=station, name=name)
        ends = [(e.start, e.end, e.size) for e in seen.episodes]
        hit, errors = 0, []
        for a, b in places:
            mine = [size for start, end, size in ends if start <= time[b - 1] and end >= time[a]]
            hit += bool(mine)
            added = float(
                np.abs(made[a:b] - value[a:b]).sum() * np.median(np.diff(time)) / np.timedelta64(1, "h")
            )
            errors += [np.log(sum(mine) / added)] if mine else []
        found[factor] = (hit, len(places), errors)
    return found


def _summed(scores: list[Bar]) -> Bar:
    months = sum(one["months"] for one in scores)
    said: Bar = {
        "episodes_a_month_untouched": round(sum(one["episodes"] for one in scores) / months, 3),
        "mirrored_a_month_untouched": round(sum(one["mirrored"] for one in scores) / months, 3),
        "station_months": round(months, 1),
    }
    for factor in (1.5, 2.0, 3.0, 5.0):
        hit, of = (sum(one[factor][k] for one in scores) for k in (0, 1))
        errors = [e for one in scores for e in one[factor][2]]
        said[f"x{factor:g}"] = {
            "recall": round(hit / of, 3),
            "planted": of,
            "size_median_factor": round(float(np.exp(np.median(errors))), 2) if errors else None,
        }
    return said


def planted_at_taihu(seed: int = 7) -> Bar:
    """Return recall of day-long episodes planted in the rows of ten stations, by determinand and height over the median."""
    if not TAIHU.is_file():
        return _refused(TAIHU)
    frame, rng = pd.read_csv(TAIHU, parse_dates=["time"]), np.random.default_rng(seed)
    said = {}
    for name, column in COLUMNS.items():
        scores = []
        for station, part in frame.groupby("station"):
            known = part[part[column].notna()].sort_values("time")
            if len(known) >= 500:
                time = known["time"].to_numpy().astype("datetime64[s]")
                scores.append(
                    _scored(
                        time,
                        known[column].to_numpy(float),
                        station=str(station),
                        name=name,
                        rng=rng,
                        length=6,
                    )
                )
        said[name] = _summed(scores)
    return {
        "value": {name: one["x3"]["recall"] for name, one in said.items()},
        "on": "taihu_auto_4h, planted, x3",
        "beside": said,
    }


def planted_in_station_b(seed: int = 7) -> Bar:
    """Return the same for six-hour episodes planted in EPA's tutorial record of a distribution network."""
    if not CANARY.is_file():
        return _refused(CANARY)
    frame, rng = pd.read_csv(CANARY), np.random.default_rng(seed)
    time = pd.to_datetime(frame["TimeStep"]).to_numpy().astype("datetime64[s]")
    said = {}
    for name, column in (("EC", "B_COND_VAL"), ("TOC", "B_TOC_VAL"), ("turbidity", "B_TURB_VAL")):
        value = pd.to_numeric(frame[column], errors="coerce").to_numpy(float)
        known = np.isfinite(value) & np.append(True, np.diff(time) > np.timedelta64(0, "s"))
        said[name] = _summed([_scored(time[known], value[known], station="B", name=name, rng=rng, length=18)])
    return {
        "value": {name: one["x2"]["recall"] for name, one in said.items()},
        "on": "canary_station_b, planted, x2",
        "beside": said,
    }


def labelled_gecco() -> Bar:
    """Return how many labelled events are met by an episode of conductivity or turbidity, and episodes outside of events."""
    if not GECCO.is_file():
        return _refused(GECCO)
    frame = pd.read_csv(GECCO)
    time = pd.to_datetime(frame["Time"]).to_numpy().astype("datetime64[s]")
    event = frame["EVENT"].astype(str).str.lower().isin(("true", "1")).to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], event.astype(int), [0]])))
    labelled = [(time[a], time[b - 1]) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    months, beside, found = 0.0, {}, []
    for name, column in (("EC", "Leit"), ("turbidity", "Trueb")):
        value = frame[column].to_numpy(float)
        known = np.isfinite(value)
        seen = _watch(time[known], value[known], station="gecco", name=name)
        months = max(months, seen.months)
        found += [(e.start, e.end) for e in seen.episodes]
        beside[name] = {"episodes": len(seen.episodes), "mirrored": seen.false_alarms}
    met = sum(any(a <= until and b >= since for a, b in found) for since, until in labelled)
    outside = sum(not any(a <= until and b >= since for since, until in labelled) for a, b in found)
    return {
        "value": {
            "events_met": met,
            "events": len(labelled),
            "episodes_outside_a_month": round(outside / months, 2),
        },
        "on": f"gecco2018, first {len(frame)} minutes; labels concern other determinands too",
        "beside": beside,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object by id")
    parser.parse_args()
    print(json.dumps(bars(), ensure_ascii=False, indent=1, default=float))


if __name__ == "__main__":
    main()
