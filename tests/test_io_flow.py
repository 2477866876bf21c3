"""Flow as models export it, and what is said of flow that cannot be used."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from suyuan.errors import InputError
from suyuan.flow import FlowField, balanced
from suyuan.io.flow import read_flow, write_flow
from suyuan.network import Network, Node, Reach

CHINA = "Asia/Shanghai"
START = np.datetime64("2024-07-20T00:00:00")


def network() -> Network:
    nodes = (Node("A", "boundary"), Node("J"), Node("B", "outlet"))
    return Network(nodes, (Reach("R1", "A", "J", 1000.0), Reach("R2", "J", "B", 1000.0)))


def flow(bins: int = 6, *, at_edges: bool = False) -> FlowField:
    hours = np.arange(bins)
    q = np.column_stack([np.sin(hours) * 3.0, np.cos(hours) * 3.0])
    volume = np.full((bins + at_edges, 2), 5000.0) + np.arange(bins + at_edges)[:, None]
    edges = 3600.0 * np.arange(bins + 1)
    return FlowField(START, edges, ("R1", "R2"), q, q + 0.1, volume, ("A",), np.full((bins, 1), 2.5))


def dataset(**attributes: str) -> xr.Dataset:
    """Return the flow above as a colleague's xarray would hold it, with naive times."""
    given_flow = flow()
    times = given_flow.start + (1000 * given_flow.edges[:-1]).astype("timedelta64[ms]")
    values = {name: (("time", "reach"), getattr(given_flow, name)) for name in _TAKEN}
    coords = {"time": times.astype("datetime64[ns]"), "reach": list(given_flow.reaches)}
    return xr.Dataset(values, coords=coords, attrs=attributes)


_TAKEN = ("discharge_start", "discharge_end", "volume")


def saved(folder: Path, data: xr.Dataset) -> Path:
    data.to_netcdf(folder / "flow.nc", engine="netcdf4")
    return folder / "flow.nc"


def table(folder: Path, text: str) -> Path:
    path = folder / "flow.csv"
    path.write_text("time,reach,discharge_start,discharge_end,volume\n" + text, "utf-8")
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_flow(path, timezone=CHINA, network=network())
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("attributes", "utc"),
    [
        ({}, "2024-07-19T16:00:00"),
        ({"timezone": "UTC+08:00"}, "2024-07-19T16:00:00"),
        ({"timezone": "Europe/Berlin"}, "2024-07-19T22:00:00"),
        ({"timezone": "UTC"}, "2024-07-20T00:00:00"),
    ],
)
def test_naive_times_are_in_the_files_zone_or_the_projects(
    tmp_path: Path, attributes: dict[str, str], utc: str
):
    read = read_flow(saved(tmp_path, dataset(**attributes)), timezone=CHINA, network=network())
    assert read.start == np.datetime64(utc)
    np.testing.assert_array_equal(read.discharge_start, flow().discharge_start)


def test_times_whose_unit_has_an_offset_need_no_zone(tmp_path: Path):
    data = dataset()
    data["time"] = ("time", np.arange(6), {"units": "hours since 2024-07-20 08:00:00 +08:00"})
    assert read_flow(saved(tmp_path, data), timezone="UTC").start == START


def test_columns_may_come_in_another_order_and_ids_as_numbers(tmp_path: Path):
    turned = dataset().transpose("reach", "time").assign_coords(reach=[7, 8])
    read = read_flow(saved(tmp_path, turned), timezone="UTC")
    assert read.reaches == ("7", "8")
    np.testing.assert_array_equal(read.volume, flow().volume)


def test_volumes_at_points_in_time_are_those_at_the_edges(tmp_path: Path):
    data = dataset()
    edge = flow(at_edges=True)
    data["volume"] = (("edge", "reach"), edge.volume, {"cell_methods": "time: point"})
    np.testing.assert_array_equal(read_flow(saved(tmp_path, data), timezone="UTC").volume, edge.volume)


def test_volumes_at_points_in_time_must_reach_the_last_edge(tmp_path: Path):
    data = dataset()
    data["volume"].attrs["cell_methods"] = "time: point"
    assert refused(saved(tmp_path, data)) == [
        "flow.nc: volume is given at points in time (cell_methods) but only 6 times for as many bins; "
        "give 7 values, at the edges of the bins"
    ]
    data["volume"] = (("edge", "reach"), flow(at_edges=True).volume)
    assert (
        'mark values at the edges with volume:cell_methods = "time: point"'
        in refused(saved(tmp_path, data))[0]
    )


def test_edges_that_are_not_the_bins_are_refused(tmp_path: Path):
    data = dataset()
    data["volume"] = (("edge", "reach"), flow(at_edges=True).volume, {"cell_methods": "time: point"})
    data = data.assign_coords(edge=data["time"].to_numpy()[0] + np.arange(7) * np.timedelta64(30, "m"))
    assert "the times of 'edge' are not those of the 6 bins" in refused(saved(tmp_path, data))[0]


def test_nan_in_the_flow_names_reach_and_hour(tmp_path: Path):
    data = dataset()
    data["discharge_end"][2:4, 1] = np.nan
    data["volume"][5, 0] = np.nan
    assert refused(saved(tmp_path, data)) == [
        "flow.nc: discharge_end of reach 'R2' is NaN in 2 bins, first at 2024-07-19T18:00:00 UTC; "
        "fill the gap from the model, or leave the time out at the beginning or end",
        "flow.nc: volume of reach 'R1' is NaN in 1 bins, first at 2024-07-19T21:00:00 UTC; "
        "fill the gap from the model, or leave the time out at the beginning or end",
    ]


def test_negative_volumes_are_refused(tmp_path: Path):
    data = dataset()
    data["volume"][1, 1] = -3.0
    assert (
        "volume of reach 'R2' is -3 m3 at 2024-07-19T17:00:00 UTC; a volume cannot be"
        in refused(saved(tmp_path, data))[0]
    )


def test_gaps_in_time_are_named_with_their_length(tmp_path: Path):
    assert refused(saved(tmp_path, dataset().isel(time=[0, 1, 2, 5]))) == [
        "flow.nc, row 3: there is a gap of 3 h between 2024-07-19T18:00:00 and 2024-07-19T21:00:00 UTC, "
        "usual is 1 h; fill it from the model"
    ]


def test_times_that_go_back_or_come_twice_are_refused(tmp_path: Path):
    assert refused(saved(tmp_path, dataset().isel(time=[0, 2, 1, 3]))) == [
        "flow.nc, row 3: time 2024-07-19T17:00:00 UTC comes after 2024-07-19T18:00:00 UTC; "
        "sort by time, every time once"
    ]
    assert "comes twice; sort by time" in refused(saved(tmp_path, dataset().isel(time=[0, 1, 1, 2])))[0]


def test_reaches_that_only_one_side_knows_are_named(tmp_path: Path):
    assert refused(saved(tmp_path, dataset().assign_coords(reach=["R1", "R02"]))) == [
        "flow.nc: 1 of 2 reaches of the network have no flow: R2; "
        "give every reach its discharges and volume, 0 m3/s where the water stands",
        "flow.nc: reach 'R02' is not in the network; did you mean 'R2'?",
    ]
    data = dataset().assign_coords(boundary=["Q"])
    data["inflow"] = (("time", "boundary"), np.ones((6, 1)))
    assert refused(saved(tmp_path, data)) == [
        "flow.nc: boundary 'Q' is not a node of the network; known are: A, B, J"
    ]


def test_a_reach_that_is_there_twice_is_refused(tmp_path: Path):
    assert (
        "reach 'R1' is there twice"
        in refused(saved(tmp_path, dataset().assign_coords(reach=["R1", "R1"])))[0]
    )


def test_missing_variables_wrong_dimensions_and_units_are_named(tmp_path: Path):
    data = dataset().rename(discharge_end="discharge_ends")
    assert (
        "the variable 'discharge_end' is missing; did you mean 'discharge_ends'?"
        in refused(saved(tmp_path, data))[0]
    )
    data = dataset()
    data["volume"] = ("reach", np.ones(2))
    assert "volume has the dimensions (reach); give it (time, reach)" in refused(saved(tmp_path, data))[0]
    data = dataset()
    data["discharge_start"].attrs["units"] = "L/s"
    assert "discharge_start is in 'L/s'; convert it to m3/s" in refused(saved(tmp_path, data))[0]
    data = dataset()
    data["time"] = ("time", np.arange(6.0))
    assert (
        "time has the units ''; write 'hours since 2024-07-16 00:00:00'" in refused(saved(tmp_path, data))[0]
    )


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "julian"])
def test_a_calendar_that_is_not_the_civil_one_is_named(tmp_path: Path, calendar: str):
    path = saved(tmp_path, dataset())
    with netCDF4.Dataset(path, "a") as data:
        data["time"].calendar = calendar
    assert f"time is counted in the calendar '{calendar}'; write it in one of: standard" in refused(path)[0]


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_a_half_written_netcdf_is_refused_wherever_it_breaks_off(tmp_path: Path, form: str):
    data = dataset().astype("f8")
    data.to_netcdf(tmp_path / "whole.nc", engine="netcdf4", format=form)  # type: ignore[arg-type]
    whole = (tmp_path / "whole.nc").read_bytes()
    for share in np.linspace(0.0, 0.97, 30):
        (tmp_path / "flow.nc").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(
            InputError, match=r"flow.nc: cannot be read as NetCDF, .* half-written .*; export"
        ):
            read_flow(tmp_path / "flow.nc", timezone=CHINA)


def test_a_netcdf_that_was_never_filled_is_refused(tmp_path: Path):
    with netCDF4.Dataset(tmp_path / "flow.nc", "w") as data:
        for name, size in (("time", 3), ("reach", 2)):
            data.createDimension(name, size)
        data.createVariable("time", "f8", ("time",)).units = "hours since 2024-07-20"
        data["time"][:] = np.arange(3)
        data.createVariable("reach", str, ("reach",))[:] = np.array(["R1", "R2"], dtype=object)
        for name in _TAKEN:
            data.createVariable(name, "f4", ("time", "reach"))
    assert len(refused(tmp_path / "flow.nc")) == 6


def test_a_single_time_does_not_say_how_long_it_lasts(tmp_path: Path):
    assert (
        "does not say how long its bin is; give at least two times"
        in refused(saved(tmp_path, dataset().isel(time=[0])))[0]
    )


def test_a_table_is_read_like_a_netcdf(tmp_path: Path):
    rows = [f"2024-07-20 0{h}:00,{r},{h}.5,{h}.25,100{h}" for r in ("R1", "R2") for h in range(3)]
    read = read_flow(table(tmp_path, "\n".join(rows)), timezone=CHINA, network=network())
    assert read.start == np.datetime64("2024-07-19T16:00:00")
    assert read.edges.tolist() == [0.0, 3600.0, 7200.0, 10800.0]
    assert read.discharge_start.tolist() == [[0.5, 0.5], [1.5, 1.5], [2.5, 2.5]]
    assert read.volume[2, 1] == 1002.0


def test_every_fault_of_a_table_is_reported_with_its_row(tmp_path: Path):
    number = "write a number with a decimal point, or nothing where there is none"
    assert refused(table(tmp_path, "2024-07-20 00:00,R1,fast,1,1\nnoon,R1,1,1,x\n")) == [
        f"flow.csv, row 2: discharge_start 'fast' is not a number; {number}",
        "flow.csv, row 3: time 'noon' cannot be read; write 2024-07-20T08:00:00+08:00, "
        "or 2024-07-20 08:00 in the project's timezone",
        f"flow.csv, row 3: volume 'x' is not a number; {number}",
    ]


def test_holes_doubles_and_wrong_order_in_a_table_are_named(tmp_path: Path):
    day = "2024-07-20T0{}:00,{},1,1,100\n"
    full = "".join(day.format(h, r) for h in range(4) for r in ("R1", "R2"))
    assert refused(table(tmp_path, full.replace(day.format(2, "R2"), ""))) == [
        f"flow.csv: {name} of reach 'R2' is NaN in 1 bins, first at 2024-07-19T18:00:00 UTC; "
        "fill the gap from the model, or leave the time out at the beginning or end"
        for name in sorted(_TAKEN)
    ]
    assert refused(table(tmp_path, full + day.format(3, "R2"))) == [
        "flow.csv, row 10: reach 'R2' at 2024-07-19T19:00 UTC is there twice; keep one row for every time"
    ]
    assert refused(table(tmp_path, "".join(day.format(h, "R1") for h in (0, 2, 1)))) == [
        "flow.csv, row 4: time of reach 'R1' goes back to 2024-07-19 17:00:00 UTC; sort the rows by time"
    ]


def test_inflow_at_times_of_its_own_is_refused(tmp_path: Path):
    write_flow(flow(), tmp_path / "flow.csv")
    text = (tmp_path / "flow.csv").read_text("utf-8")
    (tmp_path / "flow.csv").write_text(text + "2024-07-21T00:30:00Z,,,,,A,1.0\n", "utf-8")
    assert refused(tmp_path / "flow.csv") == [
        "flow.csv, row 20: inflow at 'A' has a time that no reach has; "
        "give inflow at the times of the reaches"
    ]


def test_volumes_at_edges_do_not_fit_into_a_table(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"volumes at the edges of bins do not fit into a table .*; write NetCDF"
    ):
        write_flow(flow(at_edges=True), tmp_path / "flow.csv")
    assert list(tmp_path.iterdir()) == []


def test_other_kinds_of_file_are_refused(tmp_path: Path):
    (tmp_path / "flow.mat").write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"flow.mat: '.mat' is not a kind of flow file; save it as one of: .nc"
    ):
        read_flow(tmp_path / "flow.mat", timezone=CHINA)
    with pytest.raises(InputError, match=r"flow.mat: '.mat' is not a kind of flow file; name it"):
        write_flow(flow(), tmp_path / "flow.mat")


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    bins=st.integers(2, 5),
    at_edges=st.booleans(),
    ending=st.sampled_from([".nc", ".csv", ".parquet"]),
)
def test_what_is_written_reads_the_same(data: st.DataObject, bins: int, at_edges: bool, ending: str):
    at_edges = at_edges and ending == ".nc"
    whole = flow(bins, at_edges=at_edges)
    number = st.floats(-1e4, 1e4)
    for name in _TAKEN:
        shape = getattr(whole, name).shape
        values = np.array(data.draw(st.lists(number, min_size=shape[0] * 2, max_size=shape[0] * 2))).reshape(
            shape
        )
        whole = replace(whole, **{name: np.abs(values) if name == "volume" else values})
    if data.draw(st.booleans()):
        whole = replace(whole, boundaries=(), inflow=np.empty((0, 0)))
    if data.draw(st.booleans()):
        whole = replace(whole, lateral=np.outer(np.arange(bins), [0.5, -0.25]))
    if data.draw(st.booleans()):
        rows = bins + 1 if at_edges else bins
        whole = replace(whole, lakes=("L",), lake_volume=100.0 + np.arange(rows)[:, None])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"flow{ending}"
        write_flow(whole, path, timezone=CHINA)
        again = read_flow(path, timezone="America/New_York")
    assert (again.start, again.reaches, again.boundaries) == (whole.start, whole.reaches, whole.boundaries)
    assert again.lakes == whole.lakes
    for name in (*_TAKEN, "edges", "inflow", "lateral", "lake_volume"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name), err_msg=name)


def test_a_lake_volume_without_its_lake_and_at_no_lake_are_refused(tmp_path: Path):
    whole = replace(flow(3), lakes=("L",), lake_volume=np.full((3, 1), 50.0))
    write_flow(whole, tmp_path / "flow.csv")
    network = Network(
        (Node("A", "boundary"), Node("B"), Node("L", "lake")),
        tuple(Reach(r, a, b, 100.0) for r, a, b in zip(whole.reaches, ("A", "B"), ("B", "L"), strict=True)),
    )
    with pytest.raises(InputError, match="lake_volume is given at 'L', which is no lake with a volume_m3"):
        read_flow(tmp_path / "flow.csv", timezone="UTC", network=network)
    text = (tmp_path / "flow.csv").read_text().replace(",L,50.0", ",L,-50.0")
    (tmp_path / "flow.csv").write_text(text)
    lake = replace(network, nodes=(*network.nodes[:2], Node("L", "lake", volume_m3=50.0)))
    with pytest.raises(InputError, match=r"lake_volume of 'L' is -50 m3 in row 1; write m3, 0 or more"):
        balanced(read_flow(tmp_path / "flow.csv", timezone="UTC"), lake)


def test_steps_of_unequal_length_survive_a_netcdf(tmp_path: Path):
    uneven = replace(flow(3), edges=np.array([0.0, 3600.0, 7200.0, 12_600.0]))
    write_flow(uneven, tmp_path / "flow.nc")
    np.testing.assert_array_equal(read_flow(tmp_path / "flow.nc", timezone="UTC").edges, uneven.edges)


def test_parquet_may_hold_real_times(tmp_path: Path):
    write_flow(flow(), tmp_path / "text.parquet")
    frame = pd.read_parquet(tmp_path / "text.parquet")
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    frame.to_parquet(tmp_path / "times.parquet")
    read = read_flow(tmp_path / "times.parquet", timezone=CHINA)
    np.testing.assert_array_equal(read.discharge_end, flow().discharge_end)


def exported(folder: Path, header: str, encoding: str = "utf-8") -> Path:
    """Return a table of 2.5 and 2.6 in the ends of R1 and R2, 500 in them, in the units of its header."""
    rows = [f"2024-07-20 0{h}:00,{r},2.5,2.6,500" for h in range(3) for r in ("R1", "R2")]
    path = folder / "flow.csv"
    path.write_bytes("\n".join([header, *rows, ""]).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("header", "m3_s", "m3"),
    [
        ("time,reach,discharge_start (CFS),discharge_end (CFS),volume (ft3)", 0.0283168466, 0.0283168466),
        ("time,reach,discharge_start_gpm,discharge_end_gpm,volume_gal", 6.30901964e-5, 3.785411784e-3),
        ("time,reach,discharge_start [LPS],discharge_end [L/s],volume [L]", 1e-3, 1e-3),
        ("time,reach,discharge_start (CMS),discharge_end (m3/s),volume (m3)", 1.0, 1.0),
        ("时间,河段,起点流量（m³/h）,终点流量（m³/h）,蓄水量（万m³）", 1.0 / 3600.0, 1e4),
        ("时间,河段,起点流量,终点流量,水量", 1.0, 1.0),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_units_in_headers_are_converted(tmp_path: Path, header: str, m3_s: float, m3: float, encoding: str):
    read = read_flow(exported(tmp_path, header, encoding), timezone=CHINA, network=network())
    np.testing.assert_allclose(read.discharge_start, 2.5 * m3_s, rtol=1e-8)
    np.testing.assert_allclose(read.discharge_end, 2.6 * m3_s, rtol=1e-8)
    np.testing.assert_allclose(read.volume, 500.0 * m3, rtol=1e-8)


def test_units_that_nobody_knows_are_refused_with_those_that_are(tmp_path: Path):
    header = "time,reach,discharge_start (cusec),discharge_end,volume (bucket)"
    faults = refused(exported(tmp_path, header))
    assert (
        "the unit 'cusec' of the column 'discharge_start (cusec)' is not known; give one of: m3/s"
        in faults[1]
    )
    assert "the unit 'bucket'" in faults[0]


def test_a_column_that_is_there_with_and_without_its_unit_is_refused(tmp_path: Path):
    header = "time,reach,discharge_start,discharge_start (CFS),volume"
    assert "the columns 'discharge_start' and 'discharge_start (CFS)' both mean discharge_start" in str(
        refused(exported(tmp_path, header))
    )
