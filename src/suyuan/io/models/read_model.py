"""Any hydraulic model to network and flow: which form a file has, and the reader of that form."""

from __future__ import annotations

import importlib
import re
import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np

from suyuan.errors import Fault, InputError, nearest
from suyuan.flow import FlowField
from suyuan.io.files import require_file
from suyuan.io.flow import read_flow
from suyuan.io.models.hdf5 import opened_hdf5, text_of
from suyuan.io.models.model import Model
from suyuan.io.models.notes import Note, listed
from suyuan.io.times import timezone_of
from suyuan.network import Network

Progress = Callable[[int, int], None]
"""Called with what is done and what is due, in a unit of the reader's own."""


@dataclass(frozen=True)
class Form:
    """A form of model: its name, the files it comes in, and its reader under suyuan.io.models.

    `has_clock` says that its reader knows what its clock shows where nobody says so; others' show a place they do not name.
    """

    name: str
    files: str
    module: str
    reader: str
    has_clock: bool = False


SWMM = Form("SWMM 5", ".inp, with its .out beside it or to be run", "swmm", "read_swmm")
EPANET = Form("EPANET", ".inp", "epanet_flow", "read_epanet")
DFLOWFM = Form("D-Flow FM", "UGRID .nc", "dflowfm", "read_dflowfm")
HECRAS = Form("HEC-RAS", "plan .hdf of an unsteady run", "hecras", "read_hecras")
RIBASIM = Form("Ribasim", ".toml of a model that has been run", "ribasim", "read_ribasim")
DSM2 = Form("DSM2", "tidefile .h5", "dsm2", "read_dsm2", has_clock=True)
MIKE = Form("MIKE 1D", ".res1d", "mike", "read_mike")
TABLE = Form("flow table", ".csv, .parquet or .nc as in docs/tables/flow.md", "", "")

FORMS = (SWMM, EPANET, DFLOWFM, HECRAS, RIBASIM, DSM2, MIKE, TABLE)

_SUFFIXES = {".csv": TABLE, ".parquet": TABLE, ".res1d": MIKE}
"""Suffixes that only one form has."""

_SECTIONS = {"CONDUITS": SWMM, "OUTFALLS": SWMM, "SUBCATCHMENTS": SWMM, "PIPES": EPANET, "RESERVOIRS": EPANET}
"""Sections of an .inp that only one program knows."""

_OUT_MAGIC = {516114522: SWMM}
"""First number of an .out (EPA SWMM 5 interface guide, 2010, table 4-1)."""

_MOST_NAMED = 20


def read_model(
    source: str | Path,
    *,
    network: Network | None = None,
    timezone: str | tzinfo | None = None,
    progress: Progress | None = None,
) -> Model:
    """Return network and flow of a hydraulic model, whatever its form: the file says which it has.

    Clocks without a zone, as SWMM's, show `timezone`; where none is given what each reader says, mostly UTC. Given a `network`,
    the flow is that of its reaches, which are found by their ids; other links are left out and a note says so. A plain table of
    flow needs one. Raises InputError for a file that is no known form, with a list of the forms, and for reaches of the network
    that the model does not know.
    """
    path = require_file(source)
    form = form_of(path)
    if form is TABLE:
        if network is None:
            what = "is a table of flow, which does not say how the reaches hang together"
            raise InputError(path.name, what, "give the network, --network network.gpkg")
        flow = read_flow(path, timezone="UTC" if timezone is None else timezone)
        return on_network(Model(TABLE.name, network, flow), network)
    zone = {} if timezone is None else {"timezone": timezone_of(timezone)}
    model = _read(path, form, zone=zone, progress=progress)
    model = replace(model, flow=replace(model.flow, source=path.name))
    return model if network is None else on_network(model, network)


def form_of(path: Path) -> Form:
    """Return the form that a file has, by its suffix and what it holds; raises InputError where it has none."""
    look = _LOOKS.get(path.suffix.lower())
    form = _SUFFIXES.get(path.suffix.lower()) or (look(path) if look is not None else None)
    if form is None:
        known = "; ".join(f"{one.name} ({one.files})" for one in FORMS)
        raise InputError(path.name, "is not a form of model that is known here", f"known are: {known}")
    return form


def on_network(model: Model, network: Network) -> Model:
    """Return a model's flow on another network of the same ids: its reaches alone, in its order.

    Raises InputError that names the network's reaches without a flow, each with the nearest id of the model.
    """
    flow, held = model.flow, {name: i for i, name in enumerate(model.flow.reaches)}
    absent = [reach.id for reach in network.reaches if reach.id not in held]
    if absent:
        raise InputError.of(_absent(absent, network, model=model))
    wanted, nodes = {reach.id for reach in network.reaches}, {node.id for node in network.nodes}
    others = [name for name in flow.reaches if name not in wanted]
    strange = [name for name in (*flow.boundaries, *flow.lakes) if name not in nodes]
    notes = [
        Note(key, {what: len(names), "network": network.source, "named": listed(names)})
        for key, what, names in (
            ("links_without_reach", "links", others),
            ("nodes_without_node", "nodes", strange),
        )
        if names
    ]
    flow = _columns_of(flow, [held[reach.id] for reach in network.reaches], nodes=nodes)
    return replace(model, network=network, flow=flow, notes=(*model.notes, *notes))


def _columns_of(flow: FlowField, order: list[int], *, nodes: set[str]) -> FlowField:
    """Return a flow of the reaches at these positions, and of the boundaries and lakes that are in `nodes`."""
    entering = [b for b, name in enumerate(flow.boundaries) if name in nodes]
    holding = [k for k, name in enumerate(flow.lakes) if name in nodes]
    nothing = np.empty((0, 0))
    return replace(
        flow,
        reaches=tuple(flow.reaches[r] for r in order),
        **{name: getattr(flow, name)[:, order] for name in ("discharge_start", "discharge_end", "volume")},
        lateral=flow.lateral[:, order] if flow.lateral.size else nothing,
        boundaries=tuple(flow.boundaries[b] for b in entering),
        inflow=flow.inflow[:, entering] if entering else nothing,
        lakes=tuple(flow.lakes[k] for k in holding),
        lake_volume=flow.lake_volume[:, holding] if holding else nothing,
    )


def _absent(absent: list[str], network: Network, *, model: Model) -> list[Fault]:
    """Return a fault for each reach that the model does not know, and one for all of them."""
    flow = model.flow
    faults = [
        Fault(network.source, 0, f"reach '{name}' is not in {flow.source}", nearest(name, flow.reaches))
        for name in absent[:_MOST_NAMED]
    ]
    what = f"{len(absent)} of {len(network.reaches)} reaches are not in {flow.source}"
    remedy = (
        "give the table rows of every reach, under the network's ids"
        if model.form == TABLE.name
        else "give reaches the ids of the model's links; to take the model's own network leave --network out, "
        "and move that of the project away"
    )
    return [*faults, Fault(network.source, 0, what, remedy)]


def _read(path: Path, form: Form, *, zone: dict[str, tzinfo], progress: Progress | None) -> Model:
    try:
        module = importlib.import_module(f"suyuan.io.models.{form.module}")
        read: Callable[..., Model] = getattr(module, form.reader)
        return read(_main_file(path, form), progress=progress, **zone)
    except ImportError as error:  # the message names what to install
        raise InputError(
            path.name, f"{form.name} needs a package that is not installed", str(error)
        ) from error


def _main_file(path: Path, form: Form) -> Path:
    """Return the file that a reader takes: of SWMM's .out the .inp beside it."""
    if form is not SWMM or path.suffix.lower() != ".out":
        return path
    beside = [p for p in path.parent.iterdir() if p.stem == path.stem and p.suffix.lower() == ".inp"]
    if not beside:
        what = f"there is no {path.stem}.inp beside it: results alone do not say how links hang together"
        raise InputError(path.name, what, "put the model's .inp there, under the same name")
    return beside[0]


def _inp(path: Path) -> Form | None:
    """Return whose .inp it is, by sections that only one program knows."""
    headers = re.findall(rb"^\s*\[([A-Za-z_]+)", path.read_bytes(), re.MULTILINE)
    known = (_SECTIONS.get(header.decode().upper()) for header in headers)
    return next((form for form in known if form is not None), None)


def _out(path: Path) -> Form | None:
    with path.open("rb") as stream:
        first = stream.read(4)
    return _OUT_MAGIC.get(struct.unpack("<i", first)[0]) if len(first) == 4 else None


def _netcdf(path: Path) -> Form | None:
    """Return the form of a NetCDF file: a table of flow by its variables, UGRID by a mesh that says so."""
    with closing(_dataset(path)) as data:
        if "discharge_start" in data.variables or "discharge_end" in data.variables:
            return TABLE
        roles = {str(getattr(v, "cf_role", "")) for v in data.variables.values()}
        return DFLOWFM if "mesh_topology" in roles else None


def _hdf(path: Path) -> Form | None:
    try:
        with opened_hdf5(path, made_by="HEC-RAS or DSM2") as data:  # netCDF4 misreads some of theirs
            if text_of(data.attrs.get("File Type", "")).startswith("HEC-RAS"):
                return HECRAS
            return DSM2 if "hydro" in data else None
    except ImportError as error:
        raise InputError(path.name, "HDF5 needs a package that is not installed", str(error)) from error


def _dataset(path: Path) -> Any:
    import netCDF4

    try:
        return netCDF4.Dataset(path)
    except (OSError, RuntimeError) as error:
        what = f"cannot be read, it may be half-written ({str(error)[:80]})"
        raise InputError(path.name, what, "export it again") from error


def _geopackage(path: Path) -> Form | None:
    """Refuse a network of suyuan, which has no flow, and Ribasim's database, which holds no results."""
    import sqlite3

    try:
        with closing(sqlite3.connect(f"file:{path.absolute().as_posix()}?mode=ro", uri=True)) as database:
            names = {
                row[0] for row in database.execute("select name from sqlite_master where type = 'table'")
            }
    except sqlite3.DatabaseError as error:
        raise InputError(path.name, f"is not a GeoPackage ({error})", "export it again") from error
    if "reaches" in names:
        what = "is a network of suyuan, which has no flow"
        raise InputError(path.name, what, "name the model as the source, and this as --network")
    if "Node" in names:
        raise InputError(path.name, "is the database of a Ribasim model, without results", "name its .toml")
    return None


def _toml(path: Path) -> Form | None:
    import tomllib

    try:
        with path.open("rb") as stream:
            return RIBASIM if "ribasim_version" in tomllib.load(stream) else None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path.name, f"is not TOML ({error})", "export it again") from error


_LOOKS: dict[str, Callable[[Path], Form | None]] = {
    ".inp": _inp,
    ".out": _out,
    ".nc": _netcdf,
    ".nc4": _netcdf,
    ".hdf": _hdf,
    ".hdf5": _hdf,
    ".h5": _hdf,
    ".gpkg": _geopackage,
    ".toml": _toml,
}
"""How to tell, by what a file holds, which form it has."""
