"""Checking a project: a good one passes, and every way to break one is named with its remedy."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest

from suyuan.errors import Fault, InputError
from suyuan.io.check import Check, check
from suyuan.io.example import write_example
from suyuan.io.flow import read_flow, write_flow
from suyuan.io.flow_members import write_flow_members
from suyuan.io.network import read_network
from suyuan.io.network_writer import write_network
from suyuan.io.new_project import new_project
from suyuan.network import Network, Structure

CASES = Path(__file__).parents[2] / "shared" / "cases" / "inputs"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make the small invented project that every test breaks in its own way."""
    folder = tmp_path / "example"
    folder.mkdir()
    write_example(folder)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def change(path: Path, how) -> None:  # type: ignore[no-untyped-def]
    """Rewrite a table through a function of its frame; the comment on the first line goes."""
    how(pd.read_csv(path, comment="#", dtype=object)).to_csv(path, index=False)


def faults(folder: Path) -> list[str]:
    return [str(fault) for fault in check(folder).faults]


def only(folder: Path) -> str:
    found = faults(folder)
    assert len(found) == 1, found
    return found[0]


def notes(folder: Path) -> list[str]:
    found = check(folder)
    assert not found.faults, found
    return [str(note) for note in found.notes]


@pytest.mark.parametrize("case", [f"case-{i:04}" for i in range(20)])
def test_every_case_passes(case: str):
    if not (CASES / case).is_dir():
        pytest.skip("../shared/cases is not here: no case to check")
    found = check(CASES / case)
    assert found.is_usable, str(found)
    assert "misses continuity by" in found.summary["water balance"]


def test_the_example_has_no_fault_and_nothing_odd(project: Path):
    found = check(project)
    assert (found.faults, found.notes) == ((), ())
    assert "misses continuity by 0.0%" in found.summary["water balance"]
    for path in project.iterdir():
        if path.suffix != ".gpkg":
            assert "Invented" in path.read_text("utf-8").splitlines()[0]


def test_the_passing_of_the_example_release_can_be_checked_by_hand(project: Path):
    frame = pd.read_csv(project / "observations.csv", comment="#")
    nh3n = frame[(frame["station"] == "S1") & (frame["determinand"] == "NH3-N")].set_index("time")["value"]
    before, during = nh3n["2024-07-21T03:00:00+08:00"], nh3n["2024-07-21T07:00:00+08:00"]
    # 6 g/s in 3.2 m3/s, 3.5 h after 01:00 to 05:00
    assert during - before == pytest.approx(6.0 / 3.2, abs=0.1)
    assert nh3n.idxmax() in {f"2024-07-21T0{h}:00:00+08:00" for h in (6, 7, 8)}


def test_a_new_project_holds_a_template_of_every_file_and_an_example_that_passes(tmp_path: Path):
    made = new_project(tmp_path / "mine")
    names = {p.relative_to(tmp_path / "mine").as_posix() for p in made}
    whole = {"suyuan.toml", "network.gpkg", "flow.csv", "observations.csv", "fingerprints.csv", "README.txt"}
    assert names == whole | {f"example/{name}" for name in whole}
    assert check(tmp_path / "mine" / "example").is_usable
    assert faults(tmp_path / "mine") == [
        "flow.csv: there is no row with a reach; give every reach a row at every time",
        "network.gpkg, layer reaches: there is no reach; draw at least one",
        "observations.csv: there is no reading; export at least one row below the header",
    ]


def test_a_filled_in_template_is_a_project(tmp_path: Path, project: Path):
    folder = tmp_path / "mine"
    new_project(folder)
    write_network(read_network(project / "network.gpkg"), folder / "network.gpkg")
    for name in ("flow.csv", "observations.csv"):
        rows = (project / name).read_text("utf-8").splitlines()[2:]
        if name == "observations.csv":
            rows = [",".join(row.split(",")[:6]) for row in rows]
        template = (folder / name).read_text("utf-8-sig")
        (folder / name).write_text(template + "\n".join(rows), "utf-8-sig")
    edit(folder / "suyuan.toml", "# since = 2024-07-20", "since = 2024-07-20")
    edit(folder / "suyuan.toml", "# until = 2024-07-28", "until = 2024-07-23")
    assert faults(folder) == []


def test_gauges_are_read_as_reconciling_would_read_them(project: Path):
    edit(project / "suyuan.toml", "[files]", '[files]\ngauges = "gauges.csv"')
    rows = [f"2024-07-20 {h:02d}:00,R1+100,discharge,3,m3/s" for h in range(5)]
    header = "time,station,determinand,value,unit"
    (project / "gauges.csv").write_text("\n".join([header, *rows]), "utf-8")
    found = check(project)
    assert found.is_usable
    assert found.summary["gauges"].startswith("1 of discharge; 2024-07-20 00:00+08:00 to ")
    edit(project / "suyuan.toml", "[files]", '[files]\nstorage = "storage.csv"')
    (project / "storage.csv").write_text("place,stage_m,volume_m3\nR1,0,0\nR1,2,900\n", "utf-8")
    assert "'R1' has a storage table and 0 gauges of stage" in faults(project)[0]
    edit(project / "suyuan.toml", 'storage = "storage.csv"\n', "")
    rows[2] = "2024-07-20 02:00,R99+100,discharge,3,m3/s"
    rows[3] = "2024-07-20 03:00,R1+100,discharge,3,gal"
    (project / "gauges.csv").write_text("\n".join([header, *rows]), "utf-8")
    said = faults(project)
    assert [text.partition(":")[0] for text in said] == ["gauges.csv, row 4", "gauges.csv, row 5"]
    assert "reach 'R99' of 'R99+100' is not in the network; known are: R1, R2, R3, R4" in said[0]


def test_a_storage_table_is_read_whatever_is_wrong_with_the_gauges(project: Path):
    edit(project / "suyuan.toml", "[files]", '[files]\nstorage = "storage.csv"')
    (project / "storage.csv").write_text("place,stage_m,volume_m3\nR1,0,0\nR1,two,900\n", "utf-8")
    wrong = "storage.csv, row 3: stage_m 'two' is not a number"
    assert faults(project)[0].startswith(wrong)
    edit(project / "suyuan.toml", "[files]", '[files]\ngauges = "gauges.csv"')
    rows = [f"2024-07-20 {h:02d}:00,R1+100,discharge,3,gal" for h in range(5)]
    (project / "gauges.csv").write_text("\n".join(["time,station,determinand,value,unit", *rows]), "utf-8")
    said = faults(project)
    assert [text.partition(":")[0] for text in said] == ["gauges.csv, row 2", "storage.csv, row 3"]
    assert said[1].startswith(wrong)


def test_levels_alone_and_the_place_of_a_storage_table_are_told_of_together(project: Path):
    edit(project / "suyuan.toml", "[files]", '[files]\ngauges = "gauges.csv"\nstorage = "storage.csv"')
    rows = [f"2024-07-20 {h:02d}:00,R1+100,water_level,3,m" for h in range(5)]
    (project / "gauges.csv").write_text("\n".join(["time,station,determinand,value,unit", *rows]), "utf-8")
    (project / "storage.csv").write_text("place,stage_m,volume_m3\nR9,0,0\nR9,2,900\n", "utf-8")
    alone, placed = faults(project)
    assert alone.startswith("gauges.csv: all 1 gauges read stage, none discharge or inflow")
    assert placed.startswith("storage.csv: 'R9' of a storage table is neither a canal nor a lake")


def test_a_storage_table_without_rows_is_refused(project: Path):
    edit(project / "suyuan.toml", "[files]", '[files]\nstorage = "storage.csv"')
    (project / "storage.csv").write_text("place,stage_m,volume_m3\n", "utf-8")
    assert faults(project)[0].startswith("storage.csv: holds no row; write two or more stages of a canal")


def test_a_reach_is_told_by_the_line_of_its_own_table(project: Path):
    """The same word may stand in other tables, before and after."""
    edit(project / "suyuan.toml", 'name = "', 'name = "R77 ')
    text = (project / "suyuan.toml").read_text("utf-8")
    line = len(text.split("\n"))
    more = '[transient_storage]\narea_ratio = 0.2\nexchange_per_day = 5\nreaches = [\n "R1",\n "R77",\n]\n'
    more += "[transport.dispersion] # by reach\nR1 = 3.0\nR77 = 4.0\n"
    (project / "suyuan.toml").write_text(f"{text}\n{more}", "utf-8")
    assert [text.partition(" is not")[0] for text in faults(project)] == [
        f"suyuan.toml, row {line + 6}: reach 'R77' in [transient_storage]",
        f"suyuan.toml, row {line + 10}: reach 'R77' in [transport]",
    ]


def test_reaches_that_processes_name_must_be_in_the_network_and_have_a_width(project: Path):
    text = (project / "suyuan.toml").read_text("utf-8")
    line = len(text.split("\n"))
    more = "[transport]\ndispersion = {R1 = 3.0, R77 = 4.0}\n[settling_m_per_day]\nTP = 0.5\n"
    more += '[transient_storage]\narea_ratio = 0.2\nexchange_per_day = 5\nreaches = ["R1", "r3"]\n'
    (project / "suyuan.toml").write_text(f"{text}\n{more}", "utf-8")
    strangers = [
        f"suyuan.toml, row {line + 2}: reach 'R77' in [transport] is not in the network; known are: R1, R2, R3, R4",
        f"suyuan.toml, row {line + 8}: reach 'r3' in [transient_storage] is not in the network; known are: R1, R2, R3, R4",
    ]
    assert faults(project) == strangers
    unmeasured = more.replace("exchange_per_day = 5", "drawn = true")
    (project / "suyuan.toml").write_text(f"{text}\n{unmeasured}", "utf-8")
    assert faults(project) == strangers
    drawn = read_network(project / "network.gpkg")
    bare = replace(
        drawn, reaches=tuple(replace(r, width_m=r.width_m * (r.id != "R2")) for r in drawn.reaches)
    )
    write_network(bare, project / "network.gpkg")
    said, *others = faults(project)
    assert others == strangers
    assert "1 of 4 reaches have no width_m: R2" in said
    assert "settling needs it" in said


def test_a_new_project_overwrites_nothing(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"the folder is not empty, it holds 'notes.txt'; name a new folder"):
        new_project(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_all_faults_of_all_files_are_reported_at_once(project: Path):
    edit(project / "suyuan.toml", 'timezone = "Asia/Shanghai"', 'timezone = "Asia/Shangai"')
    edit(project / "observations.csv", ",S2,TP,", ",S9,TP,")
    edit(project / "fingerprints.csv", "domestic,TP,mg/L", "domestic,TP,mol/L")
    edit(project / "flow.csv", "R4,3.2,3.2", "R4,3.2,")
    (project / "network.gpkg").write_bytes(b"torn")
    found = check(project)
    assert [f.where for f in found.faults] == [
        "fingerprints.csv",
        "flow.csv",
        "network.gpkg",
        "suyuan.toml",
    ]
    assert str(found).count("fault: ") == 4
    assert [f["where"] for f in found.to_dict()["faults"]] == [f.where for f in found.faults]


def test_unknown_stations_come_to_light_with_the_network(project: Path):
    edit(project / "observations.csv", ",S2,TP,", ",S9,TP,")
    assert only(project).startswith(
        "observations.csv, row 241: station 'S9' is not in the network (and in 18 more rows); known are: S1"
    )


def test_a_missing_file_is_named_with_its_line_in_the_settings(project: Path):
    (project / "flow.csv").rename(project / "flow2.csv")
    assert (
        only(project) == "suyuan.toml, row 9: flow 'flow.csv' is not in the folder; did you mean 'flow2.csv'?"
    )


def test_a_folder_without_a_project_says_so(tmp_path: Path):
    assert "the folder holds no suyuan.toml" in only(tmp_path)


def test_flow_must_cover_the_window(project: Path):
    edit(project / "suyuan.toml", "until = 2024-07-23T00:00:00", "until = 2024-07-23T01:00:00")
    assert only(project) == (
        "flow.csv: flow covers 2024-07-18 00:00+08:00 to 2024-07-23 00:00+08:00 but the window ends at "
        "2024-07-23 01:00+08:00; extend the flow, or move until in suyuan.toml"
    )
    edit(project / "suyuan.toml", "since = 2024-07-20T00:00:00", "since = 2024-07-17T23:00:00")
    assert (
        "but the window begins at 2024-07-17 23:00+08:00; extend the flow, or move since"
        in faults(project)[0]
    )


def test_without_a_window_the_flow_must_cover_the_readings(project: Path):
    settings = (project / "suyuan.toml").read_text("utf-8").splitlines()
    bare = [line for line in settings if not line.startswith(("since", "until"))]
    (project / "suyuan.toml").write_text("\n".join(bare), "utf-8")
    assert faults(project) == []
    edit(
        project / "observations.csv",
        "2024-07-22T23:00:00+08:00,S1,NH3-N",
        "2024-07-23T01:00:00+08:00,S1,NH3-N",
    )
    assert only(project).startswith(
        "flow.csv: flow covers 2024-07-18 00:00+08:00 to 2024-07-23 00:00+08:00 but readings end at "
        "2024-07-23 01:00+08:00; extend the flow, or write since and until in suyuan.toml"
    )


def composite(project: Path, hours: str) -> None:
    """Give the first reading these hours as a composite sample."""
    change(
        project / "observations.csv",
        lambda f: f.assign(composite_h=np.where(f.index == 0, hours, "")),
    )


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        ("-4", "composite_h '-4' is below 0; write the hours over which the sample was drawn, or nothing"),
        ("a day", "composite_h 'a day' is not a number; write a number with a decimal point, or nothing"),
        ("86400", "composite_h '86400' is more than 7 days; write the hours over which the sample was drawn"),
        (
            "72",
            "the composite sample of 72 h until 2024-07-20 00:00+08:00 began at 2024-07-17 00:00+08:00 but flow covers "
            "2024-07-18 00:00+08:00 to 2024-07-23 00:00+08:00; let the flow begin earlier, correct composite_h, or move "
            "since in suyuan.toml past the sample",
        ),
    ],
)
def test_a_composite_sample_that_cannot_be_is_a_fault_with_file_row_and_value(
    project: Path, hours: str, says: str
):
    composite(project, hours)
    assert only(project).startswith(f"observations.csv, row 2: {says}")


def test_composite_samples_are_accepted_and_may_reach_back_before_the_window(project: Path):
    composite(project, "24")
    assert notes(project) == []


def test_many_composites_that_began_before_the_flow_are_counted(project: Path):
    edit(project / "suyuan.toml", "since = 2024-07-20", "since = 2024-07-18")
    change(project / "observations.csv", lambda f: f.assign(composite_h="150"))
    found = faults(project)
    assert len(found) == 21
    rows = len(pd.read_csv(project / "observations.csv"))
    assert found[0] == (
        f"observations.csv: {rows - 20:,} more composite samples began before the flow; let the flow begin earlier"
    )


def test_a_window_must_hold_readings(project: Path):
    edit(project / "suyuan.toml", "since = 2024-07-20T00:00:00+08:00", "since = 2024-07-18T00:00:00+08:00")
    edit(project / "suyuan.toml", "until = 2024-07-23T00:00:00+08:00", "until = 2024-07-19T00:00:00+08:00")
    assert only(project) == (
        "observations.csv: no reading lies in the window; they run from 2024-07-20 00:00+08:00 to "
        "2024-07-23 00:00+08:00; correct since and until in suyuan.toml, or the times"
    )


def test_the_traced_determinand_must_have_been_read(project: Path):
    edit(project / "suyuan.toml", 'determinand = "NH3-N"', 'determinand = "COD"')
    assert only(project) == (
        "observations.csv: the window holds no reading of COD, the determinand to be traced; "
        "set determinand in suyuan.toml to one of: EC, NH3-N, TP"
    )


def test_readings_all_below_detection_are_accepted_and_noted(project: Path):
    change(project / "observations.csv", lambda f: f.assign(qualifier="<"))
    assert notes(project) == [
        "observations.csv: all 92 readings of NH3-N in the window are below detection; "
        "they can only say who did not do it; use a finer method or another determinand"
    ]


def test_stations_without_readings_and_readings_outside_the_window_are_noted(project: Path):
    change(project / "observations.csv", lambda f: f[f["station"] == "S1"])
    edit(project / "suyuan.toml", "until = 2024-07-23T00:00:00+08:00", "until = 2024-07-22T00:00:00+08:00")
    assert notes(project) == [
        "observations.csv: 72 of 219 readings lie outside the window and are not used; "
        "widen since and until in suyuan.toml to use them",
        "observations.csv: no reading in the window from station S2; nothing to do if none was taken",
    ]


@pytest.mark.parametrize(("factor", "unit"), [(1000.0, "mg/L"), (1.0, "ug/L")])
def test_micrograms_and_milligrams_mixed_up_are_noticed(project: Path, factor: float, unit: str):
    def mix_up(frame: pd.DataFrame) -> pd.DataFrame:
        rows = (frame["station"] == "S1") & (frame["determinand"] == "NH3-N")
        frame.loc[rows, "unit"] = unit
        frame.loc[rows, "value"] = frame.loc[rows, "value"].astype(float) * factor
        return frame

    change(project / "observations.csv", mix_up)
    fault = only(project)
    assert fault.startswith("observations.csv, row 2: the median of NH3-N at 'S1', ")
    assert (
        "is out of the usual 0.003 to 100; the unit is probably wrong (ug/L as mg/L, mS/cm as uS/cm)" in fault
    )


def test_a_station_a_thousand_times_above_the_others_is_noticed(project: Path):
    def mix_up(frame: pd.DataFrame) -> pd.DataFrame:
        rows = (frame["station"] == "S2") & (frame["determinand"] == "TP")
        frame.loc[frame["determinand"] == "TP", "value"] = 0.01
        frame.loc[rows, "value"] = 10.0
        return frame

    change(project / "observations.csv", mix_up)
    assert "the median of TP at 'S2', 10 mg/L, is 1e+03 times that of the other stations; the unit" in only(
        project
    )


def test_single_impossible_readings_are_noted_not_refused(project: Path):
    change(project / "observations.csv", lambda f: f.assign(value=["-9", *list(f["value"])[1:]]))
    assert notes(project) == [
        "observations.csv, row 2: 1 readings of NH3-N at 'S1' lie outside 0 to 2000 mg/L, first -9; they are "
        "flagged and not used; correct or delete them if they are known to be wrong"
    ]


def test_readings_that_contradict_are_faults_and_repeats_are_notes(project: Path):
    change(project / "observations.csv", lambda f: pd.concat([f, f.iloc[:3]]))
    assert notes(project) == [
        "observations.csv, row 278: 3 readings repeat an earlier one exactly; "
        "the repeats are flagged and not used; nothing to do"
    ]
    change(project / "observations.csv", lambda f: pd.concat([f.iloc[:276], f.iloc[:1].assign(value="0.9")]))
    assert only(project) == (
        "observations.csv, row 278: NH3-N at 'S1' has 2 different readings (0.35, 0.9) at "
        "2024-07-19T16:00:00 UTC; keep one, or tell replicate samples apart by sample_id"
    )


def still(network: Network, folder: Path, *, reach: str, volume: float) -> None:
    flow = read_flow(folder / "flow.csv", timezone="UTC", network=network)
    column = flow.reaches.index(reach)
    for name in ("discharge_start", "discharge_end"):
        getattr(flow, name)[:, column] = 0.0
    flow.volume[:, column] = volume
    upstream = flow.reaches.index("R3"), flow.reaches.index("R4")
    for name in ("discharge_start", "discharge_end"):
        getattr(flow, name)[:, upstream] = 2.4
    flow.inflow[:, flow.boundaries.index("B2")] = 0.0
    write_flow(flow, folder / "flow.csv")


def test_a_station_in_water_that_never_flows_is_a_fault(project: Path):
    still(read_network(project / "network.gpkg"), project, reach="R2", volume=900.0)
    assert only(project) == (
        "flow.csv: station 'S2' has readings but its reach 'R2' never flows; "
        "correct the discharge of the reach, put the station on another, or leave its readings out"
    )


def test_standing_and_dry_reaches_without_readings_are_noted(project: Path):
    still(read_network(project / "network.gpkg"), project, reach="R2", volume=0.0)
    change(project / "observations.csv", lambda f: f[f["station"] == "S1"])
    found = notes(project)
    assert "flow.csv: 1 reach dry for a time: R2; a film of water is assumed in them" in found[0]
    assert "flow.csv: 1 reach without any flow: R2; nothing is traced into or out of them" in found[1]
    drawn = read_network(project / "network.gpkg")
    gated = replace(drawn, structures=(*drawn.structures, Structure("G2", "R2", "gate")))
    write_network(gated, project / "network.gpkg")  # what never holds water is a link: nothing fell dry
    assert not any("dry" in note for note in notes(project))


def test_flow_that_misses_continuity_by_more_than_a_fifth_is_refused(project: Path):
    def leak(frame: pd.DataFrame) -> pd.DataFrame:
        rows = frame["reach"].isin(["R3", "R4"])
        frame.loc[rows, ["discharge_start", "discharge_end"]] = "9.9"
        return frame

    change(project / "flow.csv", leak)
    assert "flow.csv: the flow misses continuity by" in only(project)
    assert "at most 20% can be closed" in only(project)


def test_flow_that_nearly_closes_is_accepted_and_its_size_reported(project: Path):
    edit(project / "flow.csv", "R3,3.2,3.2,", "R3,3.3,3.3,")
    found = check(project)
    assert found.is_usable
    # by hand: 0.1 m3/s too much leaves J1 and reaches J2; through the nodes go 2.4 + 0.8 + 3.3 + 3.3 + 3.2
    assert f"misses continuity by {0.2 / 13.0:.1%}" in found.summary["water balance"]
    assert "most at node 'J" in found.summary["water balance"]


def test_flow_of_other_reaches_is_refused(project: Path):
    edit(project / "flow.csv", ",R4,", ",R5,")
    assert faults(project) == [
        "flow.csv: 1 of 4 reaches of the network have no flow: R4; "
        "give every reach its discharges and volume, 0 m3/s where the water stands",
        "flow.csv: reach 'R5' is not in the network; did you mean 'R4'?"
        if "R4'?" in faults(project)[1]
        else faults(project)[1],
    ]


def test_a_half_written_netcdf_is_one_fault_among_others(project: Path):
    flow = read_flow(project / "flow.csv", timezone="UTC")
    write_flow(flow, project / "flow.nc")
    (project / "flow.nc").write_bytes((project / "flow.nc").read_bytes()[:3000])
    edit(project / "suyuan.toml", 'flow = "flow.csv"', 'flow = "flow.nc"')
    edit(project / "fingerprints.csv", "storm,", "strom,")
    found = faults(project)
    assert (
        "fingerprints.csv: kind 'strom' is neither a kind of outfall nor an outfall's id; did you mean"
        in found[0]
    )
    assert "flow.nc: cannot be read as NetCDF, it may be half-written" in found[1]


def test_columns_and_layers_that_are_not_read_are_noted(project: Path):
    change(project / "observations.csv", lambda f: f.assign(weather="rain"))
    change(project / "fingerprints.csv", lambda f: f.assign(laboratory="A")[lambda g: g["kind"] != "storm"])
    assert notes(project) == [
        "fingerprints.csv: column 'laboratory' is not used; nothing to do; suyuan does not read it",
        "fingerprints.csv: no fingerprint for outfalls of kind storm; "
        "they are told apart by time and place only; add rows",
        "observations.csv: column 'weather' is not used; nothing to do; suyuan does not read it",
    ]


def test_what_the_settings_leave_out_is_noted(project: Path):
    (project / "suyuan.toml").write_text('[files]\nnetwork = "network.gpkg"\n')
    assert [note.partition(";")[0] for note in notes(project)] == [
        "suyuan.toml: [files] names no flow",
        "suyuan.toml: [files] names no observations",
        "suyuan.toml: [trace] gives no window",
        "suyuan.toml: [trace] names no determinand",
    ]


def test_a_folder_that_cannot_be_written_is_noted_with_a_way_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert notes(project) == ["example: results cannot be written into this folder; name another with --out"]


def test_readings_minute_by_minute_are_no_doubles(project: Path):
    hours = np.datetime_as_string(np.datetime64("2024-07-20T00:00") + np.arange(3 * 1440), timezone="UTC")
    rows = [f"{t},S{1 + i % 2},{d},0.{1 + i % 9},mg/L" for i, t in enumerate(hours) for d in ("TP", "NH3-N")]
    text = "time,station,determinand,value,unit\n" + "\n".join(rows)
    (project / "observations.csv").write_text(text)
    found = check(project)
    assert found.is_usable, found
    assert found.summary["observations"].startswith("8,640 readings")


def test_a_check_prints_its_summary_notes_and_faults():
    found = Check((Fault("a.csv", 2, "x", "y"),), (Fault("b.csv", 0, "u", "v"),), {"project": "p"})
    assert str(found) == "project: p\nnote: b.csv: u; v\nfault: a.csv, row 2: x; y"


def test_a_netcdf_with_a_gap_is_one_fault(project: Path):
    write_flow(read_flow(project / "flow.csv", timezone="UTC"), project / "flow.nc")
    with netCDF4.Dataset(project / "flow.nc", "a") as data:
        data["discharge_start"][7, 2] = np.nan
    edit(project / "suyuan.toml", 'flow = "flow.csv"', 'flow = "flow.nc"')
    assert (
        "flow.nc: discharge_start of reach 'R3' is NaN in 1 bins, first at 2024-07-17T23:00:00 UTC"
        in only(project)
    )


def with_members(project: Path, *, spoilt: float = 1.0) -> Path:
    """Give the example an ensemble in place of its flow: of three members one has so much of its discharge in one reach."""
    flow = read_flow(project / "flow.csv", timezone="Asia/Shanghai")
    lost = flow.discharge_start.copy()
    lost[:, flow.reaches.index("R4")] *= spoilt
    members = [
        flow,
        replace(flow, volume=1.1 * flow.volume),
        replace(flow, discharge_start=lost, discharge_end=lost),
    ]
    write_flow_members(members, project / "members.nc", names=["a", "b", "c"])
    (project / "flow.csv").unlink()
    edit(project / "suyuan.toml", 'flow = "flow.csv"', 'flow_members = "members.nc"')
    return project


def test_an_ensemble_of_flows_is_checked_member_by_member(project: Path):
    found = check(with_members(project))
    assert (found.faults, found.notes) == ((), ())
    assert found.summary["flow members"] == "3, which miss continuity by 0.0% to 0.0% before closure"
    assert found.summary["flow"].endswith("120 bins")


def test_a_member_that_does_not_close_or_does_not_cover_the_window_is_a_fault(project: Path):
    assert only(with_members(project, spoilt=-1.0)).startswith(
        "members.nc, member 'c': the flow misses continuity by"
    )
    edit(project / "suyuan.toml", "until = 2024-07-23", "until = 2024-07-30")
    edit(project / "suyuan.toml", 'flow_members = "members.nc"', 'flow_members = "fingerprints.csv"')
    assert faults(project)[0].startswith(
        "fingerprints.csv: '.csv' is not a kind of file that holds flow members; save them as NetCDF"
    )
