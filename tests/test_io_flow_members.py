"""Ensembles of flows in files: what comes back, and what is said of those that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from test_io_flow import START, flow, network

from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.io.flow import read_flow, write_flow
from suyuan.io.flow_members import read_flow_members, write_flow_members

NAMES = ("low", "middle", "high")


def three(*, at_edges: bool = False) -> list[FlowField]:
    """Return a flow with a tenth less, and a tenth more water in its reaches."""
    given = flow(at_edges=at_edges)
    return [
        replace(
            given,
            discharge_end=given.discharge_end.copy(),
            volume=given.volume * share,
            inflow=given.inflow * share,
        )
        for share in (0.9, 1.0, 1.1)
    ]


def written(folder: Path, flows: Sequence[FlowField] | None = None, *, names: Sequence[str] = NAMES) -> Path:
    path = folder / "flow_members.nc"
    write_flow_members(three() if flows is None else flows, path, names=names, timezone="Asia/Shanghai")
    return path


def refused(paths: Path | Sequence[Path]) -> str:
    with pytest.raises(InputError) as caught:
        list(read_flow_members(paths, timezone="UTC", network=network()))
    return str(caught.value)


@pytest.mark.parametrize("at_edges", [False, True], ids=["means", "edges"])
def test_members_come_back_as_they_were_written_one_at_a_time(tmp_path: Path, at_edges: bool):
    given = three(at_edges=at_edges)
    found = read_flow_members(written(tmp_path, given), timezone="UTC", network=network())
    assert (len(found), found.names) == (3, NAMES)
    for ours, theirs in zip(given, found, strict=True):
        for name in ("edges", "discharge_start", "discharge_end", "volume", "inflow"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert (theirs.start, theirs.reaches, theirs.boundaries) == (START, ours.reaches, ours.boundaries)
    assert found.member(2).source == "flow_members.nc, member 'high'"


def test_members_may_be_runs_of_a_model_in_a_file_each(tmp_path: Path):
    paths = [tmp_path / f"run{i}.nc" for i in range(3)]
    for path, one in zip(paths, three(), strict=True):
        write_flow(one, path)
    found = read_flow_members(paths, timezone="UTC", network=network())
    assert found.names == ("run0.nc", "run1.nc", "run2.nc")
    assert [float(each.volume[0, 0]) for each in found] == [4500.0, 5000.0, 5500.0]


def test_members_may_have_their_columns_in_another_order_when_they_are_written(tmp_path: Path):
    first, second, third = three()
    turned = replace(
        second,
        reaches=second.reaches[::-1],
        discharge_start=second.discharge_start[:, ::-1],
        discharge_end=second.discharge_end[:, ::-1],
        volume=second.volume[:, ::-1],
    )
    found = read_flow_members(written(tmp_path, [first, turned, third]), timezone="UTC")
    np.testing.assert_array_equal(found.member(1).discharge_start, second.discharge_start)


def test_members_without_names_are_counted(tmp_path: Path):
    path = written(tmp_path)
    with netCDF4.Dataset(path, "a") as data:
        data.renameVariable("member", "called")
    assert read_flow_members(path, timezone="UTC").names == ("1", "2", "3")


def test_a_file_of_members_is_no_flow_and_a_flow_is_no_ensemble(tmp_path: Path):
    path = written(tmp_path)
    with pytest.raises(
        InputError, match=r"discharge_start holds 3 members, not one flow; name the file as flow_members"
    ):
        read_flow(path, timezone="UTC")
    write_flow(flow(), tmp_path / "flow.nc")
    assert "flow.nc: it has no dimension 'member'; name it as flow under [files]" in refused(
        tmp_path / "flow.nc"
    )
    write_flow(flow(), tmp_path / "flow.csv")
    assert "'.csv' is not a kind of file that holds flow members; save them as NetCDF" in refused(
        tmp_path / "flow.csv"
    )


def test_a_single_member_says_nothing_of_how_sure_it_is(tmp_path: Path):
    path = written(tmp_path)
    with netCDF4.Dataset(path) as many, netCDF4.Dataset(tmp_path / "one.nc", "w") as one:
        for name, dimension in many.dimensions.items():
            one.createDimension(name, 1 if name == "member" else len(dimension))
        for name, variable in many.variables.items():
            copy = one.createVariable(name, variable.dtype, variable.dimensions)
            copy.setncatts({k: v for k, v in variable.__dict__.items() if k != "_FillValue"})
            copy[:] = variable[:1] if variable.dimensions[0] == "member" else variable[:]
    assert "one.nc: it holds 1 member; give at least 2, better 20 or more" in refused(tmp_path / "one.nc")


def test_a_missing_value_is_told_with_its_member(tmp_path: Path):
    flows = three()
    flows[1] = replace(flows[1], discharge_end=flows[1].discharge_end.copy())
    flows[1].discharge_end[2, 1] = np.nan
    said = refused(written(tmp_path, flows))
    assert "flow_members.nc, member 'middle': discharge_end of reach 'R2' is NaN in 1 bins, first at" in said
    flows[1].discharge_end[2, 1] = 0.0
    flows[1].volume[3, 0] = -1.0
    assert "member 'middle': volume of reach 'R1' is -1 m3" in refused(written(tmp_path, flows))


def test_members_of_another_network_are_told_apart(tmp_path: Path):
    strange = [replace(each, reaches=("R1", "R9")) for each in three()]
    said = refused(written(tmp_path, strange))
    assert "member 'low': reach 'R9' is not in the network" in said
    assert "1 of 2 reaches of the network have no flow: R2" in said


def test_members_of_other_reaches_or_times_than_the_first_are_refused(tmp_path: Path):
    write_flow(flow(), tmp_path / "a.nc")
    write_flow(flow(bins=5), tmp_path / "shorter.nc")
    said = refused([tmp_path / "a.nc", tmp_path / "shorter.nc"])
    assert (
        "member 'shorter.nc': its 5 bins run from 2024-07-20T00:00:00 to 2024-07-20T05:00:00 UTC, those of the first"
        in said
    )
    assert "export all of them for the same bins of time" in said
    first, second, third = three()
    with pytest.raises(InputError, match=r"member 'middle': reach 'R2', which the first has, is missing"):
        written(tmp_path, [first, replace(second, reaches=("R1", "R3")), third])
    assert not (tmp_path / "flow_members.nc").exists()


@pytest.mark.parametrize(("names", "said"), [(("a", "b"), "more"), (("a", "b", "c", "d"), "fewer")])
def test_every_member_that_is_written_has_one_name(tmp_path: Path, names: tuple[str, ...], said: str):
    with pytest.raises(InputError, match=f"there are {said} members than the {len(names)} names"):
        written(tmp_path, names=names)
    assert list(tmp_path.iterdir()) == []


def test_members_of_one_name_and_ensembles_of_one_are_not_written_or_read(tmp_path: Path):
    with pytest.raises(InputError, match=r"1 member is no ensemble; give at least 2"):
        written(tmp_path, three()[:1], names=("a",))
    with pytest.raises(
        InputError, match=r"'.csv' is not a kind of file that holds flow members; name it with .nc"
    ):
        write_flow_members(three(), tmp_path / "flows.csv", names=NAMES)
    said = refused(written(tmp_path, names=("a", "b", "a")))
    assert "member 'a' is there twice" in said
    paths = [tmp_path / folder / "flow.nc" for folder in ("wet", "dry")]
    for path in paths:
        path.parent.mkdir()
        write_flow(flow(), path)
    assert "two members are named 'flow.nc'; give every member its own name" in refused(paths)


def test_what_enters_along_reaches_goes_with_its_reach(tmp_path: Path):
    first = replace(flow(), lateral=np.zeros_like(flow().discharge_start))
    first.lateral[:, 0] = 1.0
    order = [1, 0]
    turned = replace(
        first,
        reaches=tuple(first.reaches[r] for r in order),
        **{
            name: getattr(first, name)[:, order]
            for name in ("discharge_start", "discharge_end", "volume", "lateral")
        },
    )
    found = read_flow_members(
        written(tmp_path, [first, turned], names=("a", "b")), timezone="UTC", network=network()
    )
    for member in found:
        np.testing.assert_array_equal(member.lateral, first.lateral)
    with pytest.raises(InputError, match=r"member 'b'.*no water entering along reaches"):
        written(tmp_path, [first, flow()], names=("a", "b"))
