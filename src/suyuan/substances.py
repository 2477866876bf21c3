"""Determinands: ids, names, units, and which of them keep mass and can be traced."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

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


@dataclass(frozen=True)
class Substance:
    """A determinand that is traced, with its first-order decay [1/s] (0 where it keeps all its mass)."""

    determinand: Determinand
    decay_per_s: float = 0.0


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
