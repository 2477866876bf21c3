"""Tables with a row a station and time and a column a determinand, such as the national real-time table, and its JSON.

The page of the national system (国家地表水水质自动监测实时数据发布系统) gives cells as HTML with the unrounded value as
title, `--` where a value is missing or was withdrawn, `*` where an item is not measured, times without a year, and a state
of the station.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError
from suyuan.io.files import read_text
from suyuan.io.tables import Table
from suyuan.io.times import utc_of
from suyuan.io.yearless import times_with_years
from suyuan.observations import GOOD, SUSPECT
from suyuan.substances import Determinand, determinand

if TYPE_CHECKING:
    import pandas as pd

ROLES = {
    "time": ("time", "监测时间", "采样时间", "时间", "datetime"),
    "station": ("station", "断面名称", "断面", "站点名称", "站点", "监测点", "点位"),
    "province": ("province", "省份", "省"),
    "class": ("class_published", "水质类别", "类别"),
    "status": ("status", "站点情况", "站点状态", "站点情形"),
    "taken": ("taken", "scraped_at", "snapshot_date", "抓取时间", "采集时间", "快照日期"),
}
"""Headers of the columns that are no determinands."""

PLACES = (
    "省份",
    "province",
    "城市",
    "city",
    "流域",
    "basin",
    "河流",
    "river",
    "所在地市",
    "所属河流",
    "序号",
    "no",
)
"""Headers that say where a station lies: not read."""

STATUS_FLAG = {
    "": GOOD,
    "正常": GOOD,
    "normal": GOOD,
    "维护": SUSPECT,
    "停站": SUSPECT,
    "maintenance": SUSPECT,
}
"""What the state of a station makes of its readings; any other state makes them suspect."""

NOT_MEASURED = ("", "*")
"""Cells that say nothing of an item; other marks of a missing value withdraw one that was there."""

BEIJING = timezone(timedelta(hours=8))
"""The clock of the national system, whatever the project's."""

_UNIT_ENDINGS = {
    "_mgl": "mg/L",
    "_ugl": "ug/L",
    "_uscm": "uS/cm",
    "_ntu": "NTU",
    "_c": "degC",
    "_cells_l": "cells/L",
    "_m": "m",
}
_SHORT = {"turb": "turbidity", "algae": "algal_density"}
_TAG = re.compile(r"<[^>]*>")
_RAW = re.compile(r"""title=["'][^"']*原始值[:：]\s*([^"'&]+)""")
_HEADER = re.compile(r"^(?P<name>.+?)\s*\((?P<unit>[^()]*)\)$")


@dataclass(frozen=True)
class Wide:
    """A table of stations and times taken apart: `readings` is long, in the columns of `suyuan.io.observations`.

    `shown` has station, time, class and status of each row.
    """

    readings: Table
    shown: pd.DataFrame
    notes: tuple[tuple[str, str], ...]


def is_wide(headers: Sequence[str]) -> bool:
    """Return whether a table has a station, a time and at least one determinand as header."""
    roles = {role for role in map(_role, headers) if role}
    return {"station", "time"} <= roles and any(map(_column, headers))


def read_national_json(path: Path) -> Table:
    """Return the table in the JSON of the national real-time page: raw values where a cell has them, else what it
    shows.
    """
    import pandas as pd

    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(
            path.name, f"is no JSON ({error.msg})", "save the answer again", row=error.lineno
        ) from error
    body = data.get("tbody") if isinstance(data, dict) else None
    if not isinstance(body, list) or not isinstance(data.get("thead"), list):
        raise InputError(path.name, "has no thead and tbody", "save the whole answer of the real-time table")
    head = [_plain(str(name)) for name in data["thead"]]
    wrong = next(
        (i for i, row in enumerate(body, start=1) if not isinstance(row, list) or len(row) != len(head)), 0
    )
    if wrong:
        what = f"the row has not {len(head)} cells as the header"
        raise InputError(path.name, what, "save the whole answer of the real-time table", row=wrong)
    if not body:
        raise InputError(path.name, "there is no row", "save the answer again; it was empty")
    columns = {name: pd.Series([_cell(row[i]) for row in body], dtype="str") for i, name in enumerate(head)}
    taken = data.get("fetched_at")
    if isinstance(taken, str):
        columns["taken"] = pd.Series([taken] * len(body), dtype="str")
    return Table(path.name, columns, np.arange(1, len(body) + 1))


def taken_apart(
    table: Table, zone: tzinfo, *, taken: np.datetime64 | None, provinces: Mapping[str, str]
) -> Wide:
    """Return the readings of a table with a column a determinand; raises InputError with every fault.

    `taken` is when the table was taken (UTC), for times without a year, unless a column says so. `provinces` says
    where stations lie whose readings are there already: names of sections are unique in a province only.
    """
    roles = {_role(header): header for header in reversed(list(table.columns)) if _role(header)}
    columns, faults = _columns(table)
    time, time_faults = times_with_years(table, roles, zone=zone, taken=taken)
    if faults or time_faults:
        raise InputError.of([*faults, *time_faults])
    station, twice = _stations(table, roles, provinces=provinces)
    status = table.text(roles.get("status", "")) if "status" in roles else table.text("")
    state = status.str.lower()
    flag = state.map(STATUS_FLAG).fillna(SUSPECT).astype(int)
    kept = ~np.isnat(time)
    order = _order(table, roles, zone=zone)
    order = order[kept[order]]
    long = _long(table, columns, order=order, fixed={"time": time, "station": station, "flag": flag})
    shown = _shown(table, roles, order=order, fixed={"time": time, "station": station, "status": status})
    notes = _notes(table, roles, kept=kept, state=state, columns=columns)
    return Wide(long, shown, (*notes, *([("same_name", ", ".join(twice[:5]))] if twice else [])))


def _stations(
    table: Table, roles: Mapping[str, str], *, provinces: Mapping[str, str]
) -> tuple[pd.Series[str], list[str]]:
    """Return the name of each row's station, with its province where several provinces have one of that name; and
    those.
    """
    import pandas as pd

    station = table.text(roles["station"])
    if "province" not in roles:
        return station, []
    province = table.text(roles["province"])
    pairs = pd.DataFrame({"station": station, "province": province}).drop_duplicates()
    several = set(pairs["station"][pairs["station"].duplicated()])
    names = {}
    for name, place in pairs.itertuples(index=False):
        full = f"{name}({place})"
        is_other = bool(provinces.get(name)) and bool(place) and provinces[name] != place
        is_here = name in provinces and not is_other
        names[name, place] = (
            full if is_other or full in provinces or (name in several and not is_here) else name
        )
    found = [names[pair] for pair in zip(station, province, strict=True)]
    written = set(station)
    return pd.Series(found, dtype="str"), sorted(set(found) - written)


def _columns(table: Table) -> tuple[dict[str, tuple[Determinand, str]], list[Fault]]:
    """Return the headers that are determinands with their unit, and a fault for a name or unit that is not known."""
    found: dict[str, tuple[Determinand, str]] = {}
    faults = []
    for header in table.columns:
        if _role(header) or _folded(header) in PLACES:
            continue
        match = _HEADER.match(_plain(header))
        try:
            known = _column(header)
            if known:
                known[0].factor(known[1])
                found[header] = known
            elif match:
                determinand(match["name"])
        except InputError as error:
            faults.append(
                Fault(table.source, 0, f"column '{header}': {error.faults[0].what}", error.faults[0].remedy)
            )
    return found, faults


def _column(header: str) -> tuple[Determinand, str] | None:
    """Return the determinand and unit that a header names, None where it names none.

    >>> [(_column(h)[0].id, _column(h)[1]) for h in ("高锰酸盐指数(mg/L)", "codmn_mgl", "叶绿素α（mg/L）", "pH", "turb_ntu")]
    [('CODMn', 'mg/L'), ('CODMn', 'mg/L'), ('chl-a', 'mg/L'), ('pH', '1'), ('turbidity', 'NTU')]
    """
    text = _plain(header)
    match = _HEADER.match(text)
    name, unit = (match["name"], match["unit"]) if match else (text, "")
    if not match:
        ending = next(
            (e for e in sorted(_UNIT_ENDINGS, key=len, reverse=True) if text.lower().endswith(e)), ""
        )
        if ending:
            name, unit = text[: -len(ending)], _UNIT_ENDINGS[ending]
    try:
        known = determinand(_SHORT.get(name.lower(), name))
    except InputError:
        return None
    return known, unit or known.unit


def _order(table: Table, roles: Mapping[str, str], *, zone: tzinfo) -> NDArray[np.int64]:
    """Return rows in the order in which they were taken, so that later ones correct earlier ones."""
    if "taken" not in roles:
        return np.arange(len(table))
    return np.argsort(utc_of(table.text(roles["taken"]), zone), kind="stable").astype(np.int64)


def _long(
    table: Table,
    columns: Mapping[str, tuple[Determinand, str]],
    *,
    order: NDArray[np.int64],
    fixed: Mapping[str, Any],
) -> Table:
    """Return one row a reading, times as UTC; cells of items that are not measured have none."""
    import pandas as pd

    parts, rows = [], []
    stamps = pd.Series(pd.DatetimeIndex(fixed["time"][order]).tz_localize("UTC"))
    for header, (known, unit) in columns.items():
        cells = table.text(header).iloc[order].reset_index(drop=True)
        part = pd.DataFrame({"time": stamps, "value": cells})
        part["station"] = fixed["station"].iloc[order].to_numpy()
        part["flag"] = fixed["flag"].iloc[order].astype("str").to_numpy()
        part["determinand"], part["unit"] = known.id, unit
        kept = (~cells.isin(NOT_MEASURED)).to_numpy(dtype=bool)
        parts.append(part[kept])
        rows.append(table.row[order][kept])
    long = pd.concat(parts, ignore_index=True)
    return Table(table.source, {str(name): long[name] for name in long}, np.concatenate(rows))


def _shown(
    table: Table, roles: Mapping[str, str], *, order: NDArray[np.int64], fixed: Mapping[str, Any]
) -> pd.DataFrame:
    import pandas as pd

    label = table.text(roles["class"]) if "class" in roles else table.text("")
    found = pd.DataFrame({"time": fixed["time"][order]})
    place = table.text(roles["province"]) if "province" in roles else table.text("")
    columns = (
        ("station", fixed["station"]),
        ("province", place),
        ("class", label),
        ("status", fixed["status"]),
    )
    for name, cells in columns:
        found[name] = cells.iloc[order].to_numpy()
    return found[(found["class"] != "") | (found["status"] != "")]


def _notes(
    table: Table,
    roles: Mapping[str, str],
    *,
    kept: NDArray[np.bool_],
    state: pd.Series[str],
    columns: Mapping[str, Any],
) -> tuple[tuple[str, str], ...]:
    notes = []
    if not kept.all():
        notes.append(("rows_without_time", str(int((~kept).sum()))))
    unknown = sorted(set(state) - set(STATUS_FLAG))
    if unknown:
        notes.append(("unknown_status", ", ".join(unknown[:5])))
    known = {*roles.values(), *columns}
    rest = [header for header in table.columns if header not in known and _folded(header) not in PLACES]
    if rest:
        notes.append(("columns_not_read", ", ".join(rest[:8])))
    return tuple(notes)


def _role(header: str) -> str:
    """Return what a header is when it is no determinand: time, station, class, status, taken; '' for others."""
    plain = _folded(header)
    return next((role for role, names in ROLES.items() if plain in names), "")


def _folded(header: str) -> str:
    return _plain(header).lower()


def _plain(header: str) -> str:
    """Return a header without HTML, in half-width characters."""
    return unicodedata.normalize("NFKC", unescape(_TAG.sub("", header))).strip()


def _cell(cell: Any) -> str:
    """Return the raw value of a cell where its title has one, else its text without HTML.

    >>> _cell("<span data-toggle='tooltip' title='原始值：17.67623'>17.7</span>"), _cell("<span title='极值过滤'>--</span>")
    ('17.67623', '--')
    """
    if cell is None:
        return ""
    text = str(cell)
    raw = _RAW.search(text)
    return raw[1].strip() if raw else unescape(_TAG.sub("", text)).strip()
