"""The two salt drips in Rio Guilarte (NEON site GUIL, Puerto Rico, product DP1.20190.001) as their record describes them.

Salt water was dripped into the stream at a constant rate; two loggers read specific conductance below, and grab samples of the
background and of the plateau went to a laboratory. Where the record stands and what it lacks is said in the README beside it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Row = dict[str, str]

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "neon-guil-reaeration"
DAYS = ("2015-01-29", "2015-03-18")
NEAR, FAR = "01", "04"

CHLORIDE_SHARE = 35.45 / 58.44
"""Chloride in salt, by mass."""

EC_PER_SALT = 2.1
"""Specific conductance [uS/cm] that 1 g/m3 of salt adds at 25 deg C to water of about 200 uS/cm.

Molar conductivity 126.5 - 89 sqrt(c) S cm2/mol (Robinson and Stokes, 1959), at c = 0.002 mol/L, over 58.44 g/mol.
"""

IN_WATER = 0.2
"""A logger lies in the stream while it reads within this share of what a meter read there by hand that day.

In air, or in a bucket, it reads less than half; what the drips add is about 5 %.
"""

HANDLED_S = 300.0
"""Readings this close to when a logger was laid in or lifted out are left out: it takes the water's temperature, and is moved."""

MIXED_BEYOND = NEAR
"""At the nearest station, 30 m below the drip, the salt is not mixed over the width yet (8 against 10 g/m3 in January)."""


@dataclass(frozen=True)
class Logger:
    """What one logger read while it lay in the water: `time` (reading,) UTC, `ec` (reading,) [uS/cm at 25 deg C].

    It stood `below_m` below the drip.
    """

    station: str
    below_m: float
    time: NDArray[np.datetime64]
    ec: Array


@dataclass(frozen=True)
class Drip:
    """One experiment: salt dripped in [g/s], and the discharge [m3/s] by which the laboratory's chloride says it was diluted.

    `chloride_rise` [g/m3] is plateau less background where the stream is mixed; `injectate_ratio` is the chloride that the
    laboratory found in the carboy over what mass and volume say. When the drip began and ended was not written down.
    """

    day: str
    salt: float
    chloride_rise: float
    injectate_ratio: float
    near: Logger
    far: Logger

    @property
    def discharge(self) -> float:
        return self.salt * CHLORIDE_SHARE / self.chloride_rise

    @property
    def ec_rate(self) -> float:
        """The drip as a rate of conductance [(uS/cm) m3/s]."""
        return self.salt * EC_PER_SALT


def read_drip(folder: Path, day: str) -> Drip:
    """Return the experiment of this day (2015-01-29)."""
    field, background, lab = (
        _rows(folder / f"{day[:7]}_rea_{name}.csv", day)
        for name in ("fieldData", "backgroundFieldSaltData", "externalLabDataSalt")
    )
    (carboy,) = field
    strength = float(carboy["constantRateTracerMass"]) / float(carboy["carboyVolume"])  # g/L
    drop = 0.5 * (float(carboy["dripRateStart"]) + float(carboy["dripRateEnd"])) / 60_000.0  # L/s
    (injectate,) = (float(r["finalConcentration"]) for r in lab if _sample(r) == "00")
    at_station = {_station(row): row for row in background}
    return Drip(
        day=day,
        salt=strength * drop,
        chloride_rise=_chloride_rise(lab),
        injectate_ratio=injectate / (1000.0 * strength * CHLORIDE_SHARE),
        near=_read_logger(folder, day, at_station[NEAR]),
        far=_read_logger(folder, day, at_station[FAR]),
    )


def _rows(path: Path, day: str) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["startDate"].startswith(day)]


def _station(row: Row) -> str:
    return row["namedLocation"].rpartition(".")[2]


def _sample(row: Row) -> str:
    """Return the number of a sample: 00 the carboy, B1 a background, 01 and on the plateau."""
    return row["saltSampleID"].split(".")[1]


def _chloride_rise(lab: Sequence[Row]) -> float:
    """Return the mean over the stations where the stream is mixed of plateau less background [g/m3]."""
    rises = []
    for station in sorted({_station(row) for row in lab if _station(row).isdigit()} - {MIXED_BEYOND}):
        here = [row for row in lab if _station(row) == station]
        before = [float(row["finalConcentration"]) for row in here if _sample(row).startswith("B")]
        after = [float(row["finalConcentration"]) for row in here if not _sample(row).startswith("B")]
        rises.append(np.mean(after) - np.mean(before))
    return float(np.mean(rises))


def _read_logger(folder: Path, day: str, row: Row) -> Logger:
    """Return the longest run of readings in the water, less what was read while the logger was handled."""
    station = _station(row)
    by_hand = np.mean([float(row[f"specificConductanceRep{k}"]) for k in (1, 2, 3, 4)])
    with (folder / f"{day.replace('-', '')}_station{station}.csv").open(encoding="utf-8") as file:
        given = [r for r in csv.DictReader(file) if r["fullRangeSpCondNonlinear"].strip()]
    time = np.array([r["dateTimeLogger"].rstrip("Z") for r in given], "datetime64[s]")
    ec = np.array([float(r["fullRangeSpCondNonlinear"]) for r in given])
    first, last = longest_run(np.abs(ec / by_hand - 1.0) < IN_WATER)
    margin = np.timedelta64(round(HANDLED_S), "s")
    keep = (time >= time[first] + margin) & (time <= time[last] - margin)
    return Logger(station, float(row["stationToInjectionDistance"]), time[keep], ec[keep])


def longest_run(is_so: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first and last row of the longest run of True.

    >>> longest_run(np.array([True, False, True, True, False]))
    (2, 3)
    """
    change = np.flatnonzero(np.diff(np.concatenate([[False], is_so, [False]]).astype(np.int8)))
    begins, ends = change[::2], change[1::2]
    longest = int(np.argmax(ends - begins))
    return int(begins[longest]), int(ends[longest]) - 1
