"""Bars E2 (weighted regressions of the Choptank record against EGRET's) and E3 (LOADEST example 1).

`uv run python -m benchmarks.section_loads` prints both. The data are read from ../shared/data; printed values are typed in from
the sources that the README of each record names.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from suyuan.loads import Daily, Samples, Windows, weighted_loads
from suyuan.loads.adjusted import Adjusted, fit_adjusted
from suyuan.loads.rating import centre_of
from suyuan.loads.record import KG_PER_DAY, calendar_day
from suyuan.loads.unbiased import Period, daily_loads, mean_load
from suyuan.loads.wrtds import Surface, cross_validation, fit_surface, normalising_points

Array = NDArray[np.float64]
Index = NDArray[np.int64]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CHOPTANK = DATA / "egret-choptank-wrtds"
LOADEST = DATA / "loadest-examples"

STORED_WINDOWS = Windows(years=10.0, log_q=2.0, season=0.5, readings=100, known=50, keeps_width=False)
"""With these the stored surfaces were made (README of the record)."""

STORED_GRID = (-4.66412049789418, 0.7862231099339502, 1979.0, 0.0625)
"""Bottom and step of ln Q and of years (info.json)."""

WATER_YEAR_1980 = {
    "concentration": "0.9485403",
    "normalised_concentration": "1.002724",
    "load": "316.0491",
    "normalised_load": "291.2176",
    "discharge": "4.251937",
}
"""Daily means of the stored list, as EGRET's own tests print them."""

RUN_AGAIN = {
    "log_mean": "0.1189",
    "log_sd": "0.2681",
    "concentration": "1.198",
    "load": "366.5",
    "normalised_concentration": "1.198",
    "normalised_load": "363.1",
}
"""Daily means of the same input with EGRET's defaults, as its tests print them."""

LEFT_OUT = ("0.0475113943", "0.2629914096", "1.1272620557")
"""Cross-validation with the defaults: mean yHat, SE, ConcHat."""

CUBIC_FOOT = 0.028317
"""m3 in a cubic foot, as LOADEST rounds it; 0.028316846592 by definition."""

POUNDS = 2.204623
"""Pounds in a kilogram, as LOADEST rounds it."""

EXAMPLE_1 = {
    "centre of ln Q": "9.1779",
    "a0": "9.336",
    "error of a0": "0.03750",
    "a1": "0.761",
    "error of a1": "0.05399",
    "residual variance": "0.1152",
    "R2 [%]": "67.88",
    "AIC": "68.96",
    "SPPC": "76.65",
    "Bp [%]": "-1.977",
    "PLR": "0.9802",
    "E": "0.6105",
}
"""What LOADEST prints of example 1."""

EXAMPLE_2 = {
    "mean": "21.63485",
    "error": "19.86159",
    "SEP": "21.05066",
    "low": "3.131524",
    "high": "76.77985",
}
"""What LOADEST prints of the loads of example 2 [lb/d]."""


@dataclass(frozen=True)
class Choptank:
    """The record with decimal years as its makers count them, and the calendar of their flow normalisation."""

    daily: Daily
    samples: Samples
    calendar: Index


def bars() -> dict[str, dict]:
    """Return E2 and E3; none where the shared records are not beside the repository."""
    if not (CHOPTANK.is_dir() and LOADEST.is_dir()):
        print(f"{CHOPTANK} or {LOADEST} is not here: E2 and E3 are left out", file=sys.stderr)
        return {}
    return {"E2": weighted_bar(), "E3": rating_bar()}


def weighted_bar() -> dict:
    """Return E2: the greatest difference from the stored surfaces, printed means that agree, and seconds."""
    record = choptank()
    first = _seconds(lambda: weighted_loads(record.samples, record.daily))
    again = _seconds(lambda: weighted_loads(record.samples, record.daily))
    stored = stored_surface(record)
    reference = np.load(CHOPTANK / "reference_surfaces.npz")["surfaces"]
    apart = [
        float(np.abs(ours - reference[..., k]).max())
        for k, ours in enumerate((stored.log_mean, stored.log_sd, stored.concentration))
    ]
    printed = printed_means(record)
    wrong = {name: both for name, both in printed.items() if not agrees(*both)}
    return {
        "value": {
            "surfaces": max(apart),
            "printed": f"{len(printed) - len(wrong)} of {len(printed)}",
            "seconds": again["elapsed"],
        },
        "on": "egret-choptank-wrtds: 7,406 regressions, again for the intervals; 11,688 days normalised, 606 readings left out",
        "beside": {
            "apart_log_mean_log_sd_concentration": apart,
            "wrong": wrong,
            "seconds_again": again,
            "seconds_first_in_process": first,
            "daily_series_apart": daily_series_apart(record, stored),
        },
    }


def rating_bar() -> dict:
    """Return E3: values of example 1 that agree to every printed digit; example 2 is beside it."""
    ours, second = example_1(), example_2()
    wrong = {name: (ours[name], said) for name, said in EXAMPLE_1.items() if not agrees(ours[name], said)}
    other = {name: (second[name], said) for name, said in EXAMPLE_2.items() if not agrees(second[name], said)}
    return {
        "value": f"{len(EXAMPLE_1) - len(wrong)} of {len(EXAMPLE_1)}",
        "on": "loadest-examples, example 1: phosphorus, 96 readings, model 1",
        "beside": {
            "wrong": wrong,
            "example_2": f"{len(EXAMPLE_2) - len(other)} of {len(EXAMPLE_2)}",
            "wrong_2": other,
        },
    }


def agrees(value: float, printed: str) -> bool:
    """Return whether a value rounds to the printed digits."""
    decimals = len(printed.partition(".")[2])
    return f"{value:.{decimals}f}" == printed


def choptank() -> Choptank:
    """Return the Choptank record; decimal years are made from dates, for the table prints them to ten digits only.

    The record counts days as if every year had 366, noon of day n being (n - 0.5) / 366. The stored list normalises February 28
    and 29 apart and December 30 and 31 together (found here: so its values are met to 1e-9, else 104 days differ by up to 7 %);
    the present EGRET, and suyuan, take February 28 and 29 together.
    """
    rows, days = _rows(CHOPTANK / "samples.csv"), _rows(CHOPTANK / "daily_flow.csv")
    daily = Daily(_dates(days), _column(days, "Q"), _years(days))
    low = np.where(_column(rows, "Uncen") == 1.0, _column(rows, "ConcHigh"), 0.0)
    samples = Samples(_dates(rows), _years(rows), _column(rows, "LogQ"), low, _column(rows, "ConcHigh"))
    calendar = calendar_day(daily.date)
    is_leap_day = np.array([row["Date"][5:] == "02-29" for row in days])
    calendar = np.where(is_leap_day, 59, np.where(calendar == 365, 364, calendar))
    return Choptank(daily, samples, calendar)


def stored_surface(record: Choptank) -> Surface:
    """Return our surface on the stored one's grid and with its windows."""
    bottom, step, first, by = STORED_GRID
    grid = bottom + step * np.arange(14), first + by * np.arange(529)
    return fit_surface(record.samples, record.daily, windows=STORED_WINDOWS, grid=grid)


def series_of(record: Choptank, surface: Surface, *, calendar: Index | None) -> dict[str, Array]:
    """Return every daily series that EGRET makes of a surface."""
    daily, log_q = record.daily, record.daily.log_q
    at = {
        name: surface.at(getattr(surface, name), log_q=log_q, year=daily.year)
        for name in ("log_mean", "log_sd", "concentration")
    }
    day, other = normalising_points(daily, calendar)
    each = surface.at(surface.concentration, log_q=log_q[other], year=daily.year[day])
    count = np.bincount(day)
    return {
        **at,
        "discharge": daily.discharge,
        "load": at["concentration"] * daily.discharge * KG_PER_DAY,
        "normalised_concentration": np.bincount(day, each) / count,
        "normalised_load": np.bincount(day, each * daily.discharge[other] * KG_PER_DAY) / count,
    }


def printed_means(record: Choptank) -> dict[str, tuple[float, str]]:
    """Return ours and the printed of every mean that EGRET's tests print."""
    stored = series_of(record, stored_surface(record), calendar=record.calendar)
    start, end = np.datetime64("1979-10-01"), np.datetime64("1980-10-01")
    of_year = (record.daily.date >= start) & (record.daily.date < end)
    windows = Windows()
    again = series_of(record, fit_surface(record.samples, record.daily, windows=windows), calendar=None)
    left_out = cross_validation(record.samples, record.daily, windows=windows).mean(axis=0)
    return {
        **{
            f"1980 {name}": (float(stored[name][of_year].mean()), said)
            for name, said in WATER_YEAR_1980.items()
        },
        **{f"again {name}": (float(again[name].mean()), said) for name, said in RUN_AGAIN.items()},
        **{f"left out {k}": (float(left_out[k]), said) for k, said in enumerate(LEFT_OUT)},
    }


def daily_series_apart(record: Choptank, surface: Surface) -> dict[str, float]:
    """Return the greatest difference of each daily series from the stored one, relative but for ln c."""
    ours = series_of(record, surface, calendar=record.calendar)
    rows = _rows(CHOPTANK / "reference_daily.csv")
    names = {
        "log_sd": "SE",
        "concentration": "ConcDay",
        "load": "FluxDay",
        "normalised_concentration": "FNConc",
        "normalised_load": "FNFlux",
    }
    found = {
        name: float(np.abs(ours[name] / _column(rows, column) - 1.0).max()) for name, column in names.items()
    }
    return {"log_mean": float(np.abs(ours["log_mean"] - _column(rows, "yHat")).max()), **found}


def example_1() -> dict[str, float]:
    """Return what we make of example 1."""
    rows = _rows(LOADEST / "app1.calib.csv")
    log_q, log_load = _logs(rows, "Phosphorus", scale=CUBIC_FOOT * KG_PER_DAY)
    centre = centre_of(log_q)
    design = np.column_stack([np.ones(len(log_q)), log_q - centre])
    fit = _fit(design, log_load)
    seen, told = np.exp(log_load), daily_loads(fit, design)
    explained = float(((design @ fit.adjusted - (design @ fit.adjusted).mean()) ** 2).sum())
    return {
        "centre of ln Q": centre,
        "a0": fit.adjusted[0],
        "error of a0": fit.standard_errors[0],
        "a1": fit.adjusted[1],
        "error of a1": fit.standard_errors[1],
        "residual variance": fit.variance,
        "R2 [%]": 100.0 * explained / ((len(seen) - 2) * fit.variance + explained),
        "AIC": fit.aic,
        "SPPC": fit.sppc,
        "Bp [%]": 100.0 * float((told - seen).sum() / seen.sum()),
        "PLR": float(told.sum() / seen.sum()),
        "E": 1.0 - float(((seen - told) ** 2).sum() / ((seen - seen.mean()) ** 2).sum()),
    }


def example_2() -> dict[str, float]:
    """Return the mean load of example 2: May to July have a rating curve of their own."""
    rows, days = _rows(LOADEST / "app2.calib.csv"), _rows(LOADEST / "app2.est.csv")
    log_q, log_load = _logs(rows, "Atrazine", scale=CUBIC_FOOT * KG_PER_DAY / 1000.0 * POUNDS)
    centre = centre_of(log_q)
    fit = _fit(_seasonal(rows, centre), log_load)
    found: Period = mean_load(fit, _seasonal(days, centre))
    low, high = found.bounded[1:]
    return {
        "mean": found.mean,
        "error": found.standard_error,
        "SEP": found.prediction_error,
        "low": low,
        "high": high,
    }


def _seasonal(rows: list[dict[str, str]], centre: float) -> Array:
    log_q = np.log(_column(rows, "FLOW")) - centre
    season = np.array([5 <= int(row["DATES"][5:7]) <= 7 for row in rows], float)
    return np.column_stack([np.ones(len(rows)), season, log_q, season * log_q])


def _logs(rows: list[dict[str, str]], name: str, *, scale: float) -> tuple[Array, Array]:
    log_q = np.log(_column(rows, "FLOW"))
    return log_q, np.log(_column(rows, name)) + log_q + np.log(scale)


def _fit(design: Array, log_load: Array) -> Adjusted:
    return fit_adjusted(
        design, log_low=log_load, log_high=log_load, log_limit=np.full(len(log_load), -np.inf)
    )


def _seconds(run: object) -> dict[str, float]:
    elapsed, processor = time.perf_counter(), time.process_time()
    run()
    return {
        "elapsed": round(time.perf_counter() - elapsed, 2),
        "processor": round(time.process_time() - processor, 2),
    }


def _years(rows: list[dict[str, str]]) -> Array:
    return np.array([_decimal(date.fromisoformat(row["Date"])) for row in rows])


def _decimal(day: date) -> float:
    is_leap = date(day.year, 12, 31).timetuple().tm_yday == 366
    number = day.timetuple().tm_yday
    return day.year + (number - 0.5 + (not is_leap and number >= 60)) / 366.0


def _dates(rows: list[dict[str, str]]) -> NDArray[np.datetime64]:
    return np.array([row["Date"] for row in rows], "datetime64[D]")


def _column(rows: list[dict[str, str]], name: str) -> Array:
    return np.array([float(row[name] or "nan") for row in rows])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    print(json.dumps(bars(), ensure_ascii=False, indent=1))
