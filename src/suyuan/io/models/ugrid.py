"""1-D networks and meshes in UGRID NetCDF, with Deltares' conventions for branches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suyuan.errors import InputError
from suyuan.network import Line, Reach

if TYPE_CHECKING:
    from netCDF4 import Dataset

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Point = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """A network of branches and the 1-D mesh on it.

    `ends` (branch, 2) are positions of network nodes, `edge_nodes` (edge, 2) of mesh nodes; `edge_branch` and `edge_offset` [m]
    (edge,) place the edges on branches, `at_node` (node of the network,) names the mesh node there.
    """

    source: str
    mesh: str
    crs: str
    branches: tuple[str, ...]
    titles: tuple[str, ...]
    lines: tuple[Line, ...]
    length: Array
    ends: Index
    names: tuple[str, ...]
    place: Array
    cells: tuple[str, ...]
    node_branch: Index
    node_offset: Array
    edge_branch: Index
    edge_offset: Array
    edge_nodes: Index
    at_node: Index

    @property
    def nodes(self) -> int:
        """How many nodes, and so cells, the mesh has."""
        return len(self.node_branch)

    def points(self) -> dict[str, Point | None]:
        """Return where the nodes of the network are drawn."""
        return {name: (float(x), float(y)) for name, (x, y) in zip(self.names, self.place, strict=True)}

    def reach(self, b: int) -> Reach:
        """Return a branch as a reach."""
        a, z = (self.names[i] for i in self.ends[b])
        length = float(self.length[b])
        return Reach(self.branches[b], a, z, length, "canal", name=self.titles[b], line=self.lines[b])

    def path(self, b: int) -> tuple[Index, Index, Array]:
        """Return the edges of a branch in order, the mesh nodes from end to end, and the sign of each edge (+1: drawn along)."""
        edges = np.flatnonzero(self.edge_branch == b)
        edges = edges[np.argsort(self.edge_offset[edges], kind="stable")]
        node = int(self.at_node[self.ends[b, 0]])
        nodes, sign = [node], []
        for e in edges:
            first, second = (int(n) for n in self.edge_nodes[e])
            if node not in (first, second):
                what = f"the mesh on branch '{self.branches[b]}' does not hang together at edge {int(e) + 1}"
                raise InputError(self.source, what, "make the 1-D mesh anew and run again")
            sign.append(1.0 if node == first else -1.0)
            node = second if node == first else first
            nodes.append(node)
        if not sign or node != int(self.at_node[self.ends[b, 1]]):
            what = f"the mesh on branch '{self.branches[b]}' does not reach its end"
            raise InputError(self.source, what, "make the 1-D mesh anew and run again")
        return edges, np.array(nodes), np.array(sign)

    def offset(self, b: int) -> Array:
        """Return how far the mesh nodes of a branch lie along it, (node,) [m]."""
        nodes = self.path(b)[1]
        along: Array = self.node_offset[nodes].astype(float)
        along[0], along[-1] = 0.0, self.length[b]
        return along

    def edge_length(self) -> Array:
        """Return the length of each edge of the mesh, (edge,) [m]."""
        found = np.zeros(len(self.edge_branch))
        for b in range(len(self.branches)):
            found[self.path(b)[0]] = np.diff(self.offset(b))
        return found

    def share(self, cell: int, edge: int, *, length: Array) -> float:
        """Return how much of a cell belongs to an edge there: its share of the `length` (edge,) [m] of all that meet."""
        meeting = np.flatnonzero((self.edge_nodes == cell).any(axis=1))
        return float(length[edge] / length[meeting].sum())

    def cell_name(self, b: int, cell: int) -> str:
        """Return the id of a mesh node, with its branch where it has none."""
        return self.cells[cell] or f"{self.branches[b]}_{self.node_offset[cell]:.3f}"


def drawing_of(data: Dataset, source: str) -> Drawing:
    """Return the 1-D network and mesh of an open UGRID file; raises InputError where it has none."""
    mesh, net = _topologies(data, source)
    net_vars, mesh_vars = _Names(data, net, source), _Names(data, mesh, source)
    xy = net_vars.places("node_coordinates")
    cell_xy = mesh_vars.places("node_coordinates")
    ends = net_vars.pairs("edge_node_connectivity")
    count = len(ends)
    lines = _lines(data, str(getattr(data[net], "edge_geometry", "")), count=count)
    at_node, far = _nearest(xy, cell_xy)
    width = float(max(np.ptp(cell_xy, axis=0).max(), 1e-9))
    if far.max() > AT_A_NODE * width:
        what = f"node '{net_vars.texts('node_id', count=len(xy))[int(np.argmax(far))]}' has no cell of the mesh near it"
        raise InputError(source, what, "make the 1-D mesh anew, with a cell at every node")
    branch, offset = mesh_vars.on_branches("node_coordinates")
    edge_branch, edge_offset = mesh_vars.on_branches("edge_coordinates")
    ids = net_vars.texts("branch_id", count=count)
    return Drawing(
        source,
        mesh,
        _crs(data),
        tuple(name or f"branch{b + 1}" for b, name in enumerate(ids)),
        net_vars.texts("branch_long_name", count=count),
        lines,
        net_vars.numbers(str(getattr(data[net], "edge_length", f"{net}_edge_length"))),
        ends,
        net_vars.texts("node_id", count=len(xy)),
        xy,
        mesh_vars.texts("node_id", count=len(cell_xy)),
        branch,
        offset,
        edge_branch,
        edge_offset,
        mesh_vars.pairs("edge_node_connectivity"),
        at_node,
    )


AT_A_NODE = 1e-3
"""Share of the network's width within which a cell lies at a node of the network."""


def _topologies(data: Dataset, source: str) -> tuple[str, str]:
    """Return the names of the 1-D mesh and of the network it lies on."""
    for name, variable in data.variables.items():
        on = str(getattr(variable, "coordinate_space", ""))
        if getattr(variable, "cf_role", "") == "mesh_topology" and on:
            if on in data.variables:
                return name, on
            what = f"the network '{on}', on which the mesh lies, is not in the file"
            raise InputError(source, what, "give the network file (_net.nc) as net")
    what = "there is no 1-D network in it (no mesh_topology with a coordinate_space)"
    raise InputError(source, what, "give a _net.nc or _map.nc of D-Flow FM with 1-D branches")


@dataclass(frozen=True)
class _Names:
    """The variables of one topology, by the attributes that name them."""

    data: Dataset
    topology: str
    source: str

    def variable(self, name: str) -> Any:
        """Return a variable; raises InputError where it is missing."""
        if name not in self.data.variables:
            what = f"the variable '{name}' of '{self.topology}' is missing"
            raise InputError(self.source, what, "export the network again")
        return self.data[name]

    def numbers(self, name: str) -> Array:
        """Return a variable as numbers."""
        return np.ma.filled(np.ma.asarray(self.variable(name)[:], dtype=float), np.nan)

    def named(self, attribute: str) -> list[str]:
        """Return the variables that an attribute of the topology lists."""
        return str(getattr(self.data[self.topology], attribute, "")).split()

    def pairs(self, attribute: str) -> Index:
        """Return a connectivity (edge, 2), from 0."""
        name = (self.named(attribute) or [f"{self.topology}_edge_nodes"])[0]
        first = int(getattr(self.variable(name), "start_index", 0))
        return np.asarray(self.variable(name)[:], dtype=np.int64) - first

    def places(self, attribute: str) -> Array:
        """Return x and y (node, 2)."""
        names = [n for n in self.named(attribute) if n.endswith(("_x", "_y"))]
        names = names or [f"{self.topology}_node_x", f"{self.topology}_node_y"]
        return np.column_stack([self.numbers(n) for n in names[:2]])

    def on_branches(self, attribute: str) -> tuple[Index, Array]:
        """Return on which branch and how far along it [m] nodes or edges lie."""
        where = "node" if attribute.startswith("node") else "edge"
        branch = self.variable(f"{self.topology}_{where}_branch")
        first = int(getattr(branch, "start_index", 0))
        on = np.asarray(branch[:], dtype=np.int64) - first
        return on, self.numbers(f"{self.topology}_{where}_offset")

    def texts(self, attribute: str, *, count: int) -> tuple[str, ...]:
        """Return ids or names; '' where there are none."""
        import netCDF4

        name = (self.named(attribute) or [f"{self.topology}_{attribute}"])[0]
        if name not in self.data.variables:
            return ("",) * count
        cells = self.data[name][:]
        found = netCDF4.chartostring(cells) if cells.dtype.kind == "S" and cells.ndim == 2 else cells
        return tuple(str(c).strip("\0 ") for c in np.asarray(found).ravel())


def _lines(data: Dataset, geometry: str, *, count: int) -> tuple[Line, ...]:
    """Return how branches are drawn; () where the file does not say."""
    variable = data.variables.get(geometry)
    sizes = data.variables.get(str(getattr(variable, "node_count", "")))
    names = str(getattr(variable, "node_coordinates", "")).split()
    if sizes is None or len(names) != 2 or any(n not in data.variables for n in names):
        return ((),) * count
    x, y = (np.asarray(data[n][:], dtype=float) for n in names)
    stops = np.cumsum(np.asarray(sizes[:], dtype=int))
    starts = stops - np.asarray(sizes[:], dtype=int)
    return tuple(
        tuple((float(p), float(q)) for p, q in zip(x[a:z], y[a:z], strict=True))
        for a, z in zip(starts, stops, strict=True)
    )


def _nearest(places: Array, cells: Array) -> tuple[Index, Array]:
    """Return the cell nearest to each place and how far it is."""
    from scipy.spatial import cKDTree

    far, at = cKDTree(cells).query(places)
    return np.asarray(at, dtype=np.int64), np.asarray(far, dtype=float)


def _crs(data: Dataset) -> str:
    """Return the coordinate system as 'EPSG:28992'; '' where none is named."""
    for name in ("projected_coordinate_system", "wgs84"):
        code = str(getattr(data.variables.get(name), "EPSG_code", ""))
        if code.upper().startswith("EPSG:") and code[5:].isdigit() and int(code[5:]) > 0:
            return code.upper()
    return ""
