"""Lakes: trophic level index, and grades of algal density."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.standards.rounding import rounded
from suyuan.standards.scheme import Grade


@dataclass(frozen=True)
class Trophic:
    """The trophic level index of a lake: `index`, the items it rests on, those it lacks, and its state in words.

    With an item missing the weights of the others are scaled up, and the index is not the official one (`is_whole`
    is False).
    """

    index: float
    parts: Mapping[str, float]
    missing: tuple[str, ...]
    state: Grade

    @property
    def is_whole(self) -> bool:
        """Whether all five items were there."""
        return not self.missing


def trophic_level(means: Mapping[str, float]) -> Trophic | None:
    """Return the trophic level index from means in own units (chl-a, TP, TN, CODMn in mg/L, transparency in m).

    TLI_j = 10 (a_j + b_j ln x_j), weighted by r_j^2 / sum r^2 (环办〔2011〕22号). None without chlorophyll or with fewer than
    three items. The state is that of the index to one decimal, as it is printed. Water at 1 mg/m3 of chlorophyll has a
    part of 25:

    >>> found = trophic_level({"chl-a": 0.001, "TP": 0.05, "TN": 1.0, "CODMn": 4.0})
    >>> round(found.parts["chl-a"], 6), found.missing
    (25.0, ('transparency',))
    """
    parts, weights = {}, {}
    for row in _shipped()["tli"]["item"]:
        value = means.get(row["determinand"], float("nan")) * row.get("per_own_unit", 1.0)
        if value > 0.0:
            parts[row["determinand"]] = 10.0 * (row["a"] + row["b"] * float(np.log(value)))
            weights[row["determinand"]] = row["r"] ** 2
    if "chl-a" not in parts or len(parts) < 3:
        return None
    index = sum(parts[name] * weights[name] for name in parts) / sum(weights.values())
    missing = tuple(r["determinand"] for r in _shipped()["tli"]["item"] if r["determinand"] not in parts)
    return Trophic(index, parts, missing, trophic_state(float(rounded(Decimal(repr(index)), 1))))


def trophic_state(index: float) -> Grade:
    """Return the state of a lake of this index in words; 30 to 50 is mesotrophic, both included.

    >>> [trophic_state(i).words for i in (29.9, 30.0, 50.0, 50.1)]
    ['oligotrophic', 'mesotrophic', 'mesotrophic', 'light eutrophic']
    """
    for row in _shipped()["tli"]["state"]:
        most = row.get("up_to", float("inf"))
        if index < most or (index == most and not row.get("is_open", False)):
            return Grade(row["name"], "", row["name"], row["name_zh"])
    raise InputError("trophic level index", f"{index} is not a number", "check the means it is made of")


def algal_grade(density: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the grade of algal densities [cells/L], 0 (no bloom) to 4 (severe), -1 for NaN (HJ 1098-2020).

    >>> algal_grade(np.array([1.99e6, 2.0e6, 1.0e8])).tolist()
    [0, 1, 4]
    """
    starts = [row["from"] for row in _shipped()["algal_density"]["grade"]]
    found = np.searchsorted(np.array(starts), density, side="right") - 1
    return np.where(np.isnan(density), -1, np.maximum(found, 0)).astype(np.int64)


def algal_grades() -> tuple[Grade, ...]:
    """Return the grades of algal density, from no bloom to severe."""
    rows = _shipped()["algal_density"]["grade"]
    return tuple(Grade(row["id"], row["id"], row["name"], row["name_zh"]) for row in rows)


@cache
def _shipped() -> dict[str, Any]:
    return tomllib.loads(files("suyuan.standards").joinpath("lakes.toml").read_text("utf-8"))
