"""Gauges: a long table of discharge, stage, inflow, pump and gate readings, to records in bins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import Fault, InputError, nearest
from suyuan.hydraulics.gauges import Gauge, GaugeKind, Gauges, node_or_reach
from suyuan.io.flow_settings import FlowSettings
from suyuan.io.gauge_bins import at_edges, averaged, bins_of, held
from suyuan.io.tables import Column, Table, read_table
from suyuan.io.times import times_of
from suyuan.network import Network, Node
from suyuan.observations import FAIL, MISSING

Array = NDArray[np.float64]

COLUMNS = (
    Column("time", ("时间", "监测时间", "datetime")),
    Column("station", ("断面", "站点", "断面名称", "站点名称", "监测点", "测站", "place")),
    Column("determinand", ("指标", "监测指标", "监测项目", "项目")),
    Column("value", ("数值", "监测值", "结果")),
    Column("unit", ("单位",)),
    Column("flag", ("质控标识", "质量标识"), is_required=False),
    Column("error", ("误差", "标准差"), is_required=False),
    Column("error_share", ("相对误差",), is_required=False),
    Column("datum_error_m", ("高程误差",), is_required=False),
    Column("capacity_m3_s", ("额定流量", "capacity"), is_required=False),
)

_DISCHARGE = {
    **dict.fromkeys(("m3/s", "m^3/s", "m³/s", "cms", "立方米/秒"), 1.0),
    "l/s": 1e-3,
    "m3/h": 1.0 / 3600.0,
    "m3/d": 1.0 / 86400.0,
}
_LENGTH = {"m": 1.0, "米": 1.0, "cm": 0.01, "mm": 0.001}
_SHARE = {"1": 1.0, "": 1.0, "-": 1.0, "%": 0.01}


@dataclass(frozen=True)
class _Kind:
    """What a determinand of the table is: units to SI, errors where none are given, whether it holds until the next row."""

    kind: GaugeKind
    units: Mapping[str, float]
    error: float = 0.0
    relative: float = 0.0
    share: float = 0.0
    holds: bool = False


KINDS = {
    "discharge": _Kind("discharge", _DISCHARGE, relative=0.03, share=0.05),
    "water_level": _Kind("stage", _LENGTH, error=0.01),
    "inflow": _Kind("inflow", _DISCHARGE, relative=0.1, share=0.2),
    "pump_rate": _Kind("discharge", _DISCHARGE, relative=0.02, share=0.05, holds=True),
    "pump_on": _Kind("discharge", _SHARE, relative=0.02, share=0.1, holds=True),
    "gate_opening": _Kind("opening", _SHARE, holds=True),
}
"""What each determinand is: `relative` to its root mean square, 3 % of one reading and 5 % of the rating for discharge."""

ALIASES = {
    "流量": "discharge", "q": "discharge", "flow": "discharge", "水位": "water_level", "stage": "water_level",
    "入流": "inflow", "旁侧入流": "inflow", "lateral": "inflow", "泵流量": "pump_rate", "泵站流量": "pump_rate",
    "开机": "pump_on", "泵开停": "pump_on", "pump": "pump_on", "闸门开度": "gate_opening", "开度": "gate_opening",
}  # fmt: skip
_SWITCHES = {
    "on": "1",
    "off": "0",
    "open": "1",
    "closed": "0",
    "开": "1",
    "关": "0",
    "停": "0",
    "true": "1",
    "false": "0",
}


def read_gauges(path: str | Path, network: Network, *, zone: tzinfo, settings: FlowSettings) -> Gauges:
    """Return the gauges of a table in bins of `settings.step_h`; raises InputError with every fault in it.

    Discharge and inflow are means over the bin of the line through the readings, stage stands at the edges of the bins, NaN where
    readings lie more than two bins (and two hours) apart; pumps and gates stay as they are until the next row. Rows that are
    flagged as failed do not count.
    """
    table = read_table(path, COLUMNS)
    time, faults = times_of(table, zone)
    value, number_faults = _values(table)
    kind, kind_faults = _kinds(table)
    factor, unit_faults = _factors(table, kind)
    place, place_faults = _places(table, network, kind=kind)
    extra = {name: table.numbers(name) for name in ("error", "error_share", "datum_error_m", "capacity_m3_s")}
    faults += (
        number_faults
        + kind_faults
        + unit_faults
        + place_faults
        + [f for _, some in extra.values() for f in some]
    )
    faults += _missing_capacity(table, kind, capacity=extra["capacity_m3_s"][0])
    if not len(table):
        faults.append(
            Fault(table.source, 0, "there is no reading", "write at least one row below the header")
        )
    if faults:
        raise InputError.of(faults)
    flag = table.text("flag").to_numpy(dtype=str)
    good = np.isfinite(value) & ~np.isin(flag, (str(FAIL), str(MISSING)))
    start, edges = bins_of(time[good], settings, source=table.source)
    capacity = np.where(kind == "pump_on", extra["capacity_m3_s"][0], 1.0)
    found = []
    for (_, which), names in _by_gauge(place, kind, network=network).items():
        rows = np.flatnonzero(good & np.isin(place, names) & (kind == which))
        rows = rows[np.argsort(time[rows], kind="stable")]
        numbers = {key: _median(given[rows]) for key, (given, _) in extra.items()}
        series = value[rows] * (factor * capacity)[rows]
        seconds = (time[rows] - start) / np.timedelta64(1, "s")
        own = _Record(
            names[0], which, seconds, series, numbers | {"factor": _median((factor * capacity)[rows])}
        )
        found.append(_gauge(own, network, edges=edges, settings=settings))
    return Gauges(start, edges, tuple(found), source=table.source)


def _by_gauge(
    place: NDArray[np.str_], kind: NDArray[np.str_], *, network: Network
) -> dict[tuple[tuple[str, float, str], str], list[str]]:
    """Return the names of each gauge by where it stands and what it reads: a station's id and its name are one gauge.

    Structures are gauges of their own, however many stand on one reach.
    """
    built = {structure.id for structure in network.structures}
    found: dict[tuple[tuple[str, float, str], str], list[str]] = {}
    for name, which in sorted({(str(p), str(k)) for p, k in zip(place, kind, strict=True)}):
        where = ("", 0.0, name) if name in built else _where(name, network, kind=KINDS[which].kind)
        found.setdefault((where, which), []).append(name)
    return found


@dataclass(frozen=True)
class _Record:
    """The readings of one gauge in order of time: seconds from the start, values in SI, and the numbers the table gives of it."""

    place: str
    determinand: str
    seconds: Array
    values: Array
    numbers: Mapping[str, float]


def _gauge(record: _Record, network: Network, *, edges: Array, settings: FlowSettings) -> Gauge:
    """Return a record in bins with its errors."""
    known, numbers = KINDS[record.determinand], record.numbers
    binned = held if known.holds else at_edges if known.kind == "stage" else averaged
    bins = binned(record.seconds, record.values, edges=edges)
    usual = float(np.sqrt(np.nanmean(bins**2))) if np.isfinite(bins).any() else 1.0
    error = numbers["error"] * numbers["factor"]
    error = error if np.isfinite(error) else max(known.error, known.relative * usual, 1e-6)
    share = numbers["error_share"] if np.isfinite(numbers["error_share"]) else known.share
    datum = numbers["datum_error_m"] if np.isfinite(numbers["datum_error_m"]) else settings.datum_error_m
    reach, chainage, node = _where(record.place, network, kind=known.kind)
    return Gauge(
        record.place,
        "lateral" if known.kind == "inflow" and reach else known.kind,
        bins,
        np.full(len(bins), error),
        reach,
        chainage,
        node,
        share=share if known.kind != "stage" else 0.0,
        offset=datum if known.kind == "stage" else 0.0,
    )


def _median(values: Array) -> float:
    return float(np.median(values[np.isfinite(values)])) if np.isfinite(values).any() else float("nan")


def _values(table: Table) -> tuple[Array, list[Fault]]:
    """Return values, with on and off, open and closed as 1 and 0."""
    import pandas as pd

    text = table.text("value")
    switched = text.str.lower().map(_SWITCHES)
    value = pd.to_numeric(switched.fillna(text), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = ~np.isfinite(value) & (text != "").to_numpy(dtype=bool)
    remedy = "write a number, on/off or open/closed"
    return value, table.faults(wrong, text, say=lambda cell: (f"value '{cell}' is not a number", remedy))


def _kinds(table: Table) -> tuple[NDArray[np.str_], list[Fault]]:
    text = table.text("determinand").str.lower()
    found = np.array([ALIASES.get(cell, cell) for cell in text], dtype=np.str_)
    wrong = ~np.isin(found, list(KINDS))
    return found, table.faults(
        wrong,
        text,
        say=lambda cell: (f"determinand '{cell}' is not read from gauges", nearest(cell, list(KINDS))),
    )


def _factors(table: Table, kind: NDArray[np.str_]) -> tuple[Array, list[Fault]]:
    text = table.text("unit")
    pairs = list(zip(kind.tolist(), text.str.lower(), strict=True))
    factor = np.array([KINDS[k].units.get(u, np.nan) if k in KINDS else 1.0 for k, u in pairs])

    def say(cell: str) -> tuple[str, str]:
        return (
            f"unit '{cell}' does not belong to its determinand" if cell else "unit is missing"
        ), "write m3/s, m, 1 or %"

    return factor, table.faults(np.isnan(factor), text, say=say)


def _places(
    table: Table, network: Network, *, kind: NDArray[np.str_]
) -> tuple[NDArray[np.str_], list[Fault]]:
    text = table.text("station")
    wrong: dict[str, tuple[str, str]] = {}
    is_wrong = np.zeros(len(table), bool)
    for cell, which in sorted(set(zip(text.tolist(), kind.tolist(), strict=True))):
        try:
            if which in KINDS:
                _where(cell, network, kind=KINDS[which].kind)
        except InputError as error:
            wrong[cell] = error.faults[0].what, error.faults[0].remedy
            is_wrong |= (text == cell).to_numpy(dtype=bool) & (kind == which)
    return text.to_numpy(dtype=np.str_), table.faults(is_wrong, text, say=wrong.__getitem__)


def _where(place: str, network: Network, *, kind: str) -> tuple[str, float, str]:
    """Return reach, chainage and node of a place: a structure, a station, REACH+METRES, or for inflow a node or a whole reach."""
    if kind == "inflow":
        found = node_or_reach(place, network, source=network.source)
        if found is None:
            what = f"'{place}' is neither a node nor a reach of the network"
            known = [*(n.id for n in network.nodes), *(r.id for r in network.reaches)]
            raise InputError(network.source, what, nearest(place, known))
        return ("", 0.0, place) if isinstance(found, Node) else (place, 0.5 * found.length_m, "")
    structure = next((s for s in network.structures if s.id == place), None)
    if structure is None and kind == "opening":
        what = f"gate '{place}' is not in the layer structures"
        raise InputError(network.source, what, nearest(place, [s.id for s in network.structures]))
    if structure is not None:
        return structure.reach, 0.5 * network.reach(structure.reach).length_m, ""
    reach, plus, _ = place.rpartition("+")
    if (
        plus
        and reach not in {r.id for r in network.reaches}
        and place not in {s.id for s in network.stations}
    ):
        what = f"reach '{reach}' of '{place}' is not in the network"
        raise InputError(network.source, what, nearest(reach, [r.id for r in network.reaches]))
    station = network.station(place)
    return station.reach, station.chainage_m, ""


def _missing_capacity(table: Table, kind: NDArray[np.str_], *, capacity: Array) -> list[Fault]:
    wrong = (kind == "pump_on") & ~(capacity > 0.0)
    remedy = "write capacity_m3_s, what the pump lifts when it runs"
    return table.faults(
        wrong, table.text("station"), say=lambda cell: (f"pump '{cell}' has no capacity", remedy)
    )
