"""What may drive a determinand at a station, and the design that a period allows: every part only where there are data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from suyuan.explain.links import Remaining, remaining
from suyuan.explain.mixing import CONSERVATIVE, LEAST_P, Mixing
from suyuan.explain.notes import Note
from suyuan.explain.parts import Releases
from suyuan.explain.response import Design
from suyuan.explain.table import StationTable, at_times
from suyuan.oxygen import saturation

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

OXYGEN = "DO"
EVIDENCE = (*CONSERVATIVE, "pH", "water_temp", "ORP", "transparency")
"""Determinands that are evidence for a change of others and are not explained themselves."""

READINGS_A_COLUMN = 10
"""A driver's effect is looked for only where there are so many readings for each, those before it included."""

DAYS_A_COLUMN = 7
"""And so many days with readings: weather lasts for days, and what five of them have in common is chance."""

MOST_GAPS = 0.2
"""Share of readings without the driver from which it is no driver; below it gaps are filled with the side's mean."""

FILL_S = 6.0 * 3600.0
TWO_YEARS_H = 2.0 * 365.0 * 24.0


@dataclass(frozen=True)
class Upstream:
    """Readings of a station above, as they come `lag_h` later; `value` (time,) at the times of the table.

    `tried` says how many lags were tried to find the best.
    """

    station: str
    lag_h: float
    value: Array
    tried: int = 1


@dataclass(frozen=True)
class Drivers:
    """What else is known at the times of a station's table, each (time,), None where it is not.

    `hour` is the hour of the day on the project's clock and `block` the number of its day. `flow` [m3/s] is positive as the
    water runs on the whole; `rain` [mm] is what fell before, less by e with every day. `upstream` and `releases` are by
    determinand. `lacking` says of a part's code why there is no such data.
    """

    hour: Array
    block: NDArray[np.int64]
    flow: Array | None = None
    rain: Array | None = None
    upstream: Mapping[str, Upstream] = field(default_factory=dict)
    releases: Mapping[str, Releases] = field(default_factory=dict)
    lacking: Mapping[str, Note] = field(default_factory=dict)


@dataclass(frozen=True)
class Laid:
    """The design of one determinand: rows (row,) of the table, the parts present, why others are not, and of which columns
    `rain` and what value stands for none (NaN: no rain among the drivers)."""

    design: Design
    present: tuple[str, ...]
    absent: Mapping[str, Note]
    rain_column: int = -1
    dry: float = float("nan")


def laid_out(
    table: StationTable,
    drivers: Drivers,
    *,
    determinand: str,
    mixing: Mixing,
    rows: Mask,
    sides: tuple[Mask, Mask],
) -> Laid:
    """Return the design for the rows (time,) of a determinand, and for which parts there are data.

    Drivers come in the order upstream, temperature, flow, rain, life in the water, time of day, season, as long as
    READINGS_A_COLUMN readings and DAYS_A_COLUMN days are there for each: fewer could not tell a driver from chance. Each must go
    with what mixing and saturation leave of the readings, and with their changes, at LEAST_P.
    """
    absent: dict[str, Note] = dict(drivers.lacking)
    fraction = _fraction(mixing, determinand, rows=rows, sides=sides, absent=absent)
    temperature = at_times(table.time, table.time, value=table.good("water_temp"), within_s=FILL_S)
    scale = np.ones(len(table))
    is_oxygen = determinand == OXYGEN
    if is_oxygen and _is_known(temperature, rows, sides=sides):
        scale = saturation(_filled(temperature, rows, sides=sides))
    elif is_oxygen:
        absent["saturation"] = Note("no_temperature")
    else:
        absent["saturation"] = absent["respiration"] = Note("not_oxygen")
    released = drivers.releases.get(determinand)
    added = np.zeros(len(table)) if released is None else released.expected
    share = fraction if fraction is not None else np.zeros(len(table))
    bare = Design(scale, share, np.empty((len(table), 0)), (), added, fraction is not None)
    left = remaining(table, determinand, design=bare, rows=rows, tried=_tried(drivers, determinand))
    offered = _offered(table, drivers, determinand=determinand, mixing=mixing, temperature=temperature)
    days = len(np.unique(drivers.block[rows]))
    columns, groups, names = _chosen(offered, rows, sides=sides, days=days, left=left, absent=absent)
    raw = np.column_stack(columns) if columns else np.empty((len(table), 0))
    mean, sd = raw[rows].mean(axis=0), raw[rows].std(axis=0)
    design = replace(bare, modifiers=(raw - mean) / sd, group=tuple(groups)).where(rows)
    present = (
        *(["mixing"] if bare.mixes else []),
        *dict.fromkeys(groups),
        *(["saturation"] if (scale != 1.0).any() else []),
    )
    where = names.index("rain") if "rain" in names else -1
    dry = float(-mean[where] / sd[where]) if where >= 0 else float("nan")
    return Laid(design, present, {c: n for c, n in absent.items() if c not in present}, where, dry)


def _tried(drivers: Drivers, determinand: str) -> dict[str, int]:
    """Return of a driver in how many ways it was laid against the readings."""
    above = drivers.upstream.get(determinand)
    return {} if above is None else {"upstream": above.tried}


def _fraction(
    mixing: Mixing, determinand: str, *, rows: Mask, sides: tuple[Mask, Mask], absent: dict[str, Note]
) -> Array | None:
    """Return the share of the second water (time,), None where none was found or it is not known when needed."""
    if not mixing.is_found:
        absent["mixing"] = mixing.note
    elif not _is_known(mixing.fraction, rows, sides=sides):
        absent["mixing"] = Note("few_together", (mixing.tracers[0], determinand))
    else:
        return _filled(mixing.fraction, rows, sides=sides)
    return None


def _is_known(value: Array, rows: Mask, *, sides: tuple[Mask, Mask]) -> bool:
    """Return whether a driver is known at nearly all rows and on both sides."""
    return all(
        np.isfinite(value[mask]).mean() >= 1.0 - MOST_GAPS
        for mask in (rows, rows & sides[0], rows & sides[1])
    )


def _filled(value: Array, rows: Mask, *, sides: tuple[Mask, Mask]) -> Array:
    """Return a driver without gaps: each is filled with the mean of its side."""
    found = value.copy()
    neither = ~(sides[0] | sides[1])
    for mask in (*sides, neither):
        known = mask & rows & np.isfinite(value)
        mean = value[known].mean() if known.any() else np.nanmean(value[rows])
        found[mask & ~np.isfinite(value)] = mean
    return found


def _offered(
    table: StationTable, drivers: Drivers, *, determinand: str, mixing: Mixing, temperature: Array
) -> list[tuple[str, str, list[Array]]]:
    """Return what could drive the determinand: name, part, columns (time,) that come together."""
    is_oxygen = determinand == OXYGEN
    offered: list[tuple[str, str, list[Array]]] = []
    above = drivers.upstream.get(determinand)
    if above is not None:
        least = max(float(np.nanquantile(above.value, 0.05)), 1e-6)
        offered.append(("upstream", "upstream", [np.log(np.maximum(above.value, least))]))
    offered.append(("temperature", "season", [temperature]))
    if drivers.flow is not None:
        usual = max(float(np.nanmedian(np.abs(drivers.flow))), 1e-9)
        offered.append(("flow", "flow", [np.arcsinh(drivers.flow / usual)]))
    if drivers.rain is not None:
        offered.append(("rain", "flow", [np.log1p(drivers.rain)]))
    if is_oxygen:
        offered.append(("life", "respiration", [_life(table, mixing)]))
    turn = 2.0 * np.pi * drivers.hour / 24.0
    offered.append(("hour", "respiration" if is_oxygen else "season", [np.sin(turn), np.cos(turn)]))
    if len(table) and table.hours[-1] >= TWO_YEARS_H:
        year = 2.0 * np.pi * table.hours / (365.25 * 24.0)
        offered.append(("year", "season", [np.sin(year), np.cos(year)]))
    return offered


def _life(table: StationTable, mixing: Mixing) -> Array:
    """Return acidity less what the mixture explains of it (time,): algae that make oxygen take up carbon dioxide."""
    acidity = at_times(table.time, table.time, value=table.good("pH"), within_s=FILL_S)
    line = mixing.follower("pH") if mixing.is_found else None
    return acidity if line is None else acidity - line.low - (line.high - line.low) * mixing.fraction


def _chosen(
    offered: list[tuple[str, str, list[Array]]],
    rows: Mask,
    *,
    sides: tuple[Mask, Mask],
    days: int,
    left: Remaining,
    absent: dict[str, Note],
) -> tuple[list[Array], list[str], list[str]]:
    """Return the columns that the readings suffice for and are linked to, the part and the name of each; notes why others are
    out."""
    columns: list[Array] = []
    groups: list[str] = []
    names: list[str] = []
    said: dict[str, Note] = {}
    readings = int(rows.sum())
    for name, part, group in offered:
        needed = len(columns) + len(group)
        if not all(_is_known(one, rows, sides=sides) for one in group):
            said.setdefault(part, Note("gaps", (name,)))
            continue
        whole = [_filled(one, rows, sides=sides) for one in group]
        if any(np.ptp(one[rows]) <= 1e-9 * (1.0 + np.abs(one[rows]).max()) for one in whole):
            said.setdefault(part, Note("still", (name,)))
        elif readings < READINGS_A_COLUMN * needed or days < DAYS_A_COLUMN * needed:
            least = (str(READINGS_A_COLUMN * needed), str(DAYS_A_COLUMN * needed))
            said.setdefault(part, Note("few_for_driver", (name, str(readings), str(days), *least)))
        elif left.chance(name, [np.where(rows, one, np.nan) for one in group]) >= LEAST_P:
            said.setdefault(part, Note("not_linked", (name,)))
        else:
            columns += whole
            groups += [part] * len(whole)
            names += [name] * len(whole)
    absent.update({part: note for part, note in said.items() if part not in groups})
    return columns, groups, names
