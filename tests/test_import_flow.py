"""A hydraulic model's flow becomes that of a project: what is written, what is kept, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from suyuan.cli import app
from suyuan.errors import InputError
from suyuan.flow import FlowField, balanced
from suyuan.import_run import import_flow_with_page
from suyuan.io.flow import read_flow, write_flow
from suyuan.io.import_flow import FlowAsk, ImportedFlow, import_flow
from suyuan.io.models.model import Model
from suyuan.io.models.read_model import (
    DFLOWFM,
    EPANET,
    HECRAS,
    RIBASIM,
    SWMM,
    form_of,
    on_network,
    read_model,
)
from suyuan.io.network import read_network
from suyuan.io.network_writer import write_network
from suyuan.io.new_project import new_project
from suyuan.io.project import read_project
from suyuan.network import Network, Node, Outfall, Reach, Station

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
START = np.datetime64("2024-07-20T00:00:00")
DATA = Path(__file__).parents[2] / "shared" / "data"


def _network() -> Network:
    nodes = (
        Node("A", "boundary", point=(0.0, 0.0)),
        Node("J", point=(900.0, 0.0)),
        Node("O", "outlet", point=(2e3, 0.0)),
    )
    reaches = (Reach("R1", "A", "J", 900.0), Reach("R2", "J", "O", 1100.0))
    return Network(nodes, reaches, crs="EPSG:4549", source="own.gpkg")


def _flow(*, gap: float = 0.0, bins: int = 6) -> FlowField:
    """2 m3/s through both reaches, `gap` more through the second."""
    q = np.tile([2.0, 2.0 + gap], (bins, 1))
    return FlowField(START, 3600.0 * np.arange(bins + 1), ("R1", "R2"), q, q, np.full((bins + 1, 2), 1e4))


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    """A flow and a network as a user has them, outside of any project."""
    flow, network = tmp_path / "model.nc", tmp_path / "own.gpkg"
    write_flow(_flow(gap=0.1), flow)
    write_network(_network(), network)
    return flow, network


def _import(source: Path, folder: Path, **asked: object) -> ImportedFlow:
    return import_flow(source, folder, ask=FlowAsk(**asked), now=NOW, progress=lambda what, share: None)  # type: ignore[arg-type]


def _suyuan(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_folder_becomes_a_project_that_can_be_read(given: tuple[Path, Path], tmp_path: Path):
    flow, network = given
    done = _import(flow, tmp_path / "river", network=network)
    project = read_project(tmp_path / "river")
    assert project.files.flow is not None
    read = read_flow(project.files.flow, timezone=project.zone, network=read_network(project.files.network))
    np.testing.assert_array_equal(read.discharge_start, _flow(gap=0.1).discharge_start)
    assert read.start == START
    assert [path.name for path in done.files] == ["flow.nc", "network.gpkg", "suyuan.toml"]
    assert done.notes == (("draw", "network.gpkg"),)
    drawn = replace(_network(), outfalls=(Outfall("F1", "R1", 100.0),), stations=(Station("S1", "R2", 50.0),))
    write_network(drawn, tmp_path / "drawn.gpkg")
    assert _import(flow, tmp_path / "other", network=tmp_path / "drawn.gpkg").notes == ()


def test_the_report_says_how_far_the_flow_was_from_closing_and_where(
    given: tuple[Path, Path], tmp_path: Path
):
    """2 m3/s reach J and 2.1 leave it: 0.1 of all nodes' through-flow, 2 + 2.1 + 2.1; either side changes by half."""
    done = _import(given[0], tmp_path / "river", network=given[1])
    closure = done.to_dict()["closure"]
    assert closure["residual_before"] == pytest.approx(0.1 / 6.2, rel=1e-6)
    assert closure["residual_after"] < 1e-15
    changes = {row["reach"]: row["largest"] for row in closure["corrections"]}
    assert changes["R1"] + changes["R2"] == pytest.approx(0.1, rel=1e-9)
    assert changes["R1"] == pytest.approx(0.05, rel=0.1)


def test_the_same_flow_again_changes_nothing(given: tuple[Path, Path], tmp_path: Path):
    folder = tmp_path / "river"
    _import(given[0], folder, network=given[1])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = _import(given[0], folder)
    assert not done.is_changed
    assert ("unchanged", "flow.nc") in done.notes
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_another_flow_keeps_the_former_one_and_the_network(given: tuple[Path, Path], tmp_path: Path):
    folder = tmp_path / "river"
    _import(given[0], folder, network=given[1])
    first, network = (folder / "flow.nc").read_bytes(), (folder / "network.gpkg").read_bytes()
    write_flow(_flow(gap=0.2), given[0])
    done = _import(given[0], folder)
    assert ("former", str(Path("former") / "flow-20261129T120000Z.nc")) in done.notes
    assert (folder / "former/flow-20261129T120000Z.nc").read_bytes() == first
    assert (folder / "network.gpkg").read_bytes() == network
    assert (folder / "flow.nc").read_bytes() != first


def test_files_that_no_project_names_are_not_written_over(given: tuple[Path, Path], tmp_path: Path):
    folder = tmp_path / "river"
    folder.mkdir()
    (folder / "network.gpkg").write_bytes(b"somebody's own")
    with pytest.raises(InputError, match=r"network.gpkg: is there already, and no suyuan.toml says whose"):
        _import(given[0], folder, network=given[1])
    assert (folder / "network.gpkg").read_bytes() == b"somebody's own"
    assert [path.name for path in folder.iterdir()] == ["network.gpkg"]


def test_the_same_files_may_be_imported_again_and_so_may_a_newer_flow(
    given: tuple[Path, Path], tmp_path: Path
):
    folder = tmp_path / "river"
    _import(given[0], folder, network=given[1])
    assert not _import(given[0], folder, network=given[1]).is_changed
    write_flow(_flow(gap=0.2), given[0])
    done = _import(given[0], folder, network=given[1])
    assert [path.name for path in done.files] == ["flow.nc", "flow-20261129T120000Z.nc"]


def test_what_was_drawn_since_is_kept_when_the_same_network_is_named_again(
    given: tuple[Path, Path], tmp_path: Path
):
    folder, drawn = tmp_path / "river", replace(_network(), outfalls=(Outfall("F1", "R1", 100.0),))
    _import(given[0], folder, network=given[1])
    write_network(drawn, folder / "network.gpkg")
    _import(given[0], folder, network=given[1])
    assert [outfall.id for outfall in read_network(folder / "network.gpkg").outfalls] == ["F1"]


def test_a_newer_network_takes_the_place_of_the_former_which_is_kept(
    given: tuple[Path, Path], tmp_path: Path
):
    folder, longer = tmp_path / "river", replace(_network().reaches[0], length_m=950.0)
    _import(given[0], folder, network=given[1])
    write_network(replace(_network(), reaches=(longer, _network().reaches[1])), given[1])
    done = _import(given[0], folder, network=given[1])
    assert read_network(folder / "network.gpkg").reach("R1").length_m == 950.0
    assert done.notes == (("former", "former/network-20261129T120000Z.gpkg"),)
    assert read_network(folder / "former/network-20261129T120000Z.gpkg").reach("R1").length_m == 900.0


def test_a_newer_network_that_lacks_an_outfall_drawn_in_the_former_is_refused(
    given: tuple[Path, Path], tmp_path: Path
):
    folder, longer = tmp_path / "river", replace(_network().reaches[0], length_m=950.0)
    _import(given[0], folder, network=given[1])
    write_network(replace(_network(), outfalls=(Outfall("F1", "R1", 100.0),)), folder / "network.gpkg")
    write_network(replace(_network(), reaches=(longer, _network().reaches[1])), given[1])
    with pytest.raises(
        InputError, match=r"own\.gpkg would replace .* lacks .*: outfall 'F1'; draw them into"
    ):
        _import(given[0], folder, network=given[1])
    assert read_network(folder / "network.gpkg").reach("R1").length_m == 900.0


def test_a_project_may_name_the_files_that_an_import_is_to_make(given: tuple[Path, Path], tmp_path: Path):
    files = 'network = "canals.gpkg"\nflow = "flow.csv"\nobservations = "later.csv"\ngauges = "none.csv"'
    folder = tmp_path / "river"
    folder.mkdir()
    (folder / "suyuan.toml").write_text(f"[files]\n{files}\n", "utf-8")
    done = _import(given[0], folder, network=given[1])
    assert [path.name for path in done.files] == ["flow.nc", "canals.gpkg"]
    assert done.notes == (("name_flow", "flow.nc"),)


def test_a_network_named_in_another_folder_is_told_where_the_import_put_it(
    given: tuple[Path, Path], tmp_path: Path
):
    folder = tmp_path / "river"
    folder.mkdir()
    (folder / "suyuan.toml").write_text('[files]\nnetwork = "data/network.gpkg"\nflow = "flow.nc"\n', "utf-8")
    done = _import(given[0], folder, network=given[1])
    assert done.files == (folder / "flow.nc", folder / "network.gpkg")
    assert done.notes == (("name_network", "network.gpkg"),)


def test_a_new_project_in_which_nothing_is_drawn_takes_the_model_s_network(
    given: tuple[Path, Path], tmp_path: Path
):
    new_project(tmp_path / "new")
    done = _import(given[0], tmp_path / "new", network=given[1])
    assert read_network(tmp_path / "new" / "network.gpkg").reach("R2").length_m == 1100.0
    assert ("name_flow", "flow.nc") in done.notes


def test_a_flow_that_has_no_hour_in_common_with_the_window_is_refused(
    given: tuple[Path, Path], tmp_path: Path
):
    folder = tmp_path / "river"
    _import(given[0], folder, network=given[1])
    settings = folder / "suyuan.toml"
    window = '[trace]\ndeterminand = "NH3-N"\nsince = 2025-01-01T00:00:00Z\nuntil = 2025-01-03T00:00:00Z\n'
    settings.write_text(settings.read_text("utf-8").replace("# [trace]", window + "#"), "utf-8")
    write_flow(_flow(gap=0.2), given[0])
    before = (folder / "flow.nc").read_bytes()
    with pytest.raises(InputError, match=r"the project's window 2025-01-01 .* no hour in common; .*--begin"):
        _import(given[0], folder)
    assert (folder / "flow.nc").read_bytes() == before
    moved = _import(given[0], folder, begin="2025-01-01T00:00+00:00")
    assert moved.model.flow.start == np.datetime64("2025-01-01T00:00:00")
    assert [code for code, _ in moved.notes] == ["part_of_window", "former"]


def test_a_flow_that_has_no_hour_in_common_with_the_readings_is_refused(
    given: tuple[Path, Path], tmp_path: Path
):
    folder = tmp_path / "river"
    _import(given[0], folder, network=given[1])
    rows = "time,station,determinand,value,unit,qualifier\n2023-03-01T08:00:00+08:00,S,NH3-N,0.5,mg/L,\n"
    (folder / "observations.csv").write_text(rows, "utf-8")
    settings = folder / "suyuan.toml"
    settings.write_text(settings.read_text("utf-8").replace("# observations", "observations"), "utf-8")
    write_flow(_flow(gap=0.2), given[0])
    with pytest.raises(
        InputError, match=r"the project's readings 2023-03-01 08:00\+08:00 to .* no hour in common"
    ):
        _import(given[0], folder)


def test_reaches_that_the_model_does_not_know_are_named_with_the_nearest(
    given: tuple[Path, Path], tmp_path: Path
):
    network = _network()
    write_network(
        replace(network, reaches=(replace(network.reaches[0], id="R11"), network.reaches[1])), given[1]
    )
    with pytest.raises(InputError, match=r"reach 'R11' is not in model.nc; did you mean 'R1'") as said:
        _import(given[0], tmp_path / "river", network=given[1])
    assert "1 of 2 reaches are not in model.nc; give the table rows of every reach" in str(said.value)
    assert not (tmp_path / "river").exists()


def test_links_of_the_model_that_the_network_lacks_are_left_out_and_told():
    network = _network()
    flow = _flow()
    names = ("discharge_start", "discharge_end", "volume")
    wide = {
        name: np.hstack([getattr(flow, name)[:, ::-1], np.full((len(getattr(flow, name)), 1), 9.0)])
        for name in names
    }
    wider = replace(
        flow, reaches=("R2", "R1", "X9"), boundaries=("A", "Q"), inflow=np.tile([2.0, 5.0], (6, 1)), **wide
    )
    model = on_network(Model("SWMM 5", network, wider), network)
    assert model.flow.reaches == ("R1", "R2")
    assert model.flow.boundaries == ("A",)
    assert "Not in own.gpkg, their flow left out: 1 link of the model" in str(model.notes[0])
    assert "X9" in str(model.notes[0])
    assert balanced(model.flow, network).balance.residual_share < 1e-15


def test_a_flow_that_cannot_be_closed_is_refused_and_nothing_is_written(
    given: tuple[Path, Path], tmp_path: Path
):
    write_flow(_flow(gap=8.0), given[0])
    with pytest.raises(InputError, match=r"most at node 'J' \(8 m3/s of 10\)"):
        _import(given[0], tmp_path / "river", network=given[1])
    assert not (tmp_path / "river").exists()


TABLE = "time,reach,discharge_start,discharge_end,volume\n" + "".join(
    f"2024-07-20T0{hour}:00Z,{reach},2,2,10000\n" for hour in range(3) for reach in ("R1", "R2")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            TABLE.replace(",R2,2,2,10000\n", ",R2,2,2,-5\n", 1),
            r"volume of reach 'R2' is -5 m3 at .*; a volume cannot be negative",
        ),
        (
            TABLE.rstrip("\n")[: -len(",2,2,10000")],
            r"flow.csv, row 7: .*R2' has 2 cells where the header has 5",
        ),
        (TABLE[:60], r"flow.csv.*"),
        ("", r"flow.csv: the file is empty"),
    ],
)
def test_a_faulty_table_is_refused_with_its_place(
    text: str, said: str, given: tuple[Path, Path], tmp_path: Path
):
    table = tmp_path / "flow.csv"
    table.write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        _import(table, tmp_path / "river", network=given[1])
    assert not (tmp_path / "river").exists()


def test_a_truncated_netcdf_is_refused(given: tuple[Path, Path], tmp_path: Path):
    whole = given[0].read_bytes()
    given[0].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"model.nc: cannot be read"):
        _import(given[0], tmp_path / "river", network=given[1])


def test_a_flow_in_another_unit_is_refused_rather_than_taken_for_cubic_metres(
    given: tuple[Path, Path], tmp_path: Path
):
    from netCDF4 import Dataset

    with Dataset(given[0], "a") as data:
        data["discharge_end"].units = "ft3 s-1"
    with pytest.raises(InputError, match=r"model.nc: discharge_end is in 'ft3 s-1'; convert it to m3/s"):
        _import(given[0], tmp_path / "river", network=given[1])


def test_a_table_needs_a_network(given: tuple[Path, Path], tmp_path: Path):
    with pytest.raises(InputError, match=r"does not say how the reaches hang together; give the network"):
        _import(given[0], tmp_path / "river")


@pytest.mark.parametrize("name", ["notes.docx", "model.inp", "data.nc", "data.h5"])
def test_a_file_of_no_known_form_is_told_the_forms_there_are(name: str, tmp_path: Path):
    from netCDF4 import Dataset

    path = tmp_path / name
    if path.suffix in (".nc", ".h5"):
        Dataset(path, "w").close()
    else:
        path.write_text("[CHANNELS]\nnothing of ours\n")
    with pytest.raises(
        InputError, match=r"is not a form of model that is known here; known are: SWMM 5 .*MIKE 1D"
    ):
        read_model(path)


def test_a_missing_model_is_told_its_neighbour(given: tuple[Path, Path]):
    with pytest.raises(
        InputError, match=r"modell.nc: there is no such file; beside it, did you mean 'model.nc'"
    ):
        read_model(given[0].with_name("modell.nc"))


def test_forms_are_told_by_what_files_hold(tmp_path: Path):
    from netCDF4 import Dataset

    (tmp_path / "a.inp").write_text("[TITLE]\nx\n[JUNCTIONS]\n[CONDUITS]\n")
    (tmp_path / "b.inp").write_text("[TITLE]\n[JUNCTIONS]\n[PIPES]\n")
    (tmp_path / "c.toml").write_text('ribasim_version = "2025.1"\n')
    with Dataset(tmp_path / "d.nc", "w") as data:
        data.createVariable("mesh1d", "i4").cf_role = "mesh_topology"
    with Dataset(tmp_path / "e.hdf", "w") as data:
        data.setncattr("File Type", "HEC-RAS Results")
    forms = [form_of(path) for path in sorted(tmp_path.iterdir())]
    assert forms == [SWMM, EPANET, RIBASIM, DFLOWFM, HECRAS]


def test_a_network_is_no_model(given: tuple[Path, Path]):
    with pytest.raises(InputError, match=r"own.gpkg: is a network of suyuan, which has no flow; .*--network"):
        read_model(given[1])


def test_the_database_of_a_ribasim_model_asks_for_its_settings(tmp_path: Path):
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(tmp_path / "database.gpkg")) as database:
        database.execute("create table Node (fid integer)")
    with pytest.raises(
        InputError, match=r"database.gpkg: is the database of a Ribasim model, .*name its .toml"
    ):
        read_model(tmp_path / "database.gpkg")


def test_results_without_their_model_are_refused(tmp_path: Path):
    (tmp_path / "alone.out").write_bytes(np.array([516114522, 52004], "<i4").tobytes())
    with pytest.raises(InputError, match=r"there is no alone.inp beside it"):
        read_model(tmp_path / "alone.out")


def test_the_verb_says_what_it_did_in_both_languages(given: tuple[Path, Path], tmp_path: Path):
    from matplotlib.image import imread

    said = _suyuan("import", "flow", given[0], "--network", given[1], "--to", tmp_path / "a", "--lang", "zh")
    assert said.exit_code == 0, said.output
    assert "水量平衡" in said.stdout
    page = (tmp_path / "a/results/closure.html").read_text("utf-8")
    assert "Imported flow and its closure" in page
    assert "水流导入与水量闭合" in page
    assert imread(tmp_path / "a/results/closure.png").std() > 0.0  # a picture with something on it
    lone = replace(_network(), nodes=_network().nodes[:2], reaches=_network().reaches[:1])
    write_network(replace(lone, nodes=(lone.nodes[0], Node("J", "outlet"))), tmp_path / "lone.gpkg")
    for lang, left in (
        ("zh", "模型中有 1 条连线不在 lone.gpkg 中"),
        ("en", "flow left out: 1 link of the model, R2"),
    ):
        words = ("--network", tmp_path / "lone.gpkg", "--to", tmp_path / lang, "--lang", lang)
        assert left in _suyuan("import", "flow", given[0], *words).stdout
    found = _suyuan("import", "flow", given[0], "--network", given[1], "--to", tmp_path / "b", "--json")
    whole = json.loads(found.stdout)
    assert whole["reaches"] == 2
    assert whole["begin"] == "2024-07-20T08:00:00+08:00"
    assert whole["units"] == {"discharge": "m3/s", "volume": "m3"}
    wrong = _suyuan("import", "flow", given[0], "--to", tmp_path / "c")
    assert wrong.exit_code == 1
    assert "give the network" in wrong.stderr
    assert not (tmp_path / "c").exists()


def test_an_extran_sewer_of_swmm_is_imported_whole(tmp_path: Path):
    path = DATA / "swmm_nrtestsuite" / "extran_extran1.inp"
    if not path.is_file():
        pytest.skip("needs ../shared/data/swmm_nrtestsuite")
    folder, ask = tmp_path / "sewer", FlowAsk()
    done = import_flow_with_page(path, folder, ask=ask, now=NOW, lang="en", progress=lambda what, share: None)
    assert done.model.form == "SWMM 5"
    project = read_project(folder)
    assert project.files.flow is not None
    network = read_network(project.files.network)
    read = balanced(read_flow(project.files.flow, timezone=project.zone, network=network), network)
    np.testing.assert_allclose(read.discharge_start, done.closed.discharge_start, atol=1e-12)
    assert read.balance.residual_after < 1e-14
