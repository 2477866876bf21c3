"""HEC-RAS plans (HDF5, 1-D): rivers between junctions as reaches, and the flow of an unsteady run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError, nearest
from suyuan.io.models.chains import Chain, Known, joined
from suyuan.io.models.hdf5 import opened_hdf5, text_of
from suyuan.io.models.hecras_geometry import Geometry, geometry_of
from suyuan.io.models.hecras_sections import water_between
from suyuan.io.models.instants import hec_time, instants
from suyuan.io.models.model import Model
from suyuan.io.models.notes import Note
from suyuan.io.times import timezone_of
from suyuan.network import Network

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

_SERIES = "Results/Unsteady/Output/Output Blocks/Base Output/Unsteady Time Series"
_MADE_BY = "HEC-RAS"


@dataclass(frozen=True)
class _Results:
    """What the run found at the sections, in the order of the geometry: `discharge` (bin, section) [m3/s], `surface` [m]."""

    start: np.datetime64
    seconds: Array
    discharge: Array
    surface: Array


def read_hecras(path: str | Path, *, timezone: str | tzinfo = UTC, progress: Progress | None = None) -> Model:
    """Return network and flow of a HEC-RAS plan (.p01.hdf) with 1-D unsteady results.

    A reach is a river reach, its id 'River Reach'; discharge is that of its first and last cross-section, volume lies between
    the sections under the water surface: their area from the ground line, banks and levees, times the lengths left, in and
    right of the channel. Feet become metres as the file says. Means over a bin come from the cumulated volumes of the file,
    else from two instants. Times are in `timezone`: HEC-RAS writes none. The assumption that hurts most: water stands wherever
    the ground is below the surface, levees apart.
    """
    name = Path(path).name
    with opened_hdf5(path, made_by=_MADE_BY) as data:
        geometry = geometry_of(data, name)
        _require_unsteady(data, source=name)
        results = _results(data, geometry, zone=timezone_of(timezone), source=name)
        has_plane = "Geometry/2D Flow Areas/Attributes" in data
    chains = []
    for done, river in enumerate(geometry.rivers, start=1):
        sections = [geometry.sections[i] for i in river.sections]
        areas = [geometry.sections[i].areas(results.surface[:, i]) for i in river.sections]
        between = water_between(sections, areas)
        ends = np.zeros((len(between), 1))
        along = geometry.chainages(river)
        names = tuple(f"{river.reach.id} {a.river_station}~" for a in sections[:-1])
        chains.append(
            Chain(
                river.reach,
                results.discharge[:, list(river.sections)],
                np.hstack([ends, between, ends]),
                0.5 * (along[1:] + along[:-1]),
                names,
            )
        )
        if progress is not None:
            progress(done, len(geometry.rivers))
    known = Known(name, geometry.crs, geometry.waters(), geometry.structures)
    found = joined(chains, dict(geometry.points), start=results.start, edges=results.seconds, known=known)
    plane = (Note("plane"),) if has_plane else ()
    return Model("HEC-RAS 1-D", found.network, found.flow, (*plane, *geometry.notes, *found.notes))


def read_hecras_network(path: str | Path) -> Network:
    """Return the river reaches of a HEC-RAS geometry or plan (.g01.hdf, .p01.hdf); open ends are outlets, since nothing flows."""
    name = Path(path).name
    with opened_hdf5(path, made_by=_MADE_BY) as data:
        return geometry_of(data, name).network()


def _require_unsteady(data: Any, *, source: str) -> None:
    """Raise InputError where the file has no unsteady 1-D results, saying what it has instead."""
    if f"{_SERIES}/Cross Sections" in data:
        return
    if "Results/Steady" in data:
        raise InputError(source, "holds steady results only", "run an unsteady plan")
    if "Results/Unsteady" in data:
        what = "holds unsteady results, but none at cross-sections"
        raise InputError(source, what, "suyuan reads 1-D rivers; a plan with 2-D areas alone has none")
    what = "holds geometry only, no results"
    raise InputError(source, what, "run an unsteady plan and give its .p01.hdf")


def _results(data: Any, geometry: Geometry, *, zone: tzinfo, source: str) -> _Results:
    sections = data[f"{_SERIES}/Cross Sections"]
    for name in ("Flow", "Water Surface"):
        if name not in sections:
            raise InputError(source, f"the results have no '{name}'", "run the plan again with HEC-RAS 6")
    stamps = next(
        (
            data[f"{_SERIES}/{n}"]
            for n in ("Time Date Stamp (ms)", "Time Date Stamp")
            if f"{_SERIES}/{n}" in data
        ),
        None,
    )
    if stamps is None:
        raise InputError(source, "the results have no 'Time Date Stamp'", "run the plan again")
    when = [hec_time(text_of(t), source=source) for t in stamps[:]]
    start, seconds = instants(when, zone, source=source)
    order = _order(sections, geometry, source=source)
    flow, surface = (
        _series(sections, name, count=len(when), order=order, source=source)
        for name in ("Flow", "Water Surface")
    )
    discharge = 0.5 * (flow[1:] + flow[:-1])
    if "Flow Volume Cumulative" in sections:
        carried = _series(sections, "Flow Volume Cumulative", count=len(when), order=order, source=source)
        discharge = np.diff(carried, axis=0) / np.diff(seconds)[:, None]
    foot = geometry.foot
    return _Results(start, seconds, discharge * foot**3, surface * foot)


def _series(sections: Any, name: str, *, count: int, order: list[int], source: str) -> Array:
    """Return a variable (instant, section) in the file's own units and the geometry's order."""
    values = np.asarray(sections[name][:], dtype=float)
    if values.ndim != 2 or values.shape[0] != count or values.shape[1] <= max(order):
        what = f"'{name}' has the shape {values.shape} for {count} times and {len(order)} sections"
        raise InputError(source, what, "the file may be half-written; run the plan again")
    return values[:, order]


def _order(sections: Any, geometry: Geometry, *, source: str) -> list[int]:
    """Return for each section of the geometry its column in the results."""
    wanted = geometry.section_names
    if "Cross Section Attributes" not in sections:
        return list(range(len(wanted)))
    rows = sections["Cross Section Attributes"][:]
    given = [tuple(text_of(row[n]) for n in ("River", "Reach", "Station")) for row in rows]
    column = {name: i for i, name in enumerate(given)}
    lost = [name for name in wanted if name not in column]
    if lost:
        known = [" ".join(name) for name in given]
        what = f"section '{' '.join(lost[0])}' of the geometry has no results ({len(lost)} in all)"
        raise InputError(source, what, f"run the plan again; {nearest(' '.join(lost[0]), known)}")
    return [column[name] for name in wanted]
