"""Flow files, NetCDF or tables, to the noun and back; what is checked whichever way it came."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path

import numpy as np

from suyuan.errors import Fault, InputError, nearest
from suyuan.flow import FlowField
from suyuan.io.files import require_file
from suyuan.io.flow_netcdf import read_flow_netcdf, write_flow_netcdf
from suyuan.io.flow_table import read_flow_table, write_flow_table
from suyuan.io.times import timezone_of
from suyuan.network import Network

_READERS = {
    ".nc": read_flow_netcdf,
    ".nc4": read_flow_netcdf,
    ".csv": read_flow_table,
    ".parquet": read_flow_table,
}
_WRITERS = {".nc": write_flow_netcdf, ".csv": write_flow_table, ".parquet": write_flow_table}


def read_flow(path: str | Path, *, timezone: str | tzinfo, network: Network | None = None) -> FlowField:
    """Return the flow in a NetCDF file (.nc) or a table (.csv, .parquet).

    Times without an offset are in the file's own timezone, else in `timezone`. Raises InputError for times
    that go back or leave gaps, for missing values and negative volumes, and, given a `network`, for reaches
    and boundary nodes that are not in it and reaches of it that have no flow.
    """
    path = require_file(path)
    if path.suffix.lower() not in _READERS:
        what = f"'{path.suffix}' is not a kind of flow file"
        raise InputError(path.name, what, f"save it as one of: {', '.join(_READERS)}")
    return usable(_READERS[path.suffix.lower()](path, timezone_of(timezone)), network)


def usable(flow: FlowField, network: Network | None) -> FlowField:
    """Return the flow if no value is missing, no volume negative and, given a network, all of it is there; else InputError."""
    faults = [*_missing_values(flow), *_negative_volumes(flow)]
    if network is not None:
        faults += unmatched(flow, network)
    if faults:
        raise InputError.of(faults)
    return flow


def write_flow(flow: FlowField, path: str | Path, *, timezone: str | tzinfo = "UTC") -> None:
    """Write flow as NetCDF (.nc) or, where volumes are means over the bins, as table (.csv, .parquet)."""
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        what = f"'{path.suffix}' is not a kind of flow file"
        raise InputError(path.name, what, f"name it with one of: {', '.join(_WRITERS)}")
    _WRITERS[path.suffix.lower()](flow, path, zone=timezone_of(timezone))


def _missing_values(flow: FlowField) -> list[Fault]:
    faults = []
    for name in ("discharge_start", "discharge_end", "volume", "lateral"):
        missing = ~np.isfinite(getattr(flow, name))
        for r in np.flatnonzero(missing.any(axis=0))[:20] if missing.size else ():
            count, first = int(missing[:, r].sum()), int(np.argmax(missing[:, r]))
            time = _time(flow, first)
            what = f"{name} of reach '{flow.reaches[r]}' is NaN in {count} bins, first at {time} UTC"
            remedy = "fill the gap from the model, or leave the time out at the beginning or end"
            faults.append(Fault(flow.source, 0, what, remedy))
    return faults


def _negative_volumes(flow: FlowField) -> list[Fault]:
    faults = []
    for r in np.flatnonzero((flow.volume < 0.0).any(axis=0))[:20]:
        first = int(np.argmax(flow.volume[:, r] < 0.0))
        volume, time = flow.volume[first, r], _time(flow, first)
        what = f"volume of reach '{flow.reaches[r]}' is {volume:.4g} m3 at {time} UTC"
        faults.append(Fault(flow.source, 0, what, "a volume cannot be negative; check unit and export"))
    return faults


def _time(flow: FlowField, edge: int) -> np.datetime64:
    return flow.start + np.timedelta64(round(float(flow.edges[edge])), "s")


def unmatched(flow: FlowField, network: Network) -> list[Fault]:
    """Return a fault for every reach and boundary that only one of flow and network knows."""
    known, given = [r.id for r in network.reaches], set(flow.reaches)
    faults = [
        Fault(flow.source, 0, f"reach '{reach}' is not in the network", nearest(reach, known))
        for reach in flow.reaches
        if reach not in set(known)
    ]
    absent = [reach for reach in known if reach not in given]
    if absent:
        named = ", ".join(absent[:5]) + (" ..." if len(absent) > 5 else "")
        what = f"{len(absent)} of {len(known)} reaches of the network have no flow: {named}"
        remedy = "give every reach its discharges and volume, 0 m3/s where the water stands"
        faults.append(Fault(flow.source, 0, what, remedy))
    nodes = [n.id for n in network.nodes]
    lakes = [n.id for n in network.nodes if n.kind == "lake" and n.volume_m3 > 0.0]
    for lake in set(flow.lakes) - set(lakes):
        what = f"lake_volume is given at '{lake}', which is no lake with a volume_m3 in the network"
        faults.append(Fault(flow.source, 0, what, nearest(lake, lakes) if lakes else "make its kind lake"))
    for boundary in flow.boundaries:
        if boundary not in set(nodes):
            what = f"boundary '{boundary}' is not a node of the network"
            faults.append(Fault(flow.source, 0, what, nearest(boundary, nodes)))
    return faults
