"""Flow in NetCDF: dims (time, reach), optional (time, boundary), volumes as means or at the bin edges.

Several flows of one water stand in one file along a further dimension, `member`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.flow import FlowField
from suyuan.io.atomic import write_atomically
from suyuan.io.flow_bins import bin_edges
from suyuan.io.times import localised, timezone_of

if TYPE_CHECKING:
    from netCDF4 import Dataset

Array = NDArray[np.float64]

_TAKEN = ("discharge_start", "discharge_end", "volume")
_UNITS = {
    "discharge_start": ("m3/s", "m3 s-1", "m^3/s", "m**3/s", "m3s-1", "m³/s"),
    "discharge_end": ("m3/s", "m3 s-1", "m^3/s", "m**3/s", "m3s-1", "m³/s"),
    "inflow": ("m3/s", "m3 s-1", "m^3/s", "m**3/s", "m3s-1", "m³/s"),
    "lateral": ("m3/s", "m3 s-1", "m^3/s", "m**3/s", "m3s-1", "m³/s"),
    "lake_volume": ("m3", "m^3", "m**3", "m³"),
    "volume": ("m3", "m^3", "m**3", "m³"),
}
_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_OLD_MODELS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET")
_OWN_OFFSET = re.compile(r"since .*\d\d?:\d.*(?:Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)\s*$", re.IGNORECASE)


def read_flow_netcdf(path: Path, timezone: tzinfo, *, member: int | None = None) -> FlowField:
    """Return the flow in a NetCDF file, or one `member`; naive times are in its attribute `timezone`, else in `timezone`."""
    with _opened(path) as data:
        return _flow(data, path.name, timezone=timezone, member=member)


def member_names(path: Path) -> tuple[str, ...]:
    """Return the names of the members in a NetCDF file, counted from 1 where it gives none; () where it has no such dimension."""
    with _opened(path) as data:
        if "member" in data.variables:
            return _names(data, "member", source=path.name)
        count = len(data.dimensions["member"]) if "member" in data.dimensions else 0
        return tuple(str(i) for i in range(1, count + 1))


@contextmanager
def _opened(path: Path) -> Iterator[Dataset]:
    """Yield the open file; what it cannot give is said as an InputError."""
    import netCDF4

    broken = "cannot be read as NetCDF, it may be half-written"
    try:
        with netCDF4.Dataset(path) as data:
            if data.data_model in _OLD_MODELS:
                _require_all_bytes(path)
            yield data
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        raise InputError(path.name, f"{broken} ({str(error)[:80]})", "export it again") from error


def _require_all_bytes(path: Path) -> None:
    """Raise ValueError where a NetCDF 3 file breaks off: netCDF4 would fill what is missing with zeros."""
    from scipy.io import netcdf_file

    try:
        with path.open("rb") as stream, netcdf_file(stream, mmap=False):
            pass
    except (IndexError, KeyError, TypeError) as error:  # the header itself breaks off
        raise ValueError("it breaks off in the header") from error


def write_flow_netcdf(flow: FlowField, path: Path, *, zone: tzinfo) -> None:
    """Write flow as NetCDF, times in UTC, volumes at the edges marked `time: point`; `zone` is noted."""
    import netCDF4

    with write_atomically(path) as unfinished, netCDF4.Dataset(unfinished, "w") as data:
        _write_head(data, flow, zone=zone)
        for name in _columns(flow):
            data[name][:] = getattr(flow, name)


def write_members_netcdf(
    flows: Iterator[tuple[str, FlowField]], path: Path, *, count: int, zone: tzinfo
) -> None:
    """Write `count` named flows of the same reaches, times and boundaries as members of one file, one after the other."""
    import netCDF4

    with write_atomically(path) as unfinished, netCDF4.Dataset(unfinished, "w") as data:
        data.createDimension("member", count)
        names = data.createVariable("member", str, ("member",))
        for m, (name, flow) in enumerate(flows):
            if m == 0:
                _write_head(data, flow, zone=zone, along=("member",))
            names[m] = name
            for column in _columns(flow):
                data[column][m] = getattr(flow, column)


def _columns(flow: FlowField) -> tuple[str, ...]:
    extra = {
        "inflow": bool(flow.boundaries),
        "lateral": flow.lateral.size > 0,
        "lake_volume": bool(flow.lakes),
    }
    return (*_TAKEN, *(name for name, is_given in extra.items() if is_given))


def _write_head(data: Dataset, flow: FlowField, *, zone: tzinfo, along: tuple[str, ...] = ()) -> None:
    """Write times and names, and make the variables of the flow, with the dimension `along` which there are several."""
    data.timezone = "UTC"
    data.local_timezone = str(zone)
    data.time_bins = "each value is the mean over the bin that begins at time"
    _write_times(data, "time", seconds=flow.edges[:-1], start=flow.start)
    _write_times(data, "time_edge", seconds=flow.edges, start=flow.start)
    data["time"].bounds = "time_bounds"
    data.createDimension("bound", 2)
    bounds = data.createVariable("time_bounds", "f8", ("time", "bound"))
    bounds[:] = np.column_stack([flow.edges[:-1], flow.edges[1:]])
    _write_names(data, "reach", ids=flow.reaches)
    for name, ids in (("boundary", flow.boundaries), ("lake", flow.lakes)):
        if ids:
            _write_names(data, name, ids=ids)
    for name in _columns(flow):
        at_edges = name.endswith("volume") and len(getattr(flow, name)) == len(flow.edges)
        column = {"inflow": "boundary", "lake_volume": "lake"}.get(name, "reach")
        _make_values(data, name, dims=(*along, "time_edge" if at_edges else "time", column))
    data["volume"].cell_methods = "time: point" if len(flow.volume) == len(flow.edges) else "time: mean"


def _write_times(data: Dataset, name: str, *, seconds: Array, start: np.datetime64) -> None:
    data.createDimension(name, len(seconds))
    variable = data.createVariable(name, "f8", (name,))
    variable.units = f"seconds since {np.datetime_as_string(start, unit='s').replace('T', ' ')}"
    variable.calendar = "proleptic_gregorian"
    variable[:] = seconds


def _write_names(data: Dataset, name: str, *, ids: Sequence[str]) -> None:
    data.createDimension(name, len(ids))
    data.createVariable(name, str, (name,))[:] = np.array(ids, dtype=object)


def _make_values(data: Dataset, name: str, *, dims: tuple[str, ...]) -> None:
    """Make a variable whose chunks hold one member whole."""
    chunks = [1 if dim == "member" else max(1, len(data.dimensions[dim])) for dim in dims]
    variable = data.createVariable(
        name,
        "f8",
        dims,
        zlib=True,
        complevel=1,
        fill_value=np.nan,
        chunksizes=chunks if len(dims) > 2 else None,
    )
    variable.units = _UNITS[name][0]


def _flow(data: Dataset, source: str, *, timezone: tzinfo, member: int | None) -> FlowField:
    _require(data, source)
    zone = timezone_of(data.timezone, where=source) if "timezone" in data.ncattrs() else timezone
    starts = _times(data, "time", source=source, zone=zone)
    at_edges = str(getattr(data["volume"], "cell_methods", "")).replace(" ", "") == "time:point"
    ends = _ends(data, starts, source=source, zone=zone)
    start, edges = bin_edges(starts, source, until=ends)
    reaches = _names(data, "reach", source=source)
    boundaries = _names(data, "boundary", source=source) if "inflow" in data.variables else ()
    taken = partial(_values, data, member=member, source=source)
    flow = {name: taken(name, column="reach") for name in _TAKEN}
    if at_edges and len(flow["volume"]) == len(starts):
        what = (
            f"volume is given at points in time (cell_methods) but only {len(starts)} times for as many bins"
        )
        raise InputError(source, what, f"give {len(starts) + 1} values, at the edges of the bins")
    if not at_edges and len(flow["volume"]) == len(edges):
        what = f"volume has {len(edges)} values for {len(starts)} bins"
        raise InputError(source, what, 'mark values at the edges with volume:cell_methods = "time: point"')
    none = np.empty((0, 0))
    given = {
        name: taken(name, column=column) if name in data.variables else none
        for name, column in (("inflow", "boundary"), ("lateral", "reach"), ("lake_volume", "lake"))
    }
    lakes = _names(data, "lake", source=source) if given["lake_volume"].size else ()
    return FlowField(
        start,
        edges,
        reaches,
        flow["discharge_start"],
        flow["discharge_end"],
        flow["volume"],
        boundaries=boundaries,
        lakes=lakes,
        source=source,
        **given,
    )


def _require(data: Dataset, source: str) -> None:
    for name in ("time", "reach", *_TAKEN):
        if name not in data.variables:
            others = [v for v in data.variables if v not in ("time", "reach", *_TAKEN)]
            raise InputError(
                source, f"the variable '{name}' is missing", nearest(name, others or list(data.variables))
            )
    for named, name in (("inflow", "boundary"), ("lake_volume", "lake")):
        if named in data.variables and name not in data.variables:
            what = f"the variable '{name}', which names the nodes of {named}, is missing"
            raise InputError(source, what, f"add the node ids as variable {name}({name})")
    for name, known in _UNITS.items():
        unit = str(getattr(data.variables.get(name), "units", known[0])).strip()
        if unit not in known:
            raise InputError(
                source, f"{name} is in '{unit}'", f"convert it to {known[0]} and write that as its units"
            )


def _times(data: Dataset, name: str, *, source: str, zone: tzinfo) -> NDArray[np.datetime64]:
    """Return a time variable in UTC, datetime64[s]; NaT where it is missing."""
    import netCDF4
    import pandas as pd

    variable = data[name]
    units = str(getattr(variable, "units", ""))
    if "since" not in units:
        raise InputError(source, f"{name} has the units '{units}'", "write 'hours since 2024-07-16 00:00:00'")
    numbers = np.ma.filled(variable[:].astype(float), np.nan)
    known = np.isfinite(numbers)
    calendar = str(getattr(variable, "calendar", "standard")).lower()
    if calendar not in _CALENDARS:
        what = f"{name} is counted in the calendar '{calendar}'"
        raise InputError(source, what, f"write it in one of: {', '.join(_CALENDARS)}")
    dates = netCDF4.num2date(numbers[known], units, calendar, only_use_cftime_datetimes=False)
    local = pd.Series(pd.NaT, index=range(len(numbers)), dtype="datetime64[us]")
    local[known] = [pd.Timestamp(date).round("s") for date in np.asarray(dates).ravel()]
    return localised(local, UTC if _OWN_OFFSET.search(units) else zone)


def _ends(
    data: Dataset, starts: NDArray[np.datetime64], *, source: str, zone: tzinfo
) -> np.datetime64 | None:
    """Return when the last bin ends, from the times of the edges; None where nothing says it."""
    dim = next((d for d in data["volume"].dimensions if d not in ("member", "time", "reach")), "time_edge")
    if dim not in data.variables:
        return None
    edges = _times(data, dim, source=source, zone=zone)
    if len(edges) != len(starts) + 1 or not np.array_equal(edges[:-1], starts):
        what = f"the times of '{dim}' are not those of the {len(starts)} bins and the end of the last one"
        raise InputError(source, what, "give the volumes at the edges of the bins")
    return np.datetime64(edges[-1], "s")


def _names(data: Dataset, name: str, *, source: str) -> tuple[str, ...]:
    import netCDF4

    cells = data[name][:]
    if cells.ndim == 2:
        cells = netCDF4.chartostring(cells)
    ids = tuple(_name(cell) for cell in np.ma.filled(np.ma.asarray(cells)).ravel())
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise InputError(source, f"{name} '{twice[0]}' is there twice", f"give every {name} one column")
    return ids


def _name(cell: Any) -> str:
    text = cell.decode("utf-8") if isinstance(cell, bytes) else str(cell)
    return text.strip("\0 ").removesuffix(".0") if isinstance(cell, np.floating) else text.strip("\0 ")


def _values(data: Dataset, name: str, *, column: str, member: int | None, source: str) -> Array:
    """Return a variable, or one member of it, as (time, column), NaN where masked."""
    variable = data[name]
    dims = tuple(variable.dimensions)
    if member is None and "member" in dims:
        what = f"{name} holds {variable.shape[dims.index('member')]} members, not one flow"
        raise InputError(source, what, "name the file as flow_members under [files]")
    along = () if member is None or "member" not in dims else ("member",)
    if len(dims) != 2 + len(along) or column not in dims:
        what = f"{name} has the dimensions ({', '.join(dims)})"
        raise InputError(source, what, f"give it ({', '.join((*along, 'time', column))})")
    some = variable[tuple(member if dim == "member" else slice(None) for dim in dims)]
    values = np.ma.filled(some.astype(float), np.nan)
    return np.ascontiguousarray(values if [d for d in dims if d != "member"][1] == column else values.T)
