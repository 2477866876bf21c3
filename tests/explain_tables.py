"""Tables of readings that tests of `explain` make, and project folders around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.explain.drivers import Drivers
from suyuan.explain.table import StationTable

Array = NDArray[np.float64]
START = np.datetime64("2024-06-30T16:00:00")
STEP_H = 4

RECORD = Path(__file__).parents[2] / "shared/data/china_auto_4h_2021_04/yangtze_delta_2021-04-01_05.csv"

UNITS = {"EC": "uS/cm", "chloride": "mg/L", "pH": "1", "water_temp": "degC", "turbidity": "NTU"}


def table_of(columns: dict[str, Array], *, doubtful: dict[str, Array] | None = None) -> StationTable:
    """Return 4-hourly readings of station S from START on, one column a determinand."""
    names = tuple(sorted(columns))
    rows = len(columns[names[0]])
    time = START + (np.arange(rows) * STEP_H * 3600).astype("timedelta64[s]")
    value = np.stack([np.asarray(columns[name], float) for name in names], axis=1)
    flagged = np.stack([(doubtful or {}).get(name, np.zeros(rows, bool)) for name in names], axis=1)
    return StationTable("S", time, names, value, flagged & np.isfinite(value), np.zeros(rows, bool))


def drivers_of(table: StationTable, **known) -> Drivers:
    """Return the drivers of a table: the clock, and what else is named."""
    hours = np.arange(len(table)) * float(STEP_H)
    return Drivers(hour=hours % 24.0, block=(hours // 24.0).astype(np.int64), **known)


def project_with(folder: Path, columns: dict[str, Array], *, station: str = "桥", settings: str = "") -> Path:
    """Write a project of one station without a network, 4-hourly from 2024-07-01 00:00 on the clock of Shanghai."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["time,station,determinand,value,unit"]
    start = np.datetime64("2024-07-01T00:00")
    for name, values in columns.items():
        for k, value in enumerate(values):
            if np.isfinite(value):
                time = str(start + np.timedelta64(STEP_H * k, "h")).replace("T", " ")
                rows.append(f"{time},{station},{name},{value:.4f},{UNITS.get(name, 'mg/L')}")
    (folder / "readings.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "suyuan.toml").write_text(
        '[project]\nname = "bridges"\ntimezone = "Asia/Shanghai"\n[files]\nobservations = "readings.csv"\n'
        + settings,
        "utf-8",
    )
    return folder


def rows_of(stations: tuple[str, ...], file: Path) -> Path:
    """Write the rows of some sections of RECORD to a file of the same form, and return it."""
    lines = RECORD.read_text("utf-8-sig").splitlines()
    place = lines[0].split(",").index("station")
    kept = [line for line in lines[1:] if line.split(",")[place] in stations]
    file.write_text("\n".join([lines[0], *kept]) + "\n", "utf-8")
    return file
