"""Real backgrounds: readings of river stations at Lake Taihu in the place of invented ones, gaps and faults left in.

The record (../shared/data/taihu_auto_4h) is not part of the project. Flow, network and releases are invented. The
stations of one event are read in the same days, but which is above which, and whether water joins them, is invented
too. That nobody released in those days is not known either: a real release counts here as a false accusation.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.observations import GOOD, Observations
from suyuan.synthetic import Event
from suyuan.synthetic.quality import simulate
from suyuan.synthetic.waters import DETERMINANDS

Array = NDArray[np.float64]

RECORD = Path(__file__).resolve().parents[3] / "shared/data/taihu_auto_4h/taihu_auto_4h_2021_2023.csv"

RIVERS = ("小梅口", "汤溇", "陈东港", "落蓬湾")
"""Stations on rivers that run into or out of the lake; the others lie in it."""

COLUMNS = dict(zip(DETERMINANDS, ("nh3n_mgl", "tp_mgl", "codmn_mgl", "ec_uscm"), strict=True))
SLOT_H, DAYS = 4, 8
SLOTS = DAYS * 24 // SLOT_H + 1

FULL_ENOUGH = 0.6
"""Least share of the readings of a window that must have arrived, at every station used."""

HIDDEN_NH3N, LIMIT_NH3N = 0.025, 0.05
"""NH3-N below detection stands in the record as half the limit (its README)."""

READ_ERROR = 0.05
"""An instrument errs on what was planted as on what was there, by about this share."""

RECORD_ZONE_H = 8


@dataclass(frozen=True)
class Window:
    """Readings (station, slot, determinand) of real stations from `first` [datetime64[h] UTC+8] on, NaN where none."""

    stations: tuple[str, ...]
    first: np.datetime64
    value: Array


def exists() -> bool:
    return RECORD.exists()


@cache
def record() -> tuple[np.datetime64, dict[str, Array]]:
    """Return the first day of the record and the readings of each river station, (slot, determinand), NaN where none."""
    if not exists():
        what = f"'{RECORD.name}' is not beside the repository"
        raise InputError(str(RECORD), what, "leave out the sets on real backgrounds, or put the record there")
    rows = defaultdict(list)
    with RECORD.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["station"] in RIVERS:
                rows[row["station"]].append(row)
    times = {name: np.array([r["time"] for r in of], "datetime64[h]") for name, of in rows.items()}
    first = min(t.min() for t in times.values()).astype("datetime64[D]")
    last = max(t.max() for t in times.values())
    count = int((last - first) / np.timedelta64(SLOT_H, "h")) + 1
    series = {}
    for name, of in rows.items():
        series[name] = np.full((count, len(COLUMNS)), np.nan)
        slot = ((times[name] - first) / np.timedelta64(SLOT_H, "h")).astype(int)
        for d, column in enumerate(COLUMNS.values()):
            series[name][slot, d] = [float(r[column]) if r[column] else np.nan for r in of]
    return first, series


@cache
def full_days(name: str) -> frozenset[int]:
    """Return the days, counted from the record's first, at which a window full enough begins at a station.

    Full enough must be all readings together, and those of NH3-N, which is traced.
    """
    _, series = record()
    has = np.isfinite(series[name])
    starts = np.arange(0, len(has) - SLOTS + 1, 24 // SLOT_H)
    share = [(has[s : s + SLOTS].mean(), has[s : s + SLOTS, 0].mean()) for s in starts]
    full = [s for s, both in zip(starts, share, strict=True) if min(both) >= FULL_ENOUGH]
    return frozenset(int(s) * SLOT_H // 24 for s in full)


def draw_window(rng: np.random.Generator, *, stations: int) -> Window:
    """Return eight days of as many stations as have readings then, at most `stations`."""
    first, series = record()
    days = sorted(set().union(*(full_days(name) for name in series)))
    day = days[int(rng.integers(len(days)))]
    able = [name for name in series if day in full_days(name)]
    chosen = tuple(able[i] for i in rng.permutation(len(able))[:stations])
    slot = day * 24 // SLOT_H
    value = np.stack([series[name][slot : slot + SLOTS] for name in chosen])
    return Window(chosen, (first + day).astype("datetime64[h]"), value)


def on_real_readings(event: Event, window: Window, *, rng: np.random.Generator) -> Event:
    """Return the event with its readings replaced by the window's, what was released added at the stations."""
    plume = _plume(event)
    plume *= np.exp(READ_ERROR * rng.standard_normal(plume.shape))
    is_hidden = np.zeros(window.value.shape, bool)
    is_hidden[..., 0] = window.value[..., 0] <= HIDDEN_NH3N
    value = window.value + plume
    is_hidden &= value < LIMIT_NH3N
    station, slot, which = np.nonzero(np.isfinite(value))
    order = np.argsort(slot, kind="stable")
    station, slot, which = station[order], slot[order], which[order]
    hidden = is_hidden[station, slot, which]
    readings = Observations(
        time=event.since + slot * np.timedelta64(SLOT_H, "h").astype("timedelta64[s]"),
        station=np.array([s.id for s in event.network.stations])[station],
        determinand=np.array(DETERMINANDS)[which],
        value=np.where(hidden, LIMIT_NH3N, value[station, slot, which]),
        qualifier=np.where(hidden, "<", ""),
        flag=np.full(len(slot), GOOD, np.int8),
        duration_s=np.zeros(len(slot)),
        sample_id=np.full(len(slot), ""),
        source=f"real readings of {', '.join(window.stations)} from {window.first} on, an invented river",
    )
    return replace(event, observations=readings)


def _plume(event: Event) -> Array:
    """Return what the releases add at the stations, (station, slot, determinand), in clean water."""
    truth = event.truth
    hours, nodes = len(truth.flow.discharge_start), len(truth.network.nodes)
    waters = simulate(
        truth.network,
        truth.flow,
        inflowing=np.zeros((hours, nodes, len(DETERMINANDS))),
        sources=tuple(release.point_source() for release in truth.releases),
        decay_per_s=truth.decay_per_day / 86400.0,
    )
    first = round(float((event.since - truth.flow.start) / np.timedelta64(1, "h")))
    at = [waters.at(truth.network, (s.reach, s.chainage_m)) for s in event.network.stations]
    return np.stack([course[first::SLOT_H] for course in at])
