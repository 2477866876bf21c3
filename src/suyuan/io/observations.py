"""Observations: long tables of readings, CSV or Parquet, to the noun and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.clock import clocked, stamped
from suyuan.errors import Fault, InputError, nearest
from suyuan.io.atomic import write_atomically
from suyuan.io.tables import Column, Table, is_no_number, read_table
from suyuan.io.times import times_of, timezone_of, utc_of_datetime
from suyuan.network import Network
from suyuan.observations import FAIL, GOOD, MISSING, MOST_COMPOSITE_S, SUSPECT, Observations
from suyuan.substances import determinand, determinands

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

_AHEAD = np.timedelta64(3600, "s")
"""So far ahead a station's clock may be."""

COLUMNS = (
    Column("time", ("时间", "监测时间", "采样时间", "datetime")),
    Column("station", ("断面", "站点", "断面名称", "站点名称", "监测点", "点位")),
    Column("determinand", ("指标", "监测指标", "监测项目", "项目")),
    Column("value", ("数值", "监测值", "浓度", "结果")),
    Column("unit", ("单位",)),
    Column("qualifier", ("标识", "检出标识"), is_required=False),
    Column("flag", ("质控标识", "质量标识"), is_required=False),
    Column("sample_id", ("样品编号", "样品号"), is_required=False),
    Column("composite_h", ("混合时长", "混合采样时长", "混合样时长"), is_required=False),
    Column("duration_s", ("采样历时",), is_required=False),
)

_FLAGS = {"": str(GOOD), "1": str(GOOD), "2": str(GOOD), "3": str(SUSPECT), "4": str(FAIL), "9": str(MISSING)}
_QUALIFIERS = {
    "": "",
    "=": "",
    "<": "<",
    "＜": "<",
    "≤": "<",
    "<=": "<",
    ">": ">",
    "＞": ">",
    "≥": ">",
    ">=": ">",
}
_CENSORED = r"^(?P<sign>[<>＜＞≤≥]=?)?\s*(?P<number>[0-9.eE+-]+)\s*(?P<below>[Ll])?$"
_FIELDS = ("time", "station", "determinand", "value", "qualifier", "flag", "duration_s", "sample_id")


def read_observations(
    path: str | Path | Sequence[str | Path], *, timezone: str | tzinfo, network: Network | None = None
) -> Observations:
    """Return the readings of one table or several, in UTC and in each determinand's own unit.

    Times without an offset are in `timezone`. `<0.05` and `0.05L` (HJ 91.2) mean below 0.05. With a
    `network`, stations are looked up by id or name and become ids. Raises InputError with every fault.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    zone = timezone_of(timezone)
    parts: list[Observations] = []
    faults: list[Fault] = []
    for each in paths:
        try:
            parts.append(readings_in(read_table(each, COLUMNS), zone, network=network))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError.of(faults)
    if not parts:
        raise InputError("observations", "no file is named", "name at least one under [files]")
    return joined(parts)


def joined(parts: Sequence[Observations]) -> Observations:
    """Return several sets of readings as one, in order."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS}
    return Observations(**columns, source=", ".join(part.source for part in parts))


def write_observations(
    observations: Observations, path: str | Path, *, timezone: str | tzinfo = "UTC"
) -> None:
    """Write readings as CSV or Parquet, by the ending of `path`, in own units; times bear their offset."""
    frame = observations.to_frame()
    units = {name: known.unit for name, known in determinands().items()}
    frame.insert(4, "unit", [units.get(name, "") for name in observations.determinand])
    path = Path(path)
    with write_atomically(path) as partial:
        if path.suffix.lower() == ".parquet":
            frame.to_parquet(partial, index=False)
        else:
            frame["time"] = stamped(observations.time, timezone_of(timezone))
            frame.to_csv(partial, index=False, lineterminator="\n")


def readings_in(table: Table, zone: tzinfo, *, network: Network | None) -> Observations:
    """Return the readings of a table, row by row; raises InputError with every fault in it."""
    time, faults = times_of(table, zone)
    station, station_faults = _stations(table, network)
    value, censored, value_faults = _values(table)
    named, factor, unit_faults = units_and_ids(table)
    qualifier, qualifier_faults = _qualifiers(table, censored, value=value)
    flag, flag_faults = _flags(table, value)
    duration, duration_faults = _durations(table)
    faults += station_faults + value_faults + unit_faults + qualifier_faults + flag_faults + duration_faults
    if not len(table):
        faults.append(
            Fault(table.source, 0, "there is no reading", "export at least one row below the header")
        )
    if faults:
        raise InputError.of(faults)
    return Observations(
        time=time,
        station=station,
        determinand=named,
        value=value * factor,
        qualifier=qualifier,
        flag=flag,
        duration_s=duration,
        sample_id=_array(table.text("sample_id")),
        source=table.source,
    )


def require_past(readings: Observations, now: datetime, *, zone: tzinfo, where: str = "") -> None:
    """Raise InputError where readings lie in the future: a wrong year, zone or clock; `where` names them, else their
    source.
    """
    late = readings.time > utc_of_datetime(now, zone) + _AHEAD
    if late.any():
        first = clocked(readings.time[late].min(), zone)
        what = f"{int(late.sum())} readings lie in the future, the first at {first}"
        remedy = "correct their year, offset or timezone, or this machine's clock"
        raise InputError(where or readings.source, what, remedy)


def _array(text: pd.Series[str]) -> NDArray[np.str_]:
    """Return text as a plain array of characters, through its few distinct values where they are few."""
    import pandas as pd

    codes, distinct = pd.factorize(text)
    return np.asarray(distinct, dtype=np.str_)[codes] if len(distinct) else np.empty(0, dtype="<U1")


def _looked_up(
    table: Table, name: str, *, known: dict[str, str], say: Callable[[str], tuple[str, str]]
) -> tuple[NDArray[np.str_], list[Fault]]:
    """Return a column through a dictionary and a fault for every cell it does not hold."""
    import pandas as pd

    text = table.text(name)
    codes, distinct = pd.factorize(text)
    found = np.array([known.get(str(cell), "") for cell in distinct], dtype=np.str_)
    wrong = np.array([str(cell) not in known for cell in distinct], dtype=bool)
    if not len(distinct):
        return np.empty(0, dtype="<U1"), []
    return found[codes], table.faults(wrong[codes], text, say=say)


def _stations(table: Table, network: Network | None) -> tuple[NDArray[np.str_], list[Fault]]:
    if network is None:
        text = table.text("station")
        is_missing = (text == "").to_numpy(dtype=bool)
        faults = table.faults(
            is_missing, text, say=lambda _: ("station is missing", "name the station in every row")
        )
        return _array(text), faults
    ids = {s.id: s.id for s in network.stations}
    names = [s.name for s in network.stations if s.name]
    by_name = {s.name: s.id for s in network.stations if s.name and names.count(s.name) == 1}

    along, faulty = _places_along(table, network)

    def say_unknown(cell: str) -> tuple[str, str]:
        if names.count(cell) > 1:
            return f"station '{cell}' is the name of {names.count(cell)} stations", "write the station's id"
        if not cell:
            return "station is missing", "name the station in every row"
        if cell in faulty:
            return faulty[cell]
        return f"station '{cell}' is not in the network", nearest(cell, [*ids, *by_name])

    return _looked_up(table, "station", known=along | by_name | ids, say=say_unknown)


def _places_along(table: Table, network: Network) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the cells that are places along a reach, such as R7+1200, and those beyond its end with what is wrong.

    So a grab sample needs no row of its own in the layer stations.
    """
    found: dict[str, str] = {}
    faulty: dict[str, tuple[str, str]] = {}
    for cell in (text for text in map(str, table.text("station").unique()) if "+" in text):
        try:
            found[cell] = network.station(cell).id
        except InputError as error:
            faulty[cell] = error.faults[0].what, error.faults[0].remedy
    return found, faulty


def units_and_ids(table: Table) -> tuple[NDArray[np.str_], Array, list[Fault]]:
    """Return ids (row,), the factor from each row's unit to the determinand's own (row,), and faults.

    A name or a unit that is not known raises nothing: it is a fault of its row, with what to write instead.
    """
    text = table.text("determinand")
    known: dict[str, str] = {}
    unknown: dict[str, tuple[str, str]] = {}
    for cell in text.unique():
        try:
            known[cell] = determinand(cell).id
        except InputError as error:
            unknown[cell] = error.faults[0].what, error.faults[0].remedy
    named, faults = _looked_up(table, "determinand", known=known, say=unknown.__getitem__)
    factor, unit_faults = _factors(table, named)
    return named, factor, faults + unit_faults


def _factors(table: Table, named: NDArray[np.str_]) -> tuple[Array, list[Fault]]:
    import pandas as pd

    pairs = pd.Series(named, dtype="str") + "\t" + table.text("unit")
    codes, distinct = pd.factorize(pairs)
    factor = np.full(len(distinct), np.nan)
    wrong: dict[str, tuple[str, str]] = {}
    for i, pair in enumerate(distinct):
        name, _, unit = str(pair).partition("\t")
        try:
            factor[i] = determinands()[name].factor(unit) if name else 1.0
        except InputError as error:
            wrong[str(pair)] = f"unit: {error.faults[0].what}", error.faults[0].remedy
    return factor[codes], table.faults(np.isnan(factor)[codes], pairs, say=wrong.__getitem__)


def _values(table: Table) -> tuple[Array, NDArray[np.str_], list[Fault]]:
    """Return numbers (NaN: missing), the sign written inside the cell ('', '<', '>'), and faults."""
    import pandas as pd

    sign = np.full(len(table), "", dtype="<U1")
    cells = table.columns["value"]
    if pd.api.types.is_numeric_dtype(cells.dtype):
        value = cells.to_numpy(dtype=float, na_value=np.nan)
        text = cells.astype("str")
        return value, sign, table.faults(np.isinf(value), text, say=_say_no_number)
    text = table.text("value")
    value = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float, na_value=np.nan, copy=True)
    open_ = np.flatnonzero(~np.isfinite(value) & ~is_no_number(text))
    value[np.isinf(value)] = np.nan
    if len(open_):
        parts = text.iloc[open_].str.extract(_CENSORED)
        value[open_] = pd.to_numeric(parts["number"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        below = parts["below"].notna() & parts["sign"].isna()
        sign[open_] = parts["sign"].fillna("").map(_QUALIFIERS).where(~below, "<").to_numpy(dtype="<U1")
    wrong = np.zeros(len(table), bool)
    wrong[open_] = ~np.isfinite(value[open_])
    return value, sign, table.faults(wrong, text, say=_say_no_number)


def _say_no_number(cell: str) -> tuple[str, str]:
    if cell.lower() in {"nd", "未检出", "<dl", "bdl"}:
        return f"value '{cell}' does not say below which limit", "write the limit as value and < as qualifier"
    return f"value '{cell}' is not a number", "write a number with a decimal point, or <0.05 below detection"


def _qualifiers(
    table: Table, inside: NDArray[np.str_], *, value: Array
) -> tuple[NDArray[np.str_], list[Fault]]:
    remedy = "write < (below the limit given as value), > or nothing"
    written, faults = _looked_up(
        table,
        "qualifier",
        known=_QUALIFIERS,
        say=lambda cell: (f"qualifier '{cell}' is not known", remedy),
    )
    against = (written != "") & (inside != "") & (written != inside)
    faults += table.faults(
        against,
        table.text("qualifier") + " beside " + table.text("value"),
        say=lambda cell: (f"qualifier {cell} contradict each other", "keep the right one"),
    )
    both = np.where(inside == "", written, inside)
    empty = (both != "") & np.isnan(value) & is_no_number(table.text("value"))
    remedy = "write the detection limit as value"
    faults += table.faults(
        empty, table.text("qualifier"), say=lambda c: (f"qualifier '{c}' has no value", remedy)
    )
    return both.astype("<U1"), faults


def _flags(table: Table, value: Array) -> tuple[NDArray[np.int8], list[Fault]]:
    remedy = "write 1 (good), 2 (not evaluated), 3 (suspect), 4 (fail) or 9 (missing)"
    flag, faults = np.full(len(table), GOOD, dtype=np.int8), list[Fault]()
    if "flag" in table.columns:
        words, faults = _looked_up(
            table, "flag", known=_FLAGS, say=lambda cell: (f"flag '{cell}' is not a quality flag", remedy)
        )
        flag = np.where(words == "", str(GOOD), words).astype(np.int8)
    return np.where(np.isnan(value), MISSING, flag).astype(np.int8), faults


def _durations(table: Table) -> tuple[Array, list[Fault]]:
    """Return over how long each sample was drawn [s], 0 for grabs and sensors, from hours or from seconds."""
    seconds, faults = np.zeros(len(table)), list[Fault]()
    for name, word, unit_s in (("composite_h", "hours", 3600.0), ("duration_s", "seconds", 1.0)):
        if name not in table.columns:
            continue
        given, wrong = table.numbers(name)
        length = np.where(np.isnan(given), 0.0, given)
        length = np.round(length * unit_s) if unit_s > 1.0 else length
        is_other = (length != 0.0) & (seconds != 0.0) & (np.abs(length - seconds) > 1.0)
        faults += wrong + _impossible_durations(table, name, length=length, word=word)
        faults += table.faults(is_other, table.text(name), say=_two_durations)
        seconds = np.where(length != 0.0, length, seconds)
    return seconds, faults


def _two_durations(cell: str) -> tuple[str, str]:
    return f"duration_s '{cell}' is not as long as composite_h says", "write one of them"


def _impossible_durations(table: Table, name: str, *, length: Array, word: str) -> list[Fault]:
    """Return faults where a sample would have been drawn over less than nothing or for longer than samplers run."""
    text = table.text(name)
    most = f"{MOST_COMPOSITE_S / 86400.0:.0f} days"
    remedy = f"write the {word} over which the sample was drawn, or nothing for a grab or a sensor"
    longer = f"{remedy}; split what was longer"
    faults = table.faults(length < 0.0, text, say=lambda c: (f"{name} '{c}' is below 0", remedy))
    return faults + table.faults(
        length > MOST_COMPOSITE_S, text, say=lambda c: (f"{name} '{c}' is more than {most}", longer)
    )
