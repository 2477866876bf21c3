"""Loads and trends over years: concentration and load of every day, and what they would be with the flow of any year."""

from __future__ import annotations

from suyuan.loads.estimate import Loads, rating_loads, weighted_loads
from suyuan.loads.record import Daily, Samples
from suyuan.loads.wrtds import Windows

__all__ = ["Daily", "Loads", "Samples", "Windows", "rating_loads", "weighted_loads"]
