"""From a folder with gauges to flow: what the table may say, what is refused, and what is left on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from tidal_ring import START, Truth, believed, ring
from typer.testing import CliRunner, Result

from suyuan.cli import app
from suyuan.errors import InputError
from suyuan.flow import balanced
from suyuan.io.flow import read_flow
from suyuan.io.flow_members import read_flow_members
from suyuan.io.flow_settings import FlowSettings
from suyuan.io.gauges import read_gauges
from suyuan.io.network import read_network
from suyuan.io.network_writer import write_network
from suyuan.io.project import read_project

HEADER = "time,station,determinand,value,unit\n"


def table(truth: Truth, *, header: str = HEADER) -> str:
    """Return gauges of discharge at C3 and C0, of stage at J4 and J1, and the gate's log, as people write them."""
    rows = []
    for b in range(len(truth.discharge) + 1):
        time = np.datetime_as_string(START + np.timedelta64(b, "h")) + "Z"
        last = min(b, len(truth.discharge) - 1)
        middle = 0.5 * (truth.discharge[max(b - 1, 0)] + truth.discharge[last])
        for reach in ("C3", "C0"):
            r = truth.network.reach_index(reach)
            rows.append(f"{time},{reach}+500,流量,{middle[r]:.4f},m3/s")
        for place, node in (("OUT+0", "J4"), ("C1+0", "J1")):
            rows.append(
                f"{time},{place},水位,{100.0 * truth.stage[b, truth.network.node_index(node)]:.2f},cm"
            )
        rows.append(f"{time},gate,gate_opening,{'open' if truth.opening[last] else 'closed'},1")
    return header + "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ring")
    rng = np.random.default_rng(1)
    truth = ring(rng, hours=24)
    write_network(believed(truth, rng, conveyance=0.1, width=0.05), folder / "network.gpkg")
    (folder / "gauges.csv").write_text(table(truth), "utf-8")
    (folder / "suyuan.toml").write_text(
        '[project]\nname = "ring"\ninvented = true\n'
        '[files]\nnetwork = "network.gpkg"\ngauges = "gauges.csv"\n'
        "[flow]\nmembers = 6\nconveyance_error = 0.1\nwidth_error = 0.05\n",
        "utf-8",
    )
    return folder


def suyuan(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def done(folder: Path) -> Result:
    return suyuan("flow", "reconcile", folder, "--lang", "en")


def test_a_folder_gets_flow_that_closes_members_json_and_a_picture(folder: Path, done: Result):
    assert done.exit_code == 0, done.output
    network = read_network(folder / "network.gpkg")
    flow = read_flow(folder / "results" / "flow.nc", timezone="UTC", network=network)
    assert flow.discharge_start.shape == (24, 10)
    assert balanced(flow, network).balance.residual_share < 1e-12
    members = read_flow_members(folder / "results" / "flow_members.nc", timezone="UTC", network=network)
    assert len(members) == 6
    assert all(balanced(m, network).balance.residual_share < 1e-12 for m in members)
    assert (folder / "results" / "reconciled.svg").read_text("utf-8").count("<svg") == 1


def test_the_terminal_says_first_that_data_are_invented_then_what_is_not_decided(done: Result):
    lines = done.output.splitlines()
    assert lines[0].startswith("All data of this project are invented.")
    assert lines[1].startswith("5 gauges give the flow of 10 reaches in 24 bins")
    assert "No gauge decides how water divides round the loop C1, C2, G" in done.output


def test_json_names_gauges_loops_and_how_sure_each_reach_is(folder: Path):
    found = json.loads(suyuan("flow", "reconcile", folder, "--json").stdout)
    assert found["undetermined_loops"] == [["C1", "C2", "G"]]
    assert [g["id"] for g in found["gauges"]] == ["C0+500", "C1+0", "C3+500", "OUT+0"]
    assert {r["id"]: r["sd_share"] for r in found["reaches"]}["C3"] < 0.2
    assert found["members"] == 6


def test_the_same_seed_gives_the_same_flow(folder: Path, tmp_path: Path):
    runs = [suyuan("flow", "reconcile", folder, "--out", tmp_path / name) for name in ("a", "b")]
    assert [r.exit_code for r in runs] == [0, 0]
    a, b = (read_flow(tmp_path / name / "flow.nc", timezone="UTC") for name in ("a", "b"))
    assert np.array_equal(a.discharge_start, b.discharge_start)


def test_a_storage_table_of_the_project_is_read_and_must_fit_the_network(folder: Path, tmp_path: Path):
    for name in ("network.gpkg", "gauges.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    told = (folder / "suyuan.toml").read_text("utf-8").replace("[flow]", 'storage = "storage.csv"\n[flow]')
    (tmp_path / "suyuan.toml").write_text(told, "utf-8")
    (tmp_path / "storage.csv").write_text("place,stage_m,volume_m3\nC99,0,0\nC99,5,900\n", "utf-8")
    run = suyuan("flow", "reconcile", tmp_path, "--lang", "en")
    assert run.exit_code != 0
    assert "'C99' of a storage table is neither a canal nor a lake" in " ".join(run.output.split())


def gauges(folder: Path, text: str) -> Callable[[], object]:
    (folder / "some.csv").write_text(text, "utf-8")
    network = read_network(folder / "network.gpkg")
    return lambda: read_gauges(folder / "some.csv", network, zone=UTC, settings=FlowSettings())


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (
            "2024-07-01 00:00,C9+500,discharge,1,m3/s",
            r"row 2: reach 'C9' of 'C9\+500' is not in the network; known are: C0",
        ),
        ("2024-07-01 00:00,C3+500,rain,1,mm", "determinand 'rain' is not read from gauges"),
        ("2024-07-01 00:00,C3+500,discharge,1,", "unit is missing"),
        ("2024-07-01 00:00,C3+500,discharge,1,m", "unit 'm' does not belong to its determinand"),
        ("2024-07-01 00:00,C3+500,discharge,many,m3/s", "value 'many' is not a number"),
        (
            "2024-07-01 00:00,gat,gate_opening,1,1",
            "gate 'gat' is not in the layer structures; did you mean 'gate'",
        ),
        ("2024-07-01 00:00,X,inflow,1,m3/s", "'X' is neither a node nor a reach of the network"),
        ("2024-07-01 00:00,gate,pump_on,1,1", "pump 'gate' has no capacity"),
        (
            "2024-07-01 00:00,C3+500,discharge,1,m3/s",
            "1 bins of 1 h in the window|0 bins of 1 h in the window",
        ),
        ("2024-07-01 00:00,C3+500,discharge,,m3/s", "no row holds a value"),
    ],
)
def test_rows_that_cannot_be_used_are_named(folder: Path, row: str, what: str):
    with pytest.raises(InputError, match=what):
        gauges(folder, HEADER + row + "\n")()


def test_errors_and_switches_are_read_with_the_units_of_their_row(folder: Path):
    header = "time,station,determinand,value,unit,error,error_share,datum_error_m\n"
    rows = [f"2024-07-01 0{h}:00,C3+500,discharge,{1000 + h},L/s,20,0.04," for h in range(4)]
    rows += [f"2024-07-01 0{h}:00,C1+0,water_level,{h},cm,2,,0.05" for h in range(4)]
    rows += ["2024-07-01 00:00,gate,gate_opening,50,%,,,", "2024-07-01 01:30,gate,gate_opening,0,%,,,"]
    stage, discharge, gate = gauges(folder, header + "\n".join(rows) + "\n")().gauges  # type: ignore[attr-defined]
    assert discharge.value == pytest.approx([1.0005, 1.0015, 1.0025])
    assert (discharge.sd[0], discharge.share) == pytest.approx((0.02, 0.04))
    assert stage.value == pytest.approx([0.0, 0.01, 0.02, 0.03])
    assert (stage.sd[0], stage.offset) == pytest.approx((0.02, 0.05))
    assert gate.value == pytest.approx([0.5, 0.25, 0.0])


def test_the_error_of_a_pump_that_is_on_or_off_is_a_share_of_what_it_lifts(folder: Path):
    header = "time,station,determinand,value,unit,error,capacity_m3_s\n"
    rows = ["2024-07-01 00:00,C3+500,pump_on,on,1,0.02,5", "2024-07-01 03:00,C3+500,pump_on,off,1,0.02,5"]
    (pump,) = gauges(folder, header + "\n".join(rows) + "\n")().gauges  # type: ignore[attr-defined]
    assert (pump.value[0], pump.sd[0]) == pytest.approx((5.0, 0.1))


def test_a_gauge_under_two_names_is_one_gauge(folder: Path):
    rows = [
        f"2024-07-01 0{h}:00,{place},discharge,{h},m3/s"
        for h in range(4)
        for place in ("C3+500", "C3+500.0")[h % 2 :][:1]
    ]
    (one,) = gauges(folder, HEADER + "\n".join(rows) + "\n")().gauges  # type: ignore[attr-defined]
    assert one.value == pytest.approx([0.5, 1.5, 2.5])


def test_a_gap_in_a_record_stays_a_gap(folder: Path):
    rows = [f"2024-07-01 {h:02d}:00,C3+500,discharge,1,m3/s" for h in range(24) if not 8 < h < 16]
    (gauge,) = gauges(folder, HEADER + "\n".join(rows) + "\n")().gauges  # type: ignore[attr-defined]
    missing = np.flatnonzero(np.isnan(gauge.value))
    assert missing.tolist() == list(range(9, 15))


def test_a_project_without_gauges_says_what_to_write(folder: Path, tmp_path: Path):
    text = (folder / "suyuan.toml").read_text("utf-8").replace('gauges = "gauges.csv"\n', "")
    (tmp_path / "suyuan.toml").write_text(text, "utf-8")
    (tmp_path / "network.gpkg").write_bytes((folder / "network.gpkg").read_bytes())
    result = suyuan("flow", "reconcile", tmp_path)
    assert result.exit_code == 1
    assert 'no gauges are named; write gauges = "gauges.csv" under [files]' in result.output


def test_settings_beyond_what_they_may_be_are_named_with_their_line(folder: Path):
    text = (
        (folder / "suyuan.toml")
        .read_text("utf-8")
        .replace("members = 6", 'members = 1\nstep = 2\nside_slope = "x"')
    )
    other = folder.parent / "other"
    other.mkdir(exist_ok=True)
    for name in ("network.gpkg", "gauges.csv"):
        (other / name).write_bytes((folder / name).read_bytes())
    (other / "suyuan.toml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_project(other)
    assert [str(f) for f in caught.value.faults] == [
        "suyuan.toml, row 8: members in [flow] is 1; write a number from 2 to 1000",
        "suyuan.toml, row 9: 'step' in [flow] is not known; did you mean 'step_h'?",
        "suyuan.toml, row 10: side_slope in [flow] is 'x'; write a number from 0 to 10",
    ]


def test_an_inflow_named_by_a_canal_enters_along_it_and_by_a_node_at_it(folder: Path):
    rows = [f"2024-07-01 0{h}:00,{place},旁侧入流,0.2,m3/s\n" for h in range(3) for place in ("C1", "J4")]
    read = gauges(folder, HEADER + "".join(rows))()
    kinds = {(g.id, g.kind, g.reach, g.node) for g in read.gauges}
    assert kinds == {("C1", "lateral", "C1", ""), ("J4", "inflow", "", "J4")}
