"""suyuan.toml: what it may say, and what is said of what it may not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from suyuan.errors import InputError
from suyuan.flow import FlowField
from suyuan.io.flow import write_flow
from suyuan.io.network_writer import write_network
from suyuan.io.project import KEYS, read_project
from suyuan.network import Network, Node, Reach
from suyuan.place_run import PlaceAsk, place_folder
from suyuan.reconcile_run import reconcile_folder
from suyuan.tracing.prior import UNLISTED_SHARE

WHOLE = """
[project]
name = "武进"
timezone = "Asia/Shanghai"
[files]
network = "network.gpkg"
flow = "flow.nc"
observations = ["a.csv", "b.csv"]
[trace]
determinand = "氨氮"
since = 2024-07-20T00:00:00+08:00
until = 2024-07-28 00:00:00
[decay_per_day]
nh3n = 0.08
EC = 0
"""


def folder_with(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "suyuan.toml").write_bytes(text.encode(encoding))
    for name in ("network.gpkg", "flow.nc", "a.csv", "b.csv"):
        (folder / name).write_bytes(b"x")
    return folder


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_project(folder_with(folder, text))
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_project_says_what_is_where_and_when(tmp_path: Path, encoding: str):
    project = read_project(folder_with(tmp_path, WHOLE, encoding))
    assert project.name == "武进"
    assert project.files.network == tmp_path / "network.gpkg"
    assert project.files.observations == (tmp_path / "a.csv", tmp_path / "b.csv")
    assert project.files.fingerprints is None
    assert project.trace.determinand == "NH3-N"
    assert project.trace.since == np.datetime64("2024-07-19T16:00:00")
    assert project.trace.until == np.datetime64("2024-07-27T16:00:00")
    assert project.decay_per_day == {"NH3-N": 0.08, "EC": 0.0}


def test_only_what_a_verb_reads_must_be_there_and_what_it_makes_may_be_named(tmp_path: Path):
    folder = folder_with(tmp_path, WHOLE.replace("flow.nc", "results/flow.nc"))
    assert read_project(folder, reads=("network",)).files.flow == folder / "results" / "flow.nc"
    with pytest.raises(InputError, match=r"flow 'results/flow.nc' is not in the folder"):
        read_project(folder, reads=("network", "flow"))


@pytest.fixture(scope="module")
def canal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A canal with flow and a gauge, which no suyuan.toml names yet."""
    folder = tmp_path_factory.mktemp("canal")
    ends = (Node("A", "boundary", point=(0.0, 0.0)), Node("O", "outlet", point=(1e3, 0.0)))
    write_network(Network(ends, (Reach("R", "A", "O", 1e3),), crs="EPSG:4549"), folder / "network.gpkg")
    q = np.ones((4, 1))
    field = FlowField(
        np.datetime64("2024-07-20"), 3600.0 * np.arange(5.0), ("R",), q, q, np.full((5, 1), 1e4)
    )
    write_flow(field, folder / "flow.nc")
    rows = [f"2024-07-20T0{hour}:00Z,R+500,discharge,1,m3/s" for hour in range(4)]
    (folder / "gauges.csv").write_text("\n".join(["time,station,determinand,value,unit", *rows]), "utf-8")
    return folder


PLACE = partial(place_folder, ask=PlaceAsk(1, at=("R:500",)))
RECONCILE = partial(reconcile_folder, members=1, seed=1)


@pytest.mark.parametrize("key", KEYS["files"])
@pytest.mark.parametrize(
    ("verb", "work", "named"),
    [
        (PLACE, "suyuan.place_run.ensemble_of", {"network": "network.gpkg", "flow": "flow.nc"}),
        (RECONCILE, "suyuan.reconcile_run.reconcile", {"network": "network.gpkg", "gauges": "gauges.csv"}),
    ],
    ids=["place", "reconcile"],
)
def test_a_file_that_a_verb_would_open_is_missed_by_the_line_that_names_it(
    canal: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    verb: Callable[..., object],
    work: str,
    named: dict[str, str],
    key: str,
):
    """Whatever else is gone is none of its business."""
    names = named | {key: "gone"}
    lines = ["[files]", *(f'{name} = "{file}"' for name, file in names.items())]
    (canal / "suyuan.toml").write_text("\n".join(lines), "utf-8")

    def begin(*given: object, **how: object) -> None:
        raise InputError("all is read", "the work", "may begin")

    monkeypatch.setattr(work, begin)
    row = 2 + list(names).index(key)
    missed = rf"^suyuan.toml, row {row}: {key} 'gone' is not in the folder"
    with pytest.raises(InputError, match=missed if key in named else f"{missed}|^all is read"):
        verb(canal, lang="en", out=canal / "out", progress=lambda what, share: None)


def test_a_single_file_is_a_list_of_one_and_the_folder_gives_the_name(tmp_path: Path):
    project = read_project(
        folder_with(tmp_path, '[files]\nnetwork = "network.gpkg"\nobservations = "a.csv"\n')
    )
    assert project.files.observations == (tmp_path / "a.csv",)
    assert project.name == tmp_path.name
    assert project.trace.since is None


def test_a_beginning_may_be_a_date_but_an_end_needs_a_time_of_day(tmp_path: Path):
    text = WHOLE.replace("since = 2024-07-20T00:00:00+08:00", "since = 2024-07-20")
    assert read_project(folder_with(tmp_path, text)).trace.since == np.datetime64("2024-07-19T16:00:00")
    assert refused(tmp_path, WHOLE.replace("2024-07-28 00:00:00", "2024-07-28")) == [
        "suyuan.toml, row 12: until is 2024-07-28, not a time; "
        "write until = 2024-07-28T00:00:00+08:00, with a time of day"
    ]


def test_every_fault_is_reported_with_its_line(tmp_path: Path):
    text = """
[project]
nam = "x"
timezone = "Asia/Shangai"
[files]
network = "network.gpk"
flow = 7
[trace]
determinand = "pH"
since = 2024-07-28T00:00:00+08:00
until = 2024-07-20T00:00:00+08:00
[decay_per_day]
"NH3-N" = -0.1
TPP = 0.1
[option]
speed = 1
"""
    expected = [
        "suyuan.toml, row 3: 'nam' in [project] is not known; did you mean 'name'?",
        "suyuan.toml, row 4: timezone 'Asia/Shangai' is not known; did you mean 'Asia/Shanghai'?",
        "suyuan.toml, row 6: network 'network.gpk' is not in the folder; did you mean 'network.gpkg'?",
        'suyuan.toml, row 7: flow is 7, not a file name; write flow = "name of the file"',
        "suyuan.toml, row 9: pH does not keep its mass in the water and cannot be traced; choose another",
        "suyuan.toml, row 11: until 2024-07-19T16:00:00 UTC is not after since 2024-07-27T16:00:00 UTC; "
        "write the later time as until",
        "suyuan.toml, row 13: the decay of NH3-N is -0.1; write a number per day, 0 or more, such as 0.08",
        "suyuan.toml, row 14: 'TPP' is not a known determinand; did you mean 'TP'?",
        "suyuan.toml, row 15: 'option' is not known; known are: decay_per_day, files, flow, project, sections, "
        "settling_m_per_day, trace, transient_storage ...",
    ]
    assert refused(tmp_path, text) == expected


def test_a_network_must_be_named(tmp_path: Path):
    assert refused(tmp_path, '[project]\nname = "x"\n') == [
        'suyuan.toml: no network is named; write network = "network.gpkg" under [files]'
    ]
    assert (
        "flow names 2 files; name one"
        in refused(tmp_path, '[files]\nnetwork = "network.gpkg"\nflow = ["flow.nc", "a.csv"]\n')[0]
    )


def test_a_project_may_say_that_it_is_invented(tmp_path: Path):
    assert not read_project(folder_with(tmp_path, WHOLE)).is_invented
    said = WHOLE.replace("[files]", "invented = true\n[files]")
    assert read_project(folder_with(tmp_path, said)).is_invented
    assert refused(tmp_path, said.replace("= true", '= "yes"')) == [
        "suyuan.toml, row 5: invented in [project] is 'yes', neither true nor false; "
        "write invented = true, or leave it out"
    ]


def test_text_that_is_not_toml_names_its_line(tmp_path: Path):
    fault = refused(tmp_path, "[project]\nname = wujin\n")[0]
    assert fault.startswith("suyuan.toml, row 2: Invalid value")
    assert 'write key = "value"' in fault


def test_a_folder_that_is_not_there_or_holds_no_project_says_so(tmp_path: Path):
    with pytest.raises(InputError, match="there is no such folder; make one with 'suyuan new'"):
        read_project(tmp_path / "nowhere")
    with pytest.raises(
        InputError, match=r"the folder holds no suyuan.toml; make a project with 'suyuan new'"
    ):
        read_project(tmp_path)


def test_the_share_of_unlisted_sources_may_be_set_and_is_usually_that_of_the_prior(tmp_path: Path):
    assert read_project(folder_with(tmp_path, WHOLE)).trace.unlisted == UNLISTED_SHARE
    told = WHOLE.replace("[decay_per_day]", "unlisted = 0.05\n[decay_per_day]")
    assert read_project(folder_with(tmp_path, told)).trace.unlisted == 0.05


def test_how_many_daily_releases_begin_at_night_may_be_said(tmp_path: Path):
    assert read_project(folder_with(tmp_path, WHOLE)).trace.at_night == 0.8
    told = WHOLE.replace("[decay_per_day]", "at_night = 0.42\n[decay_per_day]")
    assert read_project(folder_with(tmp_path, told)).trace.at_night == 0.42
    nowhere = "\n".join(line for line in WHOLE.split("\n") if not line.startswith("timezone"))
    assert read_project(folder_with(tmp_path, nowhere)).trace.at_night is None
    told = WHOLE.replace("[decay_per_day]", "at_night = 1.0\n[decay_per_day]")
    with pytest.raises(InputError, match=r"at_night in \[trace\].*above 0 and below 1"):
        read_project(folder_with(tmp_path, told))


@pytest.mark.parametrize("value", ["0", "0.8", "-1", '"few"', "true"])
def test_a_share_of_unlisted_sources_that_leaves_no_room_is_refused(tmp_path: Path, value: str):
    told = WHOLE.replace("[decay_per_day]", f"unlisted = {value}\n[decay_per_day]")
    with pytest.raises(InputError, match=r"unlisted in \[trace\].*above 0 and below 0.8"):
        read_project(folder_with(tmp_path, told))


def test_the_prior_of_nobody_may_be_set(tmp_path: Path):
    assert read_project(folder_with(tmp_path, WHOLE)).trace.nobody == 0.10
    told = WHOLE.replace("[decay_per_day]", "nobody = 0.6\n[decay_per_day]")
    assert read_project(folder_with(tmp_path, told)).trace.nobody == 0.6


@pytest.mark.parametrize("value", ["0", "1", "1.2", "-0.1", "true", '"0.1"', "nan"])
def test_a_prior_of_nobody_that_is_no_doubt_is_refused(tmp_path: Path, value: str):
    told = WHOLE.replace("[decay_per_day]", f"nobody = {value}\n[decay_per_day]")
    (fault,) = refused(tmp_path, told)
    assert "nobody in [trace]" in fault
    assert fault.startswith("suyuan.toml, row 13")


def test_flow_members_are_one_file_or_several_and_workers_a_number_or_an_address(tmp_path: Path):
    several = WHOLE.replace("[trace]", 'flow_members = ["a.csv", "b.csv"]\n[trace]\nworkers = 4')
    project = read_project(folder_with(tmp_path, several))
    assert project.files.flow_members == (tmp_path / "a.csv", tmp_path / "b.csv")
    assert project.trace.workers == "4"
    one = WHOLE.replace("[trace]", 'flow_members = "flow.nc"\n[trace]\nworkers = "tcp://10.0.0.7:8786"')
    project = read_project(folder_with(tmp_path, one))
    assert (project.files.flow_members, project.trace.workers) == (
        (tmp_path / "flow.nc",),
        "tcp://10.0.0.7:8786",
    )


@pytest.mark.parametrize("value", ["0", "true", '"many"', "2.5", "-1"])
def test_workers_that_cannot_be_are_refused_with_their_line(tmp_path: Path, value: str):
    (said,) = refused(tmp_path, WHOLE.replace("[trace]", f"[trace]\nworkers = {value}"))
    assert said.startswith("suyuan.toml, row 10: workers is '")
    assert "write a number of processes from 1 to 256" in said
