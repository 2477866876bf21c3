"""Units in the headers of flow tables: 'discharge_start (CFS)', '起点流量[m3/h]', 'volume_ft3'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from suyuan.errors import Fault, InputError
from suyuan.io.models.model import M3_S
from suyuan.io.tables import Column, Table, fitted

_FOOT = 0.3048

_FLOW: Mapping[str, float] = {
    "m3/s": 1.0,
    "m³/s": 1.0,
    "m^3/s": 1.0,
    "l/s": 1e-3,
    "m3/h": 1.0 / 3600.0,
    "m³/h": 1.0 / 3600.0,
    "m3/d": 1.0 / 86400.0,
    "m³/d": 1.0 / 86400.0,
    "万m3/d": 1e4 / 86400.0,
    "万m³/d": 1e4 / 86400.0,
    "ft3/s": _FOOT**3,
    **{unit.lower(): factor for unit, factor in M3_S.items()},
}
_VOLUME: Mapping[str, float] = {
    "m3": 1.0,
    "m³": 1.0,
    "m^3": 1.0,
    "万m3": 1e4,
    "万m³": 1e4,
    "l": 1e-3,
    "ft3": _FOOT**3,
    "ft^3": _FOOT**3,
    "gal": 3.785411784e-3,
    "acft": 43560.0 * _FOOT**3,
    "ac-ft": 43560.0 * _FOOT**3,
}
"""In m3/s and m3, lower case; the foot is 0.3048 m, the US gallon 231 cubic inches (NIST Special Publication 811, 2008)."""

_CARRIED, _HELD = ("discharge_start", "discharge_end", "inflow", "lateral"), ("volume", "lake_volume")
"""Columns in m3/s and in m3."""

_WITH_UNIT = re.compile(r"^(?P<name>.+?)\s*[\[(（【](?P<unit>[^\])）】]*)[\])）】]$")


def in_si(table: Table, columns: tuple[Column, ...]) -> tuple[Table, dict[str, float]]:
    """Return a table fitted to `columns`, units taken off its headers, and what its numbers are times to be SI, by column.

    A header without a unit is in m3/s or m3. Raises InputError for a unit that is not known.
    """
    names = {alias.lower(): c.name for c in columns for alias in (c.name, *c.aliases)}
    faults, factors, cells = [], {}, {}
    for header, values in table.columns.items():
        plain, unit = _split(header, names)
        name = names.get(plain.lower().strip("\ufeff "), "")
        known = _VOLUME if name in _HELD else _FLOW
        measured = name in (*_CARRIED, *_HELD)
        if not unit or not measured:
            cells[header] = values
            continue
        if unit.lower() not in known:
            what = f"the unit '{unit}' of the column '{header}' is not known"
            faults.append(Fault(table.source, 0, what, f"give one of: {', '.join(known)}"))
            continue
        if plain in table.columns or name in factors:
            what = f"the columns '{plain}' and '{header}' both mean {name}"
            faults.append(Fault(table.source, 0, what, "keep one of them"))
            continue
        cells[plain] = values
        factors[name] = known[unit.lower()]
    if faults:
        raise InputError.of(faults)
    return fitted(replace(table, columns=cells), columns), factors


def _split(header: str, names: Mapping[str, str]) -> tuple[str, str]:
    """Return a header without its unit, and the unit; '' where it has none."""
    found = _WITH_UNIT.match(header.strip())
    if found:
        return found["name"], found["unit"].strip()
    plain, _, unit = header.strip().rpartition("_")
    if plain.lower().strip("\ufeff ") in names and unit.lower() in {**_FLOW, **_VOLUME}:
        return plain, unit
    return header, ""
