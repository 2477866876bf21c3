"""What quality control knows of each determinand: resolution, detection limit, and what its instrument can tell."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from suyuan.substances import determinands


@dataclass(frozen=True)
class Setting:
    """What is known of a determinand's readings, in its own unit; the sources stand in qc/settings.toml.

    `resolution` is the last digit that is published (0: not known), `detection` the detection limit (0: none),
    `tells` the smallest
    change that the instrument can tell, `climate` the range outside of which surface water is suspect, and a probe
    that reads less than `dry_below` is not in water. What `rises_in_waste` has no climate in sewers.
    """

    determinand: str
    resolution: float = 0.0
    detection: float = 0.0
    tells: float = 0.0
    climate: tuple[float, float] = (-float("inf"), float("inf"))
    dry_below: float = -float("inf")
    rises_in_waste: bool = False
    source: str = ""


@dataclass(frozen=True)
class Relation:
    """A whole that cannot be less than its part, but for `share` of the whole and `slack` in their unit."""

    whole: str
    part: str
    share: float
    slack: float


def setting(determinand: str) -> Setting:
    """Return what is known of a determinand; of one that the table does not hold only that nothing is.

    >>> setting("NH3-N").detection, setting("Ni").detection
    (0.05, 0.0)
    """
    return _settings().get(determinand, Setting(determinand))


@cache
def relations() -> tuple[Relation, ...]:
    """Return every whole and part that quality control compares."""
    return tuple(Relation(**row) for row in _shipped()["relation"])


@cache
def _settings() -> dict[str, Setting]:
    rows = {name: row for name, row in _shipped().items() if name != "relation"}
    assert rows.keys() <= determinands().keys()
    return {
        name: Setting(name, **{**row, "climate": (row["climate"][0], row["climate"][1])})
        for name, row in rows.items()
    }


@cache
def _shipped() -> dict[str, Any]:
    return tomllib.loads(files("suyuan.qc").joinpath("settings.toml").read_text("utf-8"))
