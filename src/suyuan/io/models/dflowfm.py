"""D-Flow FM 1-D networks and map files (UGRID NetCDF): branches as reaches, cells and links as their water."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.io.files import require_file
from suyuan.io.models.chains import Chain, Known, joined
from suyuan.io.models.instants import instants_of_netcdf
from suyuan.io.models.model import Model
from suyuan.io.models.notes import Note
from suyuan.io.models.ugrid import Drawing, drawing_of
from suyuan.io.times import timezone_of
from suyuan.network import Network, Node

if TYPE_CHECKING:
    from netCDF4 import Dataset

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


def read_dflowfm(
    path: str | Path,
    *,
    net: str | Path | None = None,
    timezone: str | tzinfo = UTC,
    progress: Progress | None = None,
) -> Model:
    """Return network and flow of a D-Flow FM map file (_map.nc) with a 1-D mesh.

    Branches become reaches under their ids. Wanted are `mesh1d_q1` (discharge through links, m3/s) and `mesh1d_vol1` (water in
    cells, m3), or else `mesh1d_au` (flow area of links, m2), at the instants of the file; a bin lies between two of them. The
    water of a cell at a confluence is shared between its branches by their lengths there. `net` is the network file (_net.nc),
    for map files that do not hold it. Times without an offset are in `timezone`. The assumption that hurts most: discharge
    between two instants is their mean; write the map file as often as the flow changes.
    """
    path = require_file(path)
    drawing = drawn_network(net or path)
    with _opened(path) as data:
        _require_flow(data, drawing.mesh, source=path.name)
        start, seconds = instants_of_netcdf(data["time"], timezone_of(timezone), source=path.name)
        discharge = _series(data, f"{drawing.mesh}_q1", size=len(drawing.edge_branch), source=path.name)
        volume = _volumes(data, drawing, source=path.name)
        has_plane = any(name.lower().startswith("mesh2d_s1") for name in data.variables)
    chains, length = [], drawing.edge_length()
    for b in range(len(drawing.branches)):
        chains.append(_chain(drawing, b, length=length, discharge=discharge, volume=volume))
        if progress is not None:
            progress(b + 1, len(drawing.branches))
    known = Known(path.name, drawing.crs)
    found = joined(chains, drawing.points(), start=start, edges=seconds, known=known)
    plane = (Note("plane"),) if has_plane else ()
    return Model("D-Flow FM 1-D", found.network, found.flow, (*plane, *found.notes))


def read_dflowfm_network(path: str | Path) -> Network:
    """Return the 1-D network in a D-Flow FM network or map file; ends are outlets, since nothing says how water flows there."""
    drawing = drawn_network(path)
    reaches = tuple(drawing.reach(b) for b in range(len(drawing.branches)))
    ends = [name for r in reaches for name in (r.from_node, r.to_node)]
    nodes = tuple(
        Node(name, "outlet" if ends.count(name) == 1 else "junction", point=point)
        for name, point in drawing.points().items()
        if name in set(ends)
    )
    return Network(nodes, reaches, crs=drawing.crs, source=Path(path).name)


def drawn_network(path: str | Path) -> Drawing:
    """Return the 1-D network and mesh as they are drawn in a file."""
    path = require_file(path)
    with _opened(path) as data:
        return drawing_of(data, path.name)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Dataset]:
    import netCDF4

    try:
        data = netCDF4.Dataset(path)
    except (OSError, RuntimeError) as error:
        what = f"cannot be read as NetCDF, it may be half-written ({str(error)[:80]})"
        raise InputError(path.name, what, "give the _map.nc that D-Flow FM wrote") from error
    try:
        yield data
    except (OSError, RuntimeError) as error:  # a damaged block shows when it is read
        what = f"breaks off or is damaged ({str(error)[:80]})"
        raise InputError(path.name, what, "run the model again") from error
    finally:
        data.close()


def _require_flow(data: Dataset, mesh: str, *, source: str) -> None:
    if f"{mesh}_q1" in data.variables and "time" in data.variables:
        return
    what = (
        f"holds no flow: there is no {mesh}_q1"
        if "time" in data.variables
        else "holds geometry only, no flow"
    )
    remedy = "give the _map.nc of a run with Wrimap_flow_flux_q1 = 1 in the .mdu"
    raise InputError(source, what, remedy)


def _series(data: Dataset, name: str, *, size: int, source: str) -> Array:
    """Return a variable as (instant, place), NaN where missing; a unit that is not SI is refused."""
    variable = data[name]
    unit = str(getattr(variable, "units", "")).replace(" ", "").replace("^", "").replace("-1", "")
    wanted = {"_q1": ("m3s", "m3/s"), "ol1": ("m3",), "_au": ("m2",)}[name[-3:]]
    if unit not in wanted:
        what = (
            f"{name} is in '{getattr(variable, 'units', '')}'" if unit else f"the unit of {name} is missing"
        )
        raise InputError(source, what, f"D-Flow FM writes it in {wanted[-1]}; convert it and set its units")
    if variable.ndim != 2 or variable.shape[1] != size:
        what = f"{name} has the shape {variable.shape}, expected (time, {size})"
        raise InputError(source, what, "the network is that of another run; give its own _net.nc as net")
    return np.ma.filled(np.ma.asarray(variable[:], dtype=float), np.nan)


def _volumes(data: Dataset, drawing: Drawing, *, source: str) -> Array:
    """Return the water in cells (instant, node) [m3], from links where cells do not say."""
    mesh = drawing.mesh
    if f"{mesh}_vol1" in data.variables:
        return _series(data, f"{mesh}_vol1", size=drawing.nodes, source=source)
    if f"{mesh}_au" not in data.variables:
        what = f"holds no volume: there is neither {mesh}_vol1 nor {mesh}_au"
        raise InputError(source, what, "set Wrimap_volume1 = 1 in the .mdu and run again")
    area = _series(data, f"{mesh}_au", size=len(drawing.edge_branch), source=source)
    volume = np.zeros((len(area), drawing.nodes))
    half = 0.5 * area * drawing.edge_length()
    for end in (0, 1):
        np.add.at(volume.T, drawing.edge_nodes[:, end], half.T)
    return volume


def _chain(drawing: Drawing, b: int, *, length: Array, discharge: Array, volume: Array) -> Chain:
    """Return a branch: its links are the faces, its cells lie between and at the ends."""
    edges, cells, sign = drawing.path(b)
    mean = 0.5 * (discharge[1:, edges] + discharge[:-1, edges]) * sign
    held = volume[:, cells].copy()
    for end in (0, -1):
        held[:, end] *= drawing.share(int(cells[end]), int(edges[end]), length=length)
    inner = cells[1:-1]
    names = tuple(drawing.cell_name(b, int(c)) for c in inner)
    return Chain(drawing.reach(b), mean, held, drawing.offset(b)[1:-1], names)
