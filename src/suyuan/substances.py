"""Determinands: ids, names, units, and which of them keep mass and can be traced."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from suyuan.errors import InputError, nearest


@dataclass(frozen=True)
class Determinand:
    """Something that is measured.

    `unit` is the unit inside suyuan; `factors` turns other units into it by multiplication. `is_traceable` means that it
    keeps mass when waters mix (EC is treated so: its release unit is (uS/cm) m3/s). `lowest` and `highest` bound what is
    physically possible in surface water.
    """

    id: str
    name: str
    name_zh: str
    unit: str
    is_traceable: bool
    lowest: float
    highest: float
    factors: dict[str, float]

    def factor(self, unit: str) -> float:
        """Return what to multiply a value in `unit` by to get it in this determinand's own unit.

        >>> determinand("NH3-N").factor("ug/L")
        0.001
        """
        spelled = unit.strip().replace("μ", "u").replace("µ", "u").lower()
        if spelled not in self.factors:
            known = ", ".join(self.factors)
            raise InputError("unit", f"'{unit}' is not a unit of {self.id}", f"write one of: {known}")
        return self.factors[spelled]


@cache
def determinands() -> dict[str, Determinand]:
    """Return every known determinand by its id."""
    rows = tomllib.loads(files("suyuan").joinpath("determinands.toml").read_text("utf-8"))["determinand"]
    fields = ("id", "name", "name_zh", "unit", "is_traceable", "lowest", "highest", "factors")
    return {row["id"]: Determinand(**{key: row[key] for key in fields}) for row in rows}


@cache
def _aliases() -> dict[str, str]:
    rows = tomllib.loads(files("suyuan").joinpath("determinands.toml").read_text("utf-8"))["determinand"]
    pairs = [(alias.lower(), row["id"]) for row in rows for alias in (row["id"], row["name_zh"], *row["aliases"])]
    return dict(pairs)


def determinand(name: str) -> Determinand:
    """Return the determinand of this name, id or alias (氨氮, nh3n, w21003 ...).

    >>> determinand("氨氮").id
    'NH3-N'
    """
    key = name.strip().lower()
    if key not in _aliases():
        raise InputError("determinand", f"'{name}' is not a known determinand", nearest(name, list(determinands())))
    return determinands()[_aliases()[key]]
