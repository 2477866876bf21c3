"""Results of the Water Quality Portal (USA): WQX 2 and WQX 3 result tables to the long table of readings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.tables import Column, Table, fitted
from suyuan.io.times import utc_of
from suyuan.observations import FAIL, GOOD
from suyuan.substances import determinand

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    Column("station", ("MonitoringLocationIdentifier", "Location_Identifier")),
    Column("date", ("ActivityStartDate", "Activity_StartDate")),
    Column("clock", ("ActivityStartTime/Time", "Activity_StartTime"), is_required=False),
    Column("zone", ("ActivityStartTime/TimeZoneCode", "Activity_StartTimeZone"), is_required=False),
    Column("name", ("CharacteristicName", "Result_Characteristic")),
    Column("value", ("ResultMeasureValue", "Result_Measure")),
    Column("unit", ("ResultMeasure/MeasureUnitCode", "Result_MeasureUnit")),
    Column(
        "condition", ("ResultDetectionConditionText", "Result_ResultDetectionCondition"), is_required=False
    ),
    Column(
        "limit",
        ("DetectionQuantitationLimitMeasure/MeasureValue", "DetectionLimit_MeasureA"),
        is_required=False,
    ),
    Column(
        "limit_unit",
        ("DetectionQuantitationLimitMeasure/MeasureUnitCode", "DetectionLimit_MeasureUnitA"),
        is_required=False,
    ),
    Column("fraction", ("ResultSampleFractionText", "Result_SampleFraction"), is_required=False),
    Column("speciation", ("MethodSpeciationName", "Result_MethodSpeciation"), is_required=False),
    Column("status", ("ResultStatusIdentifier", "Result_MeasureStatusIdentifier"), is_required=False),
    Column("medium", ("ActivityMediaName", "Activity_Media"), is_required=False),
    Column("submedium", ("ActivityMediaSubdivisionName", "Activity_MediaSubdivisionName"), is_required=False),
    Column("kind", ("ActivityTypeCode", "Activity_TypeCode"), is_required=False),
    Column("sample_id", ("ActivityIdentifier", "Activity_ActivityIdentifier"), is_required=False),
)

_NAMES = {
    "ammonia": "NH3-N",
    "ammonia and ammonium": "NH3-N",
    "ammonia-nitrogen": "NH3-N",
    "ammonium": "NH3-N",
    "nitrate": "NO3-N",
    "nitrite": "NO2-N",
    "orthophosphate": "PO4-P",
    "kjeldahl nitrogen": "TKN",
    "dissolved oxygen (do)": "DO",
    "oxygen": "DO",
    "biochemical oxygen demand, standard conditions": "BOD5",
    "temperature, water": "water_temp",
    "chlorophyll a, corrected for pheophytin": "chl-a",
    "total suspended solids": "SS",
    "organic carbon": "TOC",
    "escherichia coli": "E.coli",
}
_WHOLE = {
    "phosphorus": "TP",
    "total phosphorus, mixed forms": "TP",
    "nitrogen": "TN",
    "total nitrogen, mixed forms": "TN",
}
"""Names that mean the total only where the sample was not filtered."""

_NITROGEN = {"n": 1.0, "nh4": 14.007 / 18.039, "nh3": 14.007 / 17.031}
_NITROGEN |= {"no3": 14.007 / 62.004, "no2": 14.007 / 46.005}
_PHOSPHORUS = {"p": 1.0, "po4": 30.974 / 94.971}
_FORMS = dict.fromkeys(("NH3-N", "NO3-N", "NO2-N", "TN", "TKN"), _NITROGEN)
_FORMS |= dict.fromkeys(("TP", "PO4-P"), _PHOSPHORUS)
"""Factor from a result written as an ion to its N or P, from standard atomic weights (IUPAC 2021), whatever form was sought."""

_HOURS = {"UTC": 0, "GMT": 0, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5}
_HOURS |= {"MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10}
_BELOW = ("not detected", "below", "non-detect")
_ABOVE = ("above", "greater")
_UNITS = {"deg c": "degC", "std units": "1", "standard units": "1", "none": "1", "us/cm @25c": "uS/cm"}
_WRITTEN_AS = re.compile(r"(?P<unit>.*?)(?:\s+as\s*(?P<as>\w+)|\s+(?P<bare>n|p|no3|no2|nh3|nh4|po4))?$")
"""A unit and what it is expressed as: mg/l as N, mg/l asNO3, mg/l NH4."""


@dataclass(frozen=True)
class Wqx:
    """Results taken apart: `readings` in the columns of `suyuan.io.observations`, and what was left out (code, text)."""

    readings: Table
    notes: tuple[tuple[str, str], ...]


def is_wqx(headers: Sequence[str]) -> bool:
    """Return whether a table is one of results of the Water Quality Portal."""
    return any(header in headers for header in ("CharacteristicName", "Result_Characteristic"))


def results_in(table: Table, zone: tzinfo) -> Wqx:
    """Return the readings of water above ground in a table of results; what has no determinand here is left out and named.

    Not detected is `<` with the limit as value; a rejected result is flagged fail; blanks and replicates of quality
    control are left out. A time of day without a zone is in `zone`; a date without a time of day is noon, which is
    noted.
    """
    import pandas as pd

    cells = fitted(table, COLUMNS)
    names = [
        _id(*row) for row in zip(*(cells.text(c).str.lower() for c in ("name", "fraction")), strict=True)
    ]
    is_water = _is_of_water(cells)
    is_known = np.array([bool(name) for name in names])
    value, qualifier, unit = _measured(cells)
    has_value = (value != "").to_numpy(bool)
    named = pd.Series(names, dtype="str")
    factor, plain, has_unit = _units(unit, cells.text("speciation"), named=named)
    sought = is_water & is_known & has_value
    kept = sought & has_unit & np.isfinite(factor)
    if not kept.any():
        what = (
            f"none of the {len(table)} results is of water, of a determinand known here and in a unit of it"
        )
        raise InputError(table.source, what, "see docs/tables/determinands.md for those that are known")
    written, qualifier = _converted(value, qualifier, factor=factor)
    time, without_clock = _times(cells, zone, kept=kept)
    flag = cells.text("status").str.lower().eq("rejected").map({True: str(FAIL), False: str(GOOD)})
    columns: dict[str, pd.Series] = {
        "time": pd.Series(pd.DatetimeIndex(time).tz_localize("UTC")),
        "station": cells.text("station"),
        "determinand": named,
        "value": written,
        "unit": plain,
        "qualifier": qualifier,
        "flag": flag,
        "sample_id": cells.text("sample_id"),
    }
    long = Table(
        table.source, {n: c[kept].reset_index(drop=True) for n, c in columns.items()}, table.row[kept]
    )
    notes = _notes(cells, is_water, is_known=is_known, has_value=has_value, noon=without_clock & kept)
    counted = _left_out(sought & np.isnan(factor), sought & ~has_unit, named=named, unit=unit, cells=cells)
    return Wqx(long, (*notes, *counted))


def _is_of_water(cells: Table) -> NDArray[np.bool_]:
    """Return where a result is of water, not under ground, and not of quality control (row,)."""
    medium, kind = cells.text("medium").str.lower(), cells.text("kind").str.lower()
    is_below = cells.text("submedium").str.lower().str.contains("ground|pore").to_numpy(bool)
    is_control = kind.str.contains("quality control").to_numpy(bool)
    return np.asarray(medium.isin(("", "water")).to_numpy(bool) & ~is_control & ~is_below)


def _left_out(
    is_other_form: NDArray[np.bool_],
    is_other_unit: NDArray[np.bool_],
    *,
    named: pd.Series[str],
    unit: pd.Series[str],
    cells: Table,
) -> tuple[tuple[str, str], ...]:
    """Return notes of the results in a form or a unit that their determinand does not have."""
    forms = (named + " " + cells.text("speciation") + " " + unit)[is_other_form]
    units = (named + " " + unit)[is_other_unit & ~is_other_form]
    pairs = (("unknown_forms", forms), ("other_units", units))
    return tuple((code, _commonest(text)) for code, text in pairs if len(text))


def _id(name: str, fraction: str) -> str:
    """Return the determinand of a characteristic, '' where there is none.

    >>> _id("phosphorus", "total"), _id("phosphorus", "dissolved"), _id("atrazine", "")
    ('TP', '', '')
    """
    if name in _WHOLE:
        return (
            ""
            if "dissolved" in fraction or "filtered" in fraction.replace("unfiltered", "")
            else _WHOLE[name]
        )
    try:
        return determinand(_NAMES.get(name, name)).id
    except InputError:
        return ""


def _measured(cells: Table) -> tuple[pd.Series[str], pd.Series[str], pd.Series[str]]:
    """Return values, qualifiers and units; not detected is the limit of detection, '' where that is not given."""
    value, condition = cells.text("value"), cells.text("condition").str.lower()
    below = condition.map(lambda text: any(word in text for word in _BELOW)).to_numpy(bool)
    above = condition.map(lambda text: any(word in text for word in _ABOVE)).to_numpy(bool) & ~below
    limited = below | (above & (value == "").to_numpy(bool))
    has_limit = limited & (cells.text("limit") != "").to_numpy(bool)
    value = value.where(~has_limit, cells.text("limit"))
    unit = cells.text("unit").where(~has_limit | (cells.text("limit_unit") == ""), cells.text("limit_unit"))
    marked = value != ""
    qualifier = cells.text("").where(~(below & marked), "<").where(~(above & marked), ">")
    return value, qualifier, unit


def _units(
    unit: pd.Series[str], speciation: pd.Series[str], *, named: pd.Series[str]
) -> tuple[NDArray[np.float64], pd.Series[str], NDArray[np.bool_]]:
    """Return the factor to N or P (row,), the unit without what it is expressed as, and where it is one of its determinand.

    The factor is NaN where a nitrogen or phosphorus result is expressed as something else, or as two things.
    """
    import pandas as pd

    rows = pd.DataFrame({"unit": unit, "as": speciation, "name": named}).apply(lambda c: c.str.strip())
    codes, distinct = pd.factorize(pd.MultiIndex.from_frame(rows))
    found = [_unit_of(str(unit), str(form), name=str(name)) for unit, form, name in distinct]
    factor = np.array([one[0] for one in found])[codes]
    plain = pd.Series([one[1] for one in found], dtype="str").iloc[codes].reset_index(drop=True)
    return factor, plain, np.array([one[2] for one in found], dtype=bool)[codes]


def _converted(
    value: pd.Series[str], qualifier: pd.Series[str], *, factor: NDArray[np.float64]
) -> tuple[pd.Series[str], pd.Series[str]]:
    """Return values times their factors, and qualifiers, to which the sign before a value that is converted goes."""
    import pandas as pd

    scaled = pd.to_numeric(value.str.lstrip("<>"), errors="coerce") * factor
    is_scaled = scaled.notna() & (factor != 1.0)
    sign = value.where(value.str.startswith(("<", ">")), "").str[:1]
    written = value.where(~is_scaled, scaled.map(lambda v: f"{v:.12g}"))
    return written, qualifier.where(~is_scaled | (qualifier != ""), sign)


def _unit_of(unit: str, speciation: str, *, name: str) -> tuple[float, str, bool]:
    """Return factor, unit, and whether the determinand has this unit.

    >>> _unit_of("mg/l as N", "", name="TN"), _unit_of("mg/l", "as NO3", name="TP"), _unit_of("%", "", name="DO")
    ((1.0, 'mg/l', True), (nan, 'mg/l', True), (1.0, '%', False))
    """
    match = _WRITTEN_AS.fullmatch(unit.lower())
    assert match is not None  # every part of the pattern may be empty
    plain = _UNITS.get(match["unit"], match["unit"])
    if plain == "" and name == "pH":
        plain = "1"
    said = {match["as"], match["bare"], speciation.lower().removeprefix("as").strip()} - {None, ""}
    factor = 1.0
    if name in _FORMS and said:
        factor = _FORMS[name].get(str(said.pop()), np.nan) if len(said) == 1 else np.nan
    try:
        determinand(name).factor(plain)
    except InputError:
        return factor, plain, False
    return factor, plain, True


def _times(
    cells: Table, zone: tzinfo, *, kept: NDArray[np.bool_]
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Return times in UTC, and where a date had no time of day and noon was taken; faults of `kept` rows count."""
    day, clock, code = cells.text("date"), cells.text("clock"), cells.text("zone").str.upper()
    without = (clock == "").to_numpy(bool)
    text = day + " " + clock.where(~without, "12:00:00")
    found = utc_of(text, zone)
    for name, hours in _HOURS.items():
        here = (code == name).to_numpy(bool) & ~without
        if here.any():
            found[here] = utc_of(text[here], timezone(timedelta(hours=hours)))
    unknown = sorted(set(code[kept]) - set(_HOURS) - {""})
    if unknown:
        raise InputError(
            cells.source, f"the time zone '{unknown[0]}' is not known", f"write one of: {', '.join(_HOURS)}"
        )
    faults = cells.faults(
        np.isnat(found) & kept,
        text,
        say=lambda c: (f"time '{c}' cannot be read", "write 2024-07-20 and 08:00:00"),
    )
    if faults:
        raise InputError.of(faults)
    return found, without


def _notes(
    cells: Table,
    is_water: NDArray[np.bool_],
    *,
    is_known: NDArray[np.bool_],
    has_value: NDArray[np.bool_],
    noon: NDArray[np.bool_],
) -> tuple[tuple[str, str], ...]:
    counts: Mapping[str, int] = {
        "not_water": int((~is_water).sum()),
        "without_value": int((is_water & is_known & ~has_value).sum()),
        "noon_taken": int(noon.sum()),
    }
    notes = [(code, str(count)) for code, count in counts.items() if count]
    unknown = cells.text("name")[is_water & ~is_known]
    if len(unknown):
        notes.append(("unknown_determinands", _commonest(unknown)))
    return tuple(notes)


def _commonest(text: pd.Series[str]) -> str:
    """Return how many texts there are, and the five most common ones with their counts."""
    common = text.str.split().str.join(" ").value_counts()
    return f"{len(common)}: " + ", ".join(f"{name} ({count})" for name, count in common.head(5).items())
