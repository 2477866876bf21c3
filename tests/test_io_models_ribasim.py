"""Ribasim: a model built here from the published tables, its flows and storages in closed form."""

from __future__ import annotations

import sqlite3
import struct
from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather

from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.io.models.ribasim import read_ribasim

NODES = {
    1: "FlowBoundary",
    2: "Basin",
    3: "Outlet",
    4: "Basin",
    5: "Pump",
    6: "Terminal",
    7: "UserDemand",
    8: "DiscreteControl",
}
LINKS = {11: (1, 2), 12: (2, 3), 13: (3, 4), 14: (4, 5), 15: (5, 6), 16: (2, 7), 17: (7, 4)}
FLOW = {11: 5.0, 12: 3.0, 13: 3.0, 14: 2.5, 15: 2.5, 16: 1.0, 17: 0.4}
"""m3/s; the user takes 1.0 and gives 0.4 back."""

RAIN, DRY = 0.2, 0.05
"""On basin 2, m3/s."""

FIRST = {2: 1e5, 4: 2e5}
GAIN = {2: 5.0 - 3.0 - 1.0 + RAIN - DRY, 4: 3.0 + 0.4 - 2.5}
DAYS = 5
START = datetime(2024, 7, 1)


def point(x: float, y: float) -> bytes:
    """Return a point as GeoPackage stores it: header without envelope, then WKB."""
    return b"GP\x00\x01" + struct.pack("<i", 28992) + struct.pack("<BIdd", 1, 1, x, y)


def model(
    folder: Path, *, form: str = "netcdf", seconds: np.ndarray | None = None, turned: bool = False
) -> Path:
    """Write the model and its results as Ribasim does."""
    seconds = 86400.0 * np.arange(DAYS) if seconds is None else seconds
    (folder / "input").mkdir(parents=True)
    (folder / "results").mkdir()
    with sqlite3.connect(folder / "input/database.gpkg") as base:
        base.execute("CREATE TABLE Node (node_id INTEGER PRIMARY KEY, node_type TEXT, name TEXT, geom BLOB)")
        base.execute(
            "CREATE TABLE Link (fid INTEGER PRIMARY KEY, from_node_id INT, to_node_id INT, link_type TEXT, name TEXT)"
        )
        for i, kind in NODES.items():
            base.execute("INSERT INTO Node VALUES (?, ?, ?, ?)", (i, kind, f"n{i}", point(10.0 * i, 5.0)))
        for i, (a, b) in LINKS.items():
            base.execute("INSERT INTO Link VALUES (?, ?, ?, 'flow', ?)", (i, a, b, f"link {i}"))
        base.execute("INSERT INTO Link VALUES (99, 8, 5, 'control', '')")
    base.close()
    values = {
        "basin": (
            "node_id",
            list(FIRST),
            {
                "storage": np.column_stack([FIRST[i] + GAIN[i] * seconds for i in FIRST]),
                "precipitation": np.outer(np.ones(len(seconds)), [RAIN, 0.0]),
                "evaporation": np.outer(np.ones(len(seconds)), [DRY, 0.0]),
            },
        ),
        "flow": ("link_id", list(FLOW), {"flow_rate": np.outer(np.ones(len(seconds)), list(FLOW.values()))}),
    }
    for name, (key, ids, columns) in values.items():
        if form == "arrow":
            times = np.repeat([START + timedelta(seconds=s) for s in seconds], len(ids))
            frame = pd.DataFrame({"time": times, key: np.tile(ids, len(seconds))})
            for column, grid in columns.items():
                frame[column] = grid.ravel()
            feather.write_feather(pa.Table.from_pandas(frame), folder / f"results/{name}.arrow")
            continue
        with netCDF4.Dataset(folder / f"results/{name}.nc", "w") as data:
            data.createDimension("time", len(seconds))
            data.createDimension(key, len(ids))
            time = data.createVariable("time", "f8", ("time",))
            time[:], time.units = seconds, "seconds since 2024-07-01 00:00:00"
            data.createVariable(key, "i4", (key,))[:] = ids
            for column, grid in columns.items():
                dims = (key, "time") if turned else ("time", key)
                data.createVariable(column, "f8", dims)[:] = grid.T if turned else grid
    toml = folder / "model.toml"
    toml.write_text(
        'starttime = 2024-07-01\nendtime = 2024-07-06T00:00:00\ncrs = "EPSG:28992"\n'
        'input_dir = "input"\nresults_dir = "results"\n',
        "utf-8",
    )
    return toml


@pytest.mark.parametrize(("form", "turned"), [("netcdf", False), ("netcdf", True), ("arrow", False)])
def test_links_carry_what_the_file_says_and_basins_are_lakes(tmp_path: Path, form: str, turned: bool) -> None:
    read = read_ribasim(model(tmp_path / "模型", form=form, turned=turned))
    got = dict(zip(read.flow.reaches, read.flow.discharge_start.mean(axis=0), strict=True))
    expected = {str(i): q for i, q in FLOW.items()} | {"2~runoff": RAIN, "2~loss": -DRY}
    assert got == pytest.approx(expected)
    assert len(read.flow.edges) == DAYS + 1
    assert read.flow.edges[-1] == DAYS * 86400.0
    nodes = {n.id: n for n in read.network.nodes}
    assert {i: n.kind for i, n in nodes.items()} == {
        "1": "boundary",
        "2": "lake",
        "3": "junction",
        "4": "lake",
        "5": "junction",
        "6": "outlet",
        "7": "outlet",
        "2~runoff": "boundary",
        "2~loss": "outlet",
    }
    assert nodes["2"].volume_m3 == FIRST[2]
    assert nodes["4"].point == (40.0, 5.0)
    kinds = {s.reach: s.kind for s in read.network.structures}
    assert kinds == {r: "pump" if r == "15" else "gate" for r in expected}
    assert read.network.reach("13").name == "link 13"


def test_closure_has_only_rounding_to_do_and_lakes_keep_their_storage(tmp_path: Path) -> None:
    read = read_ribasim(model(tmp_path / "m"))
    closed = balanced(read.flow, read.network)
    assert max(closed.balance.residual_share, closed.balance.reach_share) < 1e-12
    for basin, first in FIRST.items():
        held = closed.lake_volume[:, read.network.node_index(str(basin))]
        np.testing.assert_allclose(held, first + GAIN[basin] * read.flow.edges)
    assert not any("misses its storage" in str(note) for note in read.notes)
    assert any("Evaporation" in str(note) for note in read.notes)


def test_steps_of_the_solver_are_averaged_over_even_ones(tmp_path: Path) -> None:
    seconds = np.array([0.0, 60.0, 600.0, 3600.0, 7200.0, 10800.0, 14400.0, 200000.0])
    read = read_ribasim(model(tmp_path / "m", seconds=seconds))
    length = np.diff(read.flow.edges)
    assert length.max() <= 1.0001 * np.median(length)
    np.testing.assert_allclose(read.flow.discharge_start[:, 0], FLOW[11])


def test_storage_that_the_flows_do_not_explain_is_noted(tmp_path: Path) -> None:
    toml = model(tmp_path / "m")
    with netCDF4.Dataset(toml.parent / "results/basin.nc", "a") as data:
        data["storage"][3, 1] = 5e5
    assert "basin 4 misses its storage" in str(read_ribasim(toml).notes[1])


def test_a_model_without_results_is_refused(tmp_path: Path) -> None:
    toml = model(tmp_path / "m")
    (toml.parent / "results/flow.nc").unlink()
    with pytest.raises(InputError, match="the model holds no results; run the model with Ribasim first"):
        read_ribasim(toml)


@pytest.mark.parametrize("name", ["results/flow.nc", "results/basin.nc", "input/database.gpkg", "model.toml"])
def test_files_that_are_not_whole_are_refused_by_name(tmp_path: Path, name: str) -> None:
    toml = model(tmp_path / "m")
    path = toml.parent / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3] if name != "model.toml" else b"[[[")
    with pytest.raises(InputError, match=Path(name).name.replace(".", r"\.")):
        read_ribasim(toml)


def test_an_arrow_file_that_breaks_off_is_refused(tmp_path: Path) -> None:
    toml = model(tmp_path / "m", form="arrow")
    path = toml.parent / "results/flow.arrow"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"flow\.arrow: cannot be read"):
        read_ribasim(toml)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO Link VALUES (50, 4, 6, 'flow', '')", "link 50 of the model has no flow"),
        ("INSERT INTO Link VALUES (50, 4, 77, 'flow', '')", "link 50 joins node 77"),
        ("UPDATE Node SET node_type = 'Basin' WHERE node_id = 3", "basin 3 of the model has no storage"),
        ("DROP TABLE Link", "there is no table Node or Link"),
    ],
)
def test_results_of_another_model_are_refused(tmp_path: Path, change: str, said: str) -> None:
    toml = model(tmp_path / "m")
    base = sqlite3.connect(toml.parent / "input/database.gpkg")
    base.execute(change)
    base.commit()
    base.close()
    with pytest.raises(InputError, match=said):
        read_ribasim(toml)


def test_negative_storage_is_refused(tmp_path: Path) -> None:
    toml = model(tmp_path / "m")
    with netCDF4.Dataset(toml.parent / "results/basin.nc", "a") as data:
        data["storage"][2, 0] = -1.0
    with pytest.raises(InputError, match="storage of basin 2 is -1 m3"):
        read_ribasim(toml)
