"""Determinands: ids, names, units, and which of them keep mass and can be traced."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest


@dataclass(frozen=True)
class Determinand:
    """Something that is measured.

    `unit` is the unit inside suyuan; `factors` turns other units into it by multiplication. `is_traceable`
    means that it keeps mass when waters mix (EC is treated so: its release unit is (uS/cm) m3/s). `lowest`
    and `highest` bound what is physically possible in surface or sewer water; outside `usual_lowest` to
    `usual_highest` the median of a whole station points to a wrong unit. `is_reactive` means that so much of it is
    lost within a day of travel that a trace without its decay errs.
    """

    id: str
    name: str
    name_zh: str
    unit: str
    is_traceable: bool
    lowest: float
    highest: float
    factors: Mapping[str, float] = field(hash=False)
    usual_lowest: float = 0.0
    usual_highest: float = float("inf")
    is_reactive: bool = False

    def factor(self, unit: str) -> float:
        """Return what to multiply a value in `unit` by to get it in this determinand's own unit.

        >>> determinand("NH3-N").factor("ug/L")
        0.001
        """
        spelled = _plain(unit).replace(" ", "").replace("μ", "u")
        if spelled not in self.factors:
            known = ", ".join(name for name in self.factors if name)
            remedy = f"write one of: {known}"
            what = f"'{unit}' is not a unit of {self.id}" if spelled else f"the unit of {self.id} is missing"
            raise InputError("unit", what, remedy)
        return self.factors[spelled]


USUAL_THETA = 1.047
"""By how much decay quickens a degree, k = k20 theta^(T - 20): Streeter & Phelps (1925), as Chapra (1997, p. 40) gives it."""

STANDARD_C = 20.0
"""Water temperature for which rates are given."""


@dataclass(frozen=True)
class WaterTemperature:
    """Temperature of the water in all reaches: `celsius` at `time` [datetime64[s] UTC, increasing], linear in between.

    Before the first and after the last it stays as it is there; a single one holds always.
    """

    time: tuple[np.datetime64, ...]
    celsius: tuple[float, ...]

    def seconds_at_20(self, time: NDArray[np.datetime64], *, theta: float) -> NDArray[np.float64]:
        """Return the integral of theta^(T - 20) from the first time on [s]: how long decay at 20 C would take for as much.

        Exact for temperatures linear in time; negative before the first one.

        >>> water = WaterTemperature((np.datetime64("2024-07-01T00:00:00"),), (30.0,))
        >>> hour = np.array(["2024-07-01T01:00:00"], "datetime64[s]")
        >>> round(float(water.seconds_at_20(hour, theta=1.07)[0]) / 3600.0, 3)  # 1.07^10
        1.967
        """
        at = (np.array(self.time, "datetime64[s]") - self.time[0]) / np.timedelta64(1, "s")
        wanted = (np.asarray(time, "datetime64[s]") - self.time[0]) / np.timedelta64(1, "s")
        knots = np.unique(np.concatenate([at, wanted.ravel()]))
        power = np.interp(knots, at, np.array(self.celsius) - STANDARD_C) * np.log(theta)
        step, rise = np.diff(knots), np.diff(power)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(np.abs(rise) > 1e-9, np.expm1(rise) / rise, 1.0 + 0.5 * rise)
        whole = np.append(0.0, np.cumsum(np.exp(power[:-1]) * mean * step))
        found = whole[np.searchsorted(knots, wanted)] - whole[np.searchsorted(knots, 0.0)]
        return np.asarray(found)


@dataclass(frozen=True)
class Substance:
    """A determinand that is traced, with its first-order decay at 20 C [1/s] (0 where it keeps all its mass).

    Where `temperature` is given decay follows it by `theta` a degree. `settling_m_per_s` is how fast it sinks to the bed, where
    it stays: a loss of settling / depth.
    """

    determinand: Determinand
    decay_per_s: float = 0.0
    settling_m_per_s: float = 0.0
    theta: float = USUAL_THETA
    temperature: WaterTemperature | None = field(default=None, hash=False)

    @property
    def loss(self) -> tuple[float, float, float, WaterTemperature | None]:
        """What is lost on the way: two substances for which it is equal move alike."""
        theta = self.theta if self.temperature else 1.0
        return self.decay_per_s, self.settling_m_per_s, theta, self.temperature

    def aged_s(self, start: np.datetime64, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return times [s from `start`] on the clock by which this substance decays: as they are, or as if at 20 C."""
        if self.temperature is None:
            return seconds
        time = start + np.round(seconds).astype("timedelta64[s]")
        return self.temperature.seconds_at_20(time, theta=self.theta)

    def rate_in(self, start: np.datetime64, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean decay [1/s] in each step between `edges` (step + 1,) [s from `start`], (step,)."""
        if self.temperature is None:
            return np.full(len(edges) - 1, self.decay_per_s)
        return np.asarray(self.decay_per_s * np.diff(self.aged_s(start, edges)) / np.diff(edges))


@cache
def determinands() -> dict[str, Determinand]:
    """Return every known determinand by its id."""
    units = _shipped()["units"]
    return {row["id"]: _determinand(row, units[row["units"]]) for row in _shipped()["determinand"]}


def determinand(name: str) -> Determinand:
    """Return the determinand of this name, id or alias (氨氮, nh3n, ammonia nitrogen, w21003 ...).

    >>> determinand("氨氮").id
    'NH3-N'
    """
    key = _plain(name)
    if key not in _aliases():
        close = nearest(name, list(determinands())) if name.strip() else "write an id such as NH3-N"
        raise InputError("determinand", f"'{name}' is not a known determinand", close)
    return determinands()[_aliases()[key]]


@cache
def _shipped() -> dict[str, Any]:
    return tomllib.loads(files("suyuan").joinpath("determinands.toml").read_text("utf-8"))


def _determinand(row: dict[str, Any], units: dict[str, Any]) -> Determinand:
    return Determinand(
        id=row["id"],
        name=row["name"],
        name_zh=row["name_zh"],
        unit=units["unit"],
        is_traceable=row.get("is_traceable", True),
        lowest=row["bounds"][0],
        highest=row["bounds"][1],
        factors=units["factors"],
        usual_lowest=row["usual"][0],
        usual_highest=row["usual"][1],
        is_reactive=row.get("is_reactive", False),
    )


@cache
def _aliases() -> dict[str, str]:
    rows = _shipped()["determinand"]
    named = [(row["id"], [row["id"], row["name"], row["name_zh"], *row["aliases"]]) for row in rows]
    return {_plain(alias): known for known, aliases in named for alias in aliases}


def _plain(name: str) -> str:
    """Return a name in one spelling: lower case, full-width and superscript characters as plain ones."""
    return unicodedata.normalize("NFKC", name).strip().lower()
