"""The table [flow] of suyuan.toml: how flow is reconciled from gauges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suyuan.hydraulics.doubts import Errors
from suyuan.io.sections import Report

RANGES: Mapping[str, tuple[float, float]] = {
    "step_h": (1.0 / 12.0, 24.0),
    "members": (2, 1000),
    "conveyance_error": (0.01, 2.0),
    "width_error": (0.01, 1.0),
    "depth_error": (0.0, 1.0),
    "gate_error": (0.01, 2.0),
    "roughness": (0.005, 0.5),
    "memory_h": (1.0, 10000.0),
    "side_slope": (0.0, 10.0),
    "pools": (2, 1000),
    "datum_error_m": (0.0, 10.0),
}
"""The numbers of [flow], each with the least and the most it may be."""

KEYS = ("since", "until", *RANGES)


@dataclass(frozen=True)
class FlowSettings:
    """How gauges are reconciled: bins of `step_h` hours from `since` to `until` [UTC], that of the readings where None; `members`
    flows drawn; `datum_error_m` that of stage gauges where the table gives none (3 m: datums are not known)."""

    step_h: float = 1.0
    since: np.datetime64 | None = None
    until: np.datetime64 | None = None
    members: int = 50
    datum_error_m: float = 3.0
    errors: Errors = field(default_factory=Errors)


def flow_settings(
    table: Any, fault: Report, *, since: np.datetime64 | None, until: np.datetime64 | None
) -> FlowSettings:
    """Return what [flow] says, and report what is wrong with it; its times are read by the caller."""
    given = table if isinstance(table, dict) else {}
    numbers: dict[str, float] = {}
    for key, (least, most) in RANGES.items():
        value = given.get(key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and least <= value <= most):
            remedy = f"write a number from {least:.3g} to {most:g}"
            fault(key, f"{key} in [flow] is {value!r}", remedy=remedy)
        elif value is not None:
            numbers[key] = float(value)
    usual = Errors()
    errors = Errors(
        conveyance=numbers.get("conveyance_error", usual.conveyance),
        width=numbers.get("width_error", usual.width),
        depth=numbers.get("depth_error", usual.depth),
        gate=numbers.get("gate_error", usual.gate),
        roughness=numbers.get("roughness", usual.roughness),
        memory_h=numbers.get("memory_h", usual.memory_h),
        side_slope=numbers.get("side_slope", usual.side_slope),
        pools=int(numbers.get("pools", usual.pools)),
    )
    if since is not None and until is not None and since >= until:
        fault(
            "until", f"until {until} UTC in [flow] is not after since", remedy="write the later time as until"
        )
    return FlowSettings(
        step_h=numbers.get("step_h", 1.0),
        since=since,
        until=until,
        members=int(numbers.get("members", 50)),
        datum_error_m=numbers.get("datum_error_m", 3.0),
        errors=errors,
    )
