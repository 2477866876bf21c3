"""The tables [transport], [water], [settling_m_per_day] and [transient_storage] of suyuan.toml: what happens on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import InputError, nearest
from suyuan.io.sections import Report, flag
from suyuan.io.tables import Column, read_table
from suyuan.io.times import times_of
from suyuan.substances import USUAL_THETA, Substance, WaterTemperature, determinand
from suyuan.tracing.members import StillWater
from suyuan.transport.mixing import FORMULAS
from suyuan.transport.operator import Mixing
from suyuan.transport.storage import TransientStorage

KEYS = {
    "transport": ("dispersion",),
    "water": ("temperature_c", "temperature", "theta"),
    "transient_storage": ("area_ratio", "exchange_per_day", "reaches", "drawn"),
}
"""The keys of each table; [settling_m_per_day] has determinands as keys."""

DAY_S = 86400.0

COLUMNS = (
    Column("time", ("时间", "日期", "date")),
    Column("temperature_c", ("水温", "温度", "water_temp", "temperature")),
)

LOWEST_C, HIGHEST_C = -5.0, 60.0
"""Water is never colder nor warmer."""


@dataclass(frozen=True)
class Processes:
    """What a project says of the way from source to station: spreading, settling [m/d] per determinand, temperature.

    `still` is what is believed of still water that nobody measured, None where it is given or there is none.
    """

    mixing: Mixing = field(default_factory=Mixing)
    still: StillWater | None = None
    settling_m_per_day: Mapping[str, float] = field(default_factory=dict)
    temperature: WaterTemperature | None = None
    theta: float = USUAL_THETA

    def substance(self, name: str, decay_per_day: float) -> Substance:
        """Return a determinand as it is lost on the way."""
        speed = self.settling_m_per_day.get(name, 0.0) / DAY_S
        return Substance(determinand(name), decay_per_day / DAY_S, speed, self.theta, self.temperature)


def processes_in(tables: Mapping[str, Any], fault: Report, *, folder: Path, zone: tzinfo) -> Processes:
    """Return what the four tables say, and report what is wrong with them."""
    reader = _Reader(fault)
    water, beside = _table(tables, "water"), _table(tables, "transient_storage")
    is_drawn = flag(beside, "transient_storage", key="drawn", fault=fault)
    given = reader.storage(beside) if is_drawn is False else None
    return Processes(
        Mixing(reader.dispersion(_table(tables, "transport")), given),
        reader.still(beside) if is_drawn else None,
        reader.settling(_table(tables, "settling_m_per_day")),
        reader.temperature(water, folder, zone=zone),
        reader.number(water, "theta", least=1.0, most=1.3, usual=USUAL_THETA),
    )


def read_temperature(path: Path, zone: tzinfo) -> WaterTemperature:
    """Return the water temperature in a table of `time` and `temperature_c`, in order; raises InputError with every fault."""
    table = read_table(path, COLUMNS)
    time, faults = times_of(table, zone)
    celsius, wrong = table.numbers("temperature_c")
    faults += wrong
    outside = (celsius < LOWEST_C) | (celsius > HIGHEST_C)
    remedy = f"write degrees Celsius, {LOWEST_C:g} to {HIGHEST_C:g}"
    faults += table.faults(
        outside,
        table.text("temperature_c"),
        say=lambda cell: (f"temperature_c is {cell}, which water never is", remedy),
    )
    if faults:
        raise InputError.of(faults)
    there = np.isfinite(celsius)
    if not there.any():
        raise InputError(
            table.source, "there is no row with a temperature", "give at least one, or temperature_c"
        )
    time, celsius = time[there], celsius[there]
    order = np.argsort(time, kind="stable")
    time, celsius = time[order], celsius[order]
    if (np.diff(time) == np.timedelta64(0, "s")).any():
        raise InputError(table.source, "a time is there twice", "keep one of the rows")
    return WaterTemperature(tuple(time.astype("datetime64[s]")), tuple(celsius.tolist()))


def _table(tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = tables.get(name, {})
    return found if isinstance(found, dict) else {}


class _Reader:
    """Reads the tables and reports every fault on the line of its key."""

    def __init__(self, fault: Report) -> None:
        self._fault = fault

    def number(
        self, table: dict[str, Any], key: str, *, least: float, most: float, usual: float = math.nan
    ) -> float:
        """Return a number from `least` to `most`, `usual` where there is none or it is another."""
        value = table.get(key, usual)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if key not in table or (is_number and least <= value <= most):
            return float(value)
        self._fault(key, f"{key} is {value!r}", remedy=f"write a number from {least:g} to {most:g}")
        return usual

    def dispersion(self, table: dict[str, Any]) -> str | float | tuple[tuple[str, float], ...]:
        """Return the name of a formula, a number, or pairs of reach and number; '' where nothing is said."""
        value = table.get("dispersion", "")
        if isinstance(value, str):
            if value in FORMULAS or not value:
                return value
            self._fault(
                "dispersion", f"dispersion '{value}' is not known", remedy=nearest(value, list(FORMULAS))
            )
            return ""
        if isinstance(value, dict):
            return tuple(
                (reach, self.number(value, reach, least=0.0, most=1e5, usual=0.0)) for reach in value
            )
        return self.number(table, "dispersion", least=0.0, most=1e5, usual=0.0)

    def storage(self, table: dict[str, Any]) -> TransientStorage | None:
        """Return the still water beside the channel, None where there is none."""
        if not table:
            return None
        for key in ("area_ratio", "exchange_per_day"):
            if key not in table:
                self._fault(
                    "transient_storage", f"{key} is missing", remedy=f"write {key} under [transient_storage]"
                )
                return None
        ratio = self.number(table, "area_ratio", least=1e-4, most=100.0, usual=1.0)
        rate = self.number(table, "exchange_per_day", least=0.0, most=1e5, usual=0.0)
        return TransientStorage(ratio, rate / DAY_S, self._reaches(table))

    def still(self, table: dict[str, Any]) -> StillWater:
        """Return what is believed of still water where it is drawn: the numbers given are medians then."""
        usual = StillWater()
        ratio = self.number(table, "area_ratio", least=1e-4, most=100.0, usual=usual.area_ratio)
        rate = self.number(
            table, "exchange_per_day", least=1e-4, most=1e5, usual=usual.exchange_per_s * DAY_S
        )
        return StillWater(area_ratio=ratio, exchange_per_s=rate / DAY_S, reaches=self._reaches(table))

    def _reaches(self, table: dict[str, Any]) -> tuple[str, ...]:
        reaches = table.get("reaches", [])
        if not isinstance(reaches, list) or not all(isinstance(reach, str) for reach in reaches):
            self._fault(
                "reaches", f"reaches is {reaches!r}", remedy='write a list of ids, such as ["R1", "R2"]'
            )
            reaches = []
        return tuple(reaches)

    def settling(self, table: dict[str, Any]) -> dict[str, float]:
        """Return the settling [m/d] per determinand id."""
        speeds = {}
        for name in table:
            try:
                known = determinand(name)
            except InputError as error:
                self._fault(name, error.faults[0].what, remedy=error.faults[0].remedy)
                continue
            if not known.is_traceable:
                what = f"{known.id} does not keep its mass in the water and cannot settle"
                self._fault(name, what, remedy="leave it out")
                continue
            speeds[known.id] = self.number(table, name, least=0.0, most=1000.0, usual=0.0)
        return speeds

    def temperature(self, table: dict[str, Any], folder: Path, *, zone: tzinfo) -> WaterTemperature | None:
        """Return the water temperature, one number or a file's, None where nothing is said."""
        if "temperature" in table and "temperature_c" in table:
            remedy = "keep temperature (a file) or temperature_c (one number)"
            self._fault("temperature", "the temperature of the water is given twice", remedy=remedy)
        if "temperature" in table:
            name = table["temperature"]
            if not isinstance(name, str) or not (folder / name).is_file():
                known = sorted(p.name for p in folder.iterdir() if p.is_file())
                self._fault(
                    "temperature",
                    f"temperature '{name}' is not in the folder",
                    remedy=nearest(str(name), known),
                )
                return None
            try:
                return read_temperature(folder / name, zone)
            except InputError as error:
                self._fault("temperature", f"{error}", remedy="correct the file of temperatures")
                return None
        celsius = self.number(table, "temperature_c", least=LOWEST_C, most=HIGHEST_C)
        return None if math.isnan(celsius) else WaterTemperature((np.datetime64(0, "s"),), (celsius,))
