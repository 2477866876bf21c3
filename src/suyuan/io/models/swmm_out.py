"""The binary results of SWMM 5 (`.out`), by the layout that its interfacing guide publishes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.models.model import in_m3_s

MAGIC = 516114522
"""First and last number of every `.out` of SWMM 5 (EPA, SWMM 5 interfacing guide, 2022, section 4)."""

FLOW_UNITS = ("CFS", "GPM", "MGD", "CMS", "LPS", "MLD")
"""Units of flow by their number in the file."""

FOOT = 0.3048
_US_UNITS = 3
_FIRST_WITH_VOLUMES = 51000
_NODE_DEPTH, _NODE_VOLUME, _NODE_LATERAL, _NODE_OVERFLOW = 0, 2, 3, 5
_LINK_FLOW, _LINK_DEPTH, _LINK_VOLUME = 0, 1, 3
_OFFSETS, _FULL_DEPTH = slice(1, 3), 3
_EPILOGUE, _PROLOGUE = 24, 28
_DAY_ZERO = np.datetime64("1899-12-30T00:00:00", "s")
_AGAIN = "run the model again, or leave the .out away and suyuan runs the .inp itself"

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Results:
    """What a run of SWMM wrote at its report times, in SI units; `unit` is the unit of flow it wrote them in.

    `times` (report,) datetime64[s] as the model's clock shows them; `step_s` between them. `flow`, `volume` and `depth`
    (report, link) [m3/s, m3, m]; flow is positive from the link's first node. `lateral` and `overflow` (report, node) [m3/s]
    enter and leave a node from and to outside, `held` (report, node) [m3] is the water in storages and ponds, `stage`
    (report, node) [m] the depth above the invert. `offset` (link, 2) [m] is how high a link's ends lie above the inverts of its
    nodes, `full_depth` (link,) [m] its height.
    """

    source: str
    version: int
    unit: str
    times: NDArray[np.datetime64]
    step_s: float
    nodes: tuple[str, ...]
    links: tuple[str, ...]
    flow: Array
    volume: Array
    depth: Array
    lateral: Array
    overflow: Array
    held: Array
    stage: Array
    offset: Array
    full_depth: Array


def read_swmm_out(path: Path, *, encoding: str = "utf-8") -> Results:
    """Return what a SWMM 5 `.out` holds; ids are written in it in the `encoding` of its `.inp`.

    Raises InputError for a file that is none, that breaks off, of a run that ended with an error, of SWMM 5.0 (no volumes),
    or without any report.
    """
    try:
        raw = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:  # not there, or empty
        reason = getattr(error, "strerror", None) or "it is empty"
        raise InputError(path.name, f"cannot be read ({reason})", _AGAIN) from error
    at = _checked(raw, path.name)
    version, unit, counts = _prologue(raw, path.name)
    try:
        return _results(raw, path.name, head=(version, unit, counts), at=at, encoding=encoding)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path.name, f"its parts do not fit each other ({error})", _AGAIN) from error


def _checked(raw: NDArray[np.uint8], source: str) -> tuple[int, int, int, int]:
    """Return where names, properties and results begin, and how many reports there are."""
    if len(raw) < _PROLOGUE or _integers(raw, 0, count=1) != (MAGIC,):
        what = "is no output of SWMM 5: it does not begin with the number 516114522"
        raise InputError(source, what, "give the .out that SWMM wrote for this .inp")
    if len(raw) < _PROLOGUE + _EPILOGUE or _integers(raw, len(raw) - 4, count=1) != (MAGIC,):
        what = f"breaks off after {len(raw)} bytes: the closing record is missing"
        raise InputError(source, what, f"SWMM was stopped, or it was copied in part; {_AGAIN}")
    names_at, properties_at, results_at, reports, code, _ = _integers(raw, len(raw) - _EPILOGUE, count=6)
    if code:
        what = f"the run ended with SWMM error {code}"
        raise InputError(source, what, f"see the ERROR line in its .rpt, mend the model and {_AGAIN}")
    if reports < 1:
        what = "holds no report"
        raise InputError(source, what, "let END_DATE lie after REPORT_START_DATE by one REPORT_STEP at least")
    return names_at, properties_at, results_at, reports


def _prologue(raw: NDArray[np.uint8], source: str) -> tuple[int, str, tuple[int, ...]]:
    """Return version, unit of flow and the number of subcatchments, nodes, links and pollutants."""
    _, version, unit, *counts = _integers(raw, 0, count=7)
    if version < _FIRST_WITH_VOLUMES:
        what = f"was written by SWMM {version // 10000}.{version // 1000 % 10}, which reports no volumes"
        raise InputError(source, what, "run the model with SWMM 5.1 or later")
    if not 0 <= unit < len(FLOW_UNITS) or min(counts) < 0:
        what = f"has the flow unit {unit} and the counts {counts}"
        raise InputError(source, what, f"it is damaged; {_AGAIN}")
    return version, FLOW_UNITS[unit], tuple(counts)


def _results(
    raw: NDArray[np.uint8],
    source: str,
    *,
    head: tuple[int, str, tuple[int, ...]],
    at: tuple[int, int, int, int],
    encoding: str,
) -> Results:
    version, unit, (areas, nodes, links, substances) = head
    names_at, properties_at, results_at, reports = at
    names = _names(raw, names_at, count=areas + nodes + links, encoding=encoding)[areas:]
    (step,) = _integers(raw, results_at - 4, count=1)
    dates, node, link = _tables(
        raw, source, counts=(areas, nodes, links, substances), results_at=results_at, reports=reports
    )
    sizes = _properties(raw, properties_at, counts=(areas, nodes, links))
    to_flow, to_metre = np.float32(in_m3_s(unit, source=source)), np.float32(_metres(unit))
    return Results(
        source=source,
        version=version,
        unit=unit,
        times=_DAY_ZERO + np.rint(dates * 86400.0).astype("timedelta64[s]"),
        step_s=float(step),
        nodes=names[:nodes],
        links=names[nodes:],
        flow=link[:, :, _LINK_FLOW] * to_flow,
        volume=link[:, :, _LINK_VOLUME] * to_metre**3,
        depth=link[:, :, _LINK_DEPTH] * to_metre,
        lateral=node[:, :, _NODE_LATERAL] * to_flow,
        overflow=node[:, :, _NODE_OVERFLOW] * to_flow,
        held=node[:, :, _NODE_VOLUME] * to_metre**3,
        stage=node[:, :, _NODE_DEPTH] * to_metre,
        offset=sizes[:, _OFFSETS] * to_metre,
        full_depth=sizes[:, _FULL_DEPTH] * to_metre,
    )


def _tables(
    raw: NDArray[np.uint8], source: str, *, counts: tuple[int, ...], results_at: int, reports: int
) -> tuple[NDArray[np.float64], Array, Array]:
    """Return the dates (report,) in days, and what is reported of nodes and links (report, node or link, quantity)."""
    areas, nodes, links, substances = counts
    widths = (8 + substances, 6 + substances, 5 + substances)
    first = np.cumsum([0, areas * widths[0], nodes * widths[1], links * widths[2]])
    record = np.dtype(
        [("date", "<f8"), ("value", "<f4", (int(first[-1]) + _system_values(raw, results_at),))]
    )
    if results_at + reports * record.itemsize + _EPILOGUE != len(raw):
        what = f"has {len(raw)} bytes, {results_at + reports * record.itemsize + _EPILOGUE} are due for {reports} reports"
        raise InputError(source, what, f"it breaks off or is damaged; {_AGAIN}")
    table = np.frombuffer(raw, record, reports, results_at)
    value = table["value"]
    node = value[:, first[1] : first[2]].reshape(reports, nodes, widths[1])
    link = value[:, first[2] : first[3]].reshape(reports, links, widths[2])
    return table["date"], node, link


def _metres(unit: str) -> float:
    """Return the length of the unit that goes with a unit of flow: foot or metre."""
    return FOOT if FLOW_UNITS.index(unit) < _US_UNITS else 1.0


def _system_values(raw: NDArray[np.uint8], results_at: int) -> int:
    """Return how many values of the whole system close a record: their number and codes stand before the start date."""
    for count in (15, 14):  # 5.1.013 and later, earlier 5.1
        here = results_at - 12 - 4 * (count + 1)
        if _integers(raw, here, count=count + 1) == (count, *range(count)):
            return count
    raise ValueError("the list of system variables is not there")


def _properties(raw: NDArray[np.uint8], at: int, *, counts: tuple[int, ...]) -> Array:
    """Return the properties of the links (link, property), which follow those of subcatchments and nodes."""
    values = np.empty((0, 0), np.float32)
    for count in counts:
        (width,) = _integers(raw, at, count=1)
        at += 4 * (1 + width)  # their codes
        values = np.frombuffer(raw, "<f4", count * width, at).reshape(count, width)
        at += 4 * count * width
    return values


def _names(raw: NDArray[np.uint8], at: int, *, count: int, encoding: str) -> tuple[str, ...]:
    names = []
    for _ in range(count):
        (size,) = _integers(raw, at, count=1)
        if not 0 < size < 1024:
            raise ValueError(f"an id of {size} characters")
        names.append(bytes(raw[at + 4 : at + 4 + size]).decode(encoding, errors="replace"))
        at += 4 + size
    return tuple(names)


def _integers(raw: NDArray[np.uint8], at: int, *, count: int) -> tuple[int, ...]:
    if at < 0:
        raise IndexError(f"a record at byte {at}")
    return struct.unpack(f"<{count}i", bytes(raw[at : at + 4 * count]))
