"""The network file as people draw it, and what is said of what cannot be."""

from __future__ import annotations

import math
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.errors import InputError
from suyuan.io.network import read_network, unused_parts
from suyuan.io.network_writer import write_network
from suyuan.network import Network, Node, Outfall, Reach, Station, Structure

Layers = dict[str, dict[str, list[Any]]]


def layers() -> Layers:
    """Return a small good network, column by column."""
    return {
        "nodes": {"id": ["A", "J", "B"], "kind": ["boundary", "junction", "outlet"]},
        "reaches": {
            "id": ["R1", "R2"],
            "from_node": ["A", "J"],
            "to_node": ["J", "B"],
            "length_m": [1000.0, 2000.0],
            "kind": ["canal", "storm_sewer"],
        },
        "outfalls": {"id": ["O1"], "reach": ["R1"], "chainage_m": [250.0], "kind": ["industrial"]},
        "stations": {"id": ["S1"], "reach": ["R2"], "chainage_m": [1500.0], "name": ["姚巷"]},
    }


def drawn(folder: Path, given_layers: Layers, *, crs: str = "EPSG:4549") -> Path:
    path = folder / "network.gpkg"
    for name, columns in given_layers.items():
        count = len(next(iter(columns.values())))
        is_line = name == "reaches"
        shape = shapely.LineString([(0, 0), (1, 1)]) if is_line else shapely.Point(0, 0)
        pyogrio.raw.write(
            path,
            geometry=np.array([shapely.to_wkb(shape)] * count, dtype=object),
            field_data=[_cells(cells) for cells in columns.values()],
            fields=list(columns),
            layer=name,
            driver="GPKG",
            geometry_type="LineString" if is_line else "Point",
            crs=crs,
        )
    return path


def _cells(cells: list[Any]) -> np.ndarray[Any, Any]:
    is_number = all(isinstance(c, int | float) for c in cells)
    return np.array(cells) if is_number else np.array(cells, dtype=object)


def refused(folder: Path, given_layers: Layers) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_network(drawn(folder, given_layers))
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize("crs", ["EPSG:4549", "EPSG:4490", "EPSG:4326", "EPSG:27700"])
def test_a_network_keeps_the_crs_it_was_drawn_in(tmp_path: Path, crs: str):
    network = read_network(drawn(tmp_path, layers(), crs=crs))
    assert network.crs == crs
    write_network(network, tmp_path / "again.gpkg")
    assert read_network(tmp_path / "again.gpkg").crs == crs


def test_structures_may_be_left_out_or_drawn(tmp_path: Path):
    assert read_network(drawn(tmp_path, layers())).structures == ()
    gate = layers() | {"structures": {"id": ["G1"], "reach": ["R1"], "kind": ["gate"]}}
    assert read_network(drawn(tmp_path, gate)).structures == (Structure("G1", "R1", "gate"),)


def test_numeric_ids_are_names_too(tmp_path: Path):
    made = layers()
    made["nodes"]["id"] = [1, 2, 3]
    made["reaches"] |= {"id": [10, 11], "from_node": [1.0, 2.0], "to_node": [2, 3]}
    made["outfalls"]["reach"] = [10.0]
    made["stations"] |= {"reach": [11], "id": [7]}
    network = read_network(drawn(tmp_path, made))
    assert [n.id for n in network.nodes] == ["1", "2", "3"]
    assert network.outfalls[0].reach == "10"
    assert network.stations[0].id == "7"


def test_a_line_of_several_parts_and_a_lake_drawn_as_area_are_read(tmp_path: Path):
    network = read_network(drawn(tmp_path, layers()))
    assert network.reaches[0].line == ((0.0, 0.0), (1.0, 1.0))
    path = tmp_path / "qgis.gpkg"
    parts = shapely.MultiLineString([[(0, 0), (1, 0)], [(1, 0), (2, 0)]])
    lake = shapely.box(0, 0, 2, 2)
    for name, shape in (("reaches", parts), ("nodes", lake), ("outfalls", None), ("stations", None)):
        columns = layers()[name]
        count = len(columns["id"])
        pyogrio.raw.write(
            path,
            geometry=np.array([shapely.to_wkb(shape)] * count, dtype=object),
            field_data=[_cells(cells) for cells in columns.values()],
            fields=list(columns),
            layer=name,
            driver="GPKG",
            geometry_type="Unknown",
            crs="EPSG:4549",
        )
    network = read_network(path)
    assert network.reaches[0].line == ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0))
    assert network.nodes[0].point == (1.0, 1.0)


def test_layers_and_columns_that_nobody_reads_are_named(tmp_path: Path):
    made = layers() | {"photos": {"id": ["a"]}}
    made["outfalls"]["inspector"] = ["Wang"]
    path = drawn(tmp_path, made)
    assert len(read_network(path).outfalls) == 1
    assert unused_parts(path) == ("photos", "outfalls.inspector")


def test_missing_layers_and_columns_name_their_neighbours(tmp_path: Path):
    made = layers()
    made["outfall"] = made.pop("outfalls")
    made["reaches"]["lenght_m"] = made["reaches"].pop("length_m")
    made["stations"]["target_clas"] = ["III"]
    assert refused(tmp_path, made) == [
        "network.gpkg: the layer 'outfalls' is missing; did you mean 'outfall'?; add it, empty if need be",
        "network.gpkg, layer reaches: the column 'length_m' is missing; is it 'lenght_m'? Name it length_m",
        "network.gpkg, layer stations: the column 'target_clas' is not known; did you mean 'target_class'? "
        "Rename it, or give it a name that is not so near",
    ]


def test_every_fault_of_every_layer_is_reported_at_once(tmp_path: Path):
    made = layers()
    made["nodes"]["kind"][1] = "juncton"
    made["reaches"]["kind"][1] = None
    made["reaches"]["length_m"] = ["1000", "2 km"]
    made["outfalls"] |= {"reach": ["R9"], "chainage_m": [-3.0]}
    made["stations"]["id"] = [None]
    reaches = "network.gpkg, layer reaches, row 2:"
    assert refused(tmp_path, made) == [
        "network.gpkg, layer nodes, row 2: kind 'juncton' is not known; did you mean 'junction'? "
        "write one of: junction, boundary, outlet, lake, manhole",
        "network.gpkg, layer outfalls, row 1: reach 'R9' of 'O1' is not in the layer reaches; "
        "known are: R1, R2",
        f"{reaches} kind is missing; write one of: canal, river, storm_sewer, foul_sewer, concealed_pipe",
        f"{reaches} length_m '2 km' is not a number; "
        "write a number with a decimal point, or nothing where there is none",
        "network.gpkg, layer stations, row 1: id is missing; fill it in",
    ]


@pytest.mark.parametrize(
    ("layer", "column", "cells", "says"),
    [
        (
            "nodes",
            "id",
            ["A", "J", "A"],
            "layer nodes, row 3: id 'A' is already used in row 1; give every row its own id",
        ),
        (
            "reaches",
            "to_node",
            ["J", "C"],
            "layer reaches, row 2: to_node 'C' of reach 'R2' is not in the layer nodes",
        ),
        (
            "reaches",
            "length_m",
            [1000.0, -5.0],
            "row 2: length_m -5.0 of reach 'R2' is not a length; write metres above 0",
        ),
        (
            "reaches",
            "length_m",
            [1000.0, math.nan],
            "layer reaches, row 2: length_m is missing; write metres",
        ),
        (
            "reaches",
            "from_node",
            ["A", "B"],
            "row 2: reach 'R2' begins and ends at node 'B'; split it in two",
        ),
        (
            "outfalls",
            "reach",
            ["R3"],
            "layer outfalls, row 1: reach 'R3' of 'O1' is not in the layer reaches",
        ),
        (
            "outfalls",
            "chainage_m",
            [1250.0],
            "outside reach 'R1' (0 to 1000.0 m); chainage counts from from_node",
        ),
        ("stations", "chainage_m", [math.nan], "layer stations, row 1: chainage_m is missing; write metres"),
    ],
)
def test_what_cannot_be_is_named_with_layer_row_value_and_remedy(
    tmp_path: Path, layer: str, column: str, cells: list[Any], says: str
):
    made = layers()
    made[layer][column] = cells
    assert any(says in fault for fault in refused(tmp_path, made)), refused(tmp_path, made)


def test_negative_amounts_are_refused(tmp_path: Path):
    made = layers()
    made["outfalls"]["prior_weight"] = [-1.0]
    assert refused(tmp_path, made) == [
        "network.gpkg, layer outfalls, row 1: prior_weight -1 is below 0; write 0 or more"
    ]


def test_a_network_in_two_parts_is_refused(tmp_path: Path):
    made = layers()
    made["nodes"] = {"id": ["A", "J", "K", "B"], "kind": ["boundary", "junction", "junction", "outlet"]}
    made["reaches"]["from_node"] = ["A", "K"]
    assert "2 of 4 nodes are not connected to 'A': K, B; join them" in refused(tmp_path, made)[0]


def test_layers_in_two_crs_are_refused(tmp_path: Path):
    made = layers()
    drawn(tmp_path, {"stations": made.pop("stations")}, crs="EPSG:4326")
    faults = refused(tmp_path, made)
    assert faults == [
        "network.gpkg: layer stations is in EPSG:4326, reaches in EPSG:4549; save every layer in one CRS"
    ]


@pytest.mark.parametrize("data", [b"not a database", b""])
def test_a_file_that_is_no_geopackage_says_so(tmp_path: Path, data: bytes):
    (tmp_path / "network.gpkg").write_bytes(data)
    with pytest.raises(
        InputError, match=r"network.gpkg: cannot be read as a GeoPackage, it may be half-written; save"
    ):
        read_network(tmp_path / "network.gpkg")


def test_a_half_written_geopackage_says_so(tmp_path: Path):
    whole = drawn(tmp_path, layers()).read_bytes()
    for share in (0.05, 0.2, 0.4, 0.6, 0.8, 0.95):
        (tmp_path / "half.gpkg").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=r"half.gpkg.*; "):
            read_network(tmp_path / "half.gpkg")


def test_a_missing_network_names_its_neighbour(tmp_path: Path):
    drawn(tmp_path, layers())
    with pytest.raises(InputError, match=r"net.gpkg: there is no such file; beside it, .*network.gpkg"):
        read_network(tmp_path / "net.gpkg")


_NUMBER = st.one_of(st.floats(0.0, 1e6), st.just(math.nan))
_PLACE = st.floats(-1e6, 1e6).map(lambda x: x + 0.0)  # files know no -0.0
_POINT = st.one_of(st.none(), st.tuples(_PLACE, _PLACE))
_NAME = st.sampled_from(["", "新河 New Canal", "O'Brien's; drain", "1.0"])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Draw a tree of reaches with things on them."""
    count = draw(st.integers(2, 6))
    nodes = [Node("n0", "outlet", 0.0, 0.0, draw(_POINT))]
    reaches = []
    for i in range(1, count):
        kind = draw(st.sampled_from(["junction", "boundary", "lake", "manhole"]))
        nodes.append(Node(f"n{i}", kind, draw(st.floats(0, 1e6)), draw(st.floats(0, 1e6)), draw(_POINT)))
        reaches.append(
            Reach(
                f"r{i}",
                f"n{i}",
                f"n{draw(st.integers(0, i - 1))}",
                draw(st.floats(0.1, 1e5)),
                draw(st.sampled_from(["canal", "river", "storm_sewer", "foul_sewer", "concealed_pipe"])),
                draw(_NUMBER),
                draw(_NUMBER),
                draw(_NUMBER),
                draw(_NAME),
                draw(st.sampled_from([(), ((0.0, 0.0), (1.0, 2.0)), ((3.0, 1.0), (4.0, 1.0), (5.0, 5.0))])),
            )
        )
    on = st.sampled_from(reaches)
    outfalls, stations = [], []
    for i in range(draw(st.integers(0, 3))):
        reach = draw(on)
        place = reach.length_m * draw(st.floats(0.0, 1.0))
        outfalls.append(Outfall(f"o{i}", reach.id, place, "storm", draw(_NAME), "", draw(st.floats(0, 9))))
        stations.append(
            Station(f"s{i}", reach.id, place, draw(_NAME), draw(st.sampled_from(["", "III"])), "lake")
        )
    structures = (Structure("g", reaches[0].id, "weir"),) if draw(st.booleans()) else ()
    crs = draw(st.sampled_from(["", "EPSG:4549", "EPSG:4326"]))
    return Network(tuple(nodes), tuple(reaches), tuple(outfalls), tuple(stations), structures, crs)


@settings(max_examples=25, deadline=None)
@given(network=networks())
def test_what_is_written_reads_the_same(network: Network):
    with tempfile.TemporaryDirectory() as folder:
        write_network(network, Path(folder) / "network.gpkg")
        again = read_network(Path(folder) / "network.gpkg")
    for field in fields(Network):
        if field.init and field.name != "source":
            assert repr(getattr(again, field.name)) == repr(getattr(network, field.name))
