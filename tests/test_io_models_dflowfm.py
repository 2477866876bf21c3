"""D-Flow FM: a real network without flow, and map files built here from the published UGRID layout."""

from __future__ import annotations

import itertools
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from level_pool import INTO_A, LATERAL, LENGTH, SECONDS, WIDTH, depth, discharge

from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.io.models.dflowfm import read_dflowfm, read_dflowfm_network

REAL = Path(__file__).parents[1].parent / "shared/data/dflowfm_1d/korte-woerden_FlowFM_net.nc"
BRANCHES = ("AJ", "BJ", "JC")
CELLS = 10
"""Mesh nodes of a branch, its two ends included."""

XY = {"A": (0.0, 500.0), "B": (0.0, -500.0), "J": (748.0, 0.0), "C": (1648.0, 0.0)}


class Mesh:
    """Where the mesh nodes and edges of the three branches lie; the cell at J belongs to all, as D-Flow FM has it."""

    def __init__(self) -> None:
        self.names = [*XY]
        self.branch, self.offset, self.xy = [0, 1, 0, 2], [0.0, 0.0, LENGTH, LENGTH], [*XY.values()]
        self.edges, self.edge_branch, self.edge_offset = [], [], []
        along = np.linspace(0.0, LENGTH, CELLS)
        for b, (first, last) in enumerate(BRANCHES):
            chain = [self.names.index(first)]
            for x in along[1:-1]:
                share = x / LENGTH
                chain.append(len(self.names))
                self.names.append(f"{first}{last}_{x:.0f}")
                self.branch.append(b)
                self.offset.append(x)
                self.xy.append(
                    tuple((1 - share) * p + share * q for p, q in zip(XY[first], XY[last], strict=True))
                )
            chain.append(self.names.index(last))
            self.edges += list(itertools.pairwise(chain))
            self.edge_branch += [b] * (CELLS - 1)
            self.edge_offset += (0.5 * (along[1:] + along[:-1])).tolist()

    def turned(self, every: int) -> np.ndarray:
        """Return edges (edge, 2), each so many drawn against their branch."""
        edges = np.array(self.edges)
        edges[::every] = edges[::every, ::-1]
        return edges

    def cell_length(self) -> np.ndarray:
        """Return how much canal lies in each cell [m]."""
        half = 0.5 * LENGTH / (CELLS - 1)
        return half * np.bincount(np.array(self.edges).ravel(), minlength=len(self.names))


def texts(data: netCDF4.Dataset, name: str, values: list[str], dim: str) -> None:
    padded = np.array([v.encode().ljust(24) for v in values], dtype="S24")
    data.createVariable(name, "S1", (dim, "chars"))[:] = padded.view("S1").reshape(len(values), 24)


def map_file(
    path: Path,
    *,
    volume: str = "vol1",
    lateral_at: float = np.inf,
    unit: str = "m3 s-1",
    turned: int = 10**6,
    shift: float = 0.0,
) -> Path:
    """Write the level pool as D-Flow FM writes a 1-D map file."""
    mesh = Mesh()
    with netCDF4.Dataset(path, "w") as data:
        sizes = {"net_e": 3, "net_n": 4, "Two": 2, "chars": 24, "n": len(mesh.names), "e": len(mesh.edges)}
        for name, size in {**sizes, "time": len(SECONDS)}.items():
            data.createDimension(name, size)
        net = data.createVariable("network1d", "i4")
        net.setncatts(
            {
                "cf_role": "mesh_topology",
                "edge_node_connectivity": "network1d_edge_nodes",
                "node_coordinates": "network1d_node_x network1d_node_y",
                "edge_length": "network1d_edge_length",
                "node_id": "network1d_node_id",
                "branch_id": "network1d_branch_id",
            }
        )
        ends = data.createVariable("network1d_edge_nodes", "i4", ("net_e", "Two"))
        ends[:] = [[list(XY).index(a) + 1, list(XY).index(z) + 1] for a, z in BRANCHES]
        ends.start_index = 1
        for i, axis in enumerate("xy"):
            data.createVariable(f"network1d_node_{axis}", "f8", ("net_n",))[:] = [p[i] for p in XY.values()]
            data.createVariable(f"mesh1d_node_{axis}", "f8", ("n",))[:] = [p[i] + shift for p in mesh.xy]
        data.createVariable("network1d_edge_length", "f8", ("net_e",))[:] = LENGTH
        texts(data, "network1d_node_id", [*XY], "net_n")
        texts(data, "network1d_branch_id", [*BRANCHES], "net_e")
        one = data.createVariable("mesh1d", "i4")
        one.setncatts(
            {
                "cf_role": "mesh_topology",
                "coordinate_space": "network1d",
                "edge_node_connectivity": "mesh1d_edge_nodes",
                "node_coordinates": "mesh1d_node_branch mesh1d_node_offset mesh1d_node_x mesh1d_node_y",
            }
        )
        texts(data, "mesh1d_node_id", mesh.names, "n")
        edges = mesh.turned(turned)
        joins = data.createVariable("mesh1d_edge_nodes", "i4", ("e", "Two"))
        joins[:], joins.start_index = edges + 1, 1
        for where, dim, branch, offset in (
            ("node", "n", mesh.branch, mesh.offset),
            ("edge", "e", mesh.edge_branch, mesh.edge_offset),
        ):
            on = data.createVariable(f"mesh1d_{where}_branch", "i4", (dim,))
            on[:], on.start_index = np.array(branch) + 1, 1
            data.createVariable(f"mesh1d_{where}_offset", "f8", (dim,))[:] = offset
        time = data.createVariable("time", "f8", ("time",))
        time[:], time.units = SECONDS, "seconds since 2024-07-01 00:00:00 +00:00"
        q = data.createVariable("mesh1d_q1", "f8", ("time", "e"))
        q.units = unit
        along = np.where((edges == np.array(mesh.edges)).all(axis=1), 1.0, -1.0)
        q[:] = along * np.column_stack(
            [
                discharge(BRANCHES[b], x, SECONDS, lateral_at=lateral_at)
                for b, x in zip(mesh.edge_branch, mesh.edge_offset, strict=True)
            ]
        )
        if volume == "vol1":
            held = data.createVariable("mesh1d_vol1", "f8", ("time", "n"))
            held[:], held.units = WIDTH * depth(SECONDS)[:, None] * mesh.cell_length(), "m3"
        if volume == "au":
            area = data.createVariable("mesh1d_au", "f8", ("time", "e"))
            area[:], area.units = np.repeat(WIDTH * depth(SECONDS)[:, None], len(mesh.edges), axis=1), "m2"
    return path


@pytest.mark.parametrize("volume", ["vol1", "au"])
def test_branches_hold_their_cells_and_carry_what_enters_less_what_they_store(
    tmp_path: Path, volume: str
) -> None:
    model = read_dflowfm(map_file(tmp_path / "pool_map.nc", volume=volume))
    assert model.flow.reaches == BRANCHES
    np.testing.assert_allclose(
        model.flow.volume, np.repeat(WIDTH * LENGTH * depth(SECONDS)[:, None], 3, axis=1), rtol=1e-12
    )
    middle = 0.5 * (SECONDS[1:] + SECONDS[:-1])
    for b, branch in enumerate(BRANCHES):
        np.testing.assert_allclose(model.flow.discharge_start[:, b], discharge(branch, 0.0, middle))
        np.testing.assert_allclose(model.flow.discharge_end[:, b], discharge(branch, LENGTH, middle))
    assert {n.id: n.kind for n in model.network.nodes} == {
        "A": "boundary",
        "B": "boundary",
        "J": "junction",
        "C": "outlet",
    }
    assert model.notes == ()


def test_closure_has_only_rounding_to_do(tmp_path: Path) -> None:
    model = read_dflowfm(map_file(tmp_path / "pool_map.nc", turned=3))
    balance = balanced(model.flow, model.network).balance
    assert max(balance.residual_share, balance.reach_share) < 1e-12
    assert balance.correction.max() < 1e-11


def test_water_let_in_along_a_branch_enters_at_a_node_there(tmp_path: Path) -> None:
    model = read_dflowfm(map_file(tmp_path / "side_map.nc", lateral_at=405.0))
    node = next(n for n in model.network.nodes if n.id == "JC_400")
    assert node.kind == "boundary"
    upper, lower = (model.flow.reaches.index(r) for r in ("JC+0", "JC+400"))
    gained = model.flow.discharge_start[:, lower] - model.flow.discharge_end[:, upper]
    np.testing.assert_allclose(gained, LATERAL, rtol=1e-9)
    assert model.network.reach("JC+400").length_m == pytest.approx(500.0)
    assert "JC_400" in str(model.notes[0])
    closed = balanced(model.flow, model.network)
    np.testing.assert_allclose(closed.external[:, model.network.node_index("JC_400")], LATERAL, rtol=1e-9)


def test_edges_drawn_against_their_branch_give_the_same_flow(tmp_path: Path) -> None:
    straight = read_dflowfm(map_file(tmp_path / "a_map.nc"))
    turned = read_dflowfm(map_file(tmp_path / "b_map.nc", turned=2))
    np.testing.assert_array_equal(straight.flow.discharge_start, turned.flow.discharge_start)
    assert straight.flow.discharge_start[:, 0].mean() == pytest.approx(INTO_A)


def test_the_network_file_serves_where_the_map_lacks_it(tmp_path: Path) -> None:
    whole = map_file(tmp_path / "net.nc")
    assert read_dflowfm(whole, net=whole).flow.reaches == BRANCHES
    if REAL.is_file():
        with pytest.raises(InputError, match="network is that of another run"):
            read_dflowfm(whole, net=REAL)


def test_a_real_network_without_flow_is_read_and_its_flow_refused() -> None:
    if not REAL.is_file():
        pytest.skip("needs ../shared/data/dflowfm_1d")
    network = read_dflowfm_network(REAL)
    assert (len(network.nodes), len(network.reaches), network.crs) == (86, 91, "EPSG:28992")
    assert network.reach("Lei1").length_m == pytest.approx(16.94)
    with pytest.raises(InputError, match="holds geometry only, no flow"):
        read_dflowfm(REAL)


def test_files_that_are_not_whole_or_of_another_kind_are_refused(tmp_path: Path) -> None:
    whole = map_file(tmp_path / "pool_map.nc").read_bytes()
    cut = tmp_path / "cut_map.nc"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut_map\.nc: (cannot be read|breaks off)"):
        read_dflowfm(cut)
    other = tmp_path / "other.nc"
    other.write_text("[JUNCTIONS]\n", "utf-8")
    with pytest.raises(InputError, match="cannot be read as NetCDF"):
        read_dflowfm(other)
    with netCDF4.Dataset(tmp_path / "plane.nc", "w") as data:
        data.createDimension("x", 1)
    with pytest.raises(InputError, match="there is no 1-D network in it"):
        read_dflowfm(tmp_path / "plane.nc")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"volume": "none"}, "holds no volume: there is neither mesh1d_vol1 nor mesh1d_au"),
        ({"unit": ""}, "the unit of mesh1d_q1 is missing"),
        ({"unit": "ft3 s-1"}, "mesh1d_q1 is in 'ft3 s-1'"),
        ({"shift": 400.0}, "no cell of the mesh near it"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_dflowfm(map_file(tmp_path / "pool_map.nc", **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("mesh1d_vol1", -5.0, "volume in branch 'AJ' is -"),
        ("mesh1d_q1", np.nan, "discharge of branch 'AJ' is missing at 2 values"),
        ("time", 0.0, "comes after"),
    ],
)
def test_numbers_that_cannot_be_are_named(tmp_path: Path, name: str, value: float, said: str) -> None:
    path = map_file(tmp_path / "pool_map.nc")
    with netCDF4.Dataset(path, "a") as data:
        if name == "time":
            data[name][4] = value
        else:
            data[name][4, 0] = value
    with pytest.raises(InputError, match=said):
        read_dflowfm(path)
