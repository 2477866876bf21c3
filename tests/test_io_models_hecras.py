"""HEC-RAS: two real plans with steady results, and unsteady plans built here from the published layout."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from level_pool import INTO_A, LATERAL, LENGTH, SECONDS, WIDTH, depth, discharge

from suyuan.errors import InputError
from suyuan.flow import balanced

if find_spec("h5py") is None:
    pytest.skip("HEC-RAS needs h5py (extra `models`)", allow_module_level=True)

import h5py

from suyuan.io.models.hecras import read_hecras, read_hecras_network
from suyuan.io.models.hecras_sections import Section, water_between, wet_area

REAL = Path(__file__).parents[1].parent / "shared/data/hecras_hdf"
SERIES = "Results/Unsteady/Output/Output Blocks/Base Output/Unsteady Time Series"
BRANCHES = ("AJ", "BJ", "JC")
STATIONS = np.linspace(0.0, LENGTH, 10)


def plan(
    path: Path,
    *,
    foot: float = 0.3048,
    system: str = "US Customary",
    cumulated: bool = False,
    lateral_at: float = np.inf,
) -> Path:
    """Write the level pool as HEC-RAS writes an unsteady 1-D plan, in feet or metres."""
    names = np.dtype([("River", "S16"), ("Reach", "S16"), ("RS", "S8")])
    numbers = [(n, "f4") for n in ("Len Left", "Len Channel", "Len Right", "Left Bank", "Right Bank")]
    sections = [(b, x) for b in BRANCHES for x in STATIONS]
    step = LENGTH / (len(STATIONS) - 1)
    with h5py.File(path, "w") as data:
        data.attrs["File Type"] = np.bytes_("HEC-RAS Results")
        if system:
            data.attrs["Units System"] = np.bytes_(system)
        rows = np.zeros(len(sections), np.dtype(names.descr + numbers))
        for row, (branch, x) in zip(rows, sections, strict=True):
            row["River"], row["Reach"], row["RS"] = "Canal", branch, f"{LENGTH - x:.0f}"
            for n in ("Len Left", "Len Channel", "Len Right"):
                row[n] = 0.0 if x == LENGTH else step / foot
            row["Left Bank"], row["Right Bank"] = 0.0, WIDTH / foot
        data["Geometry/Cross Sections/Attributes"] = rows
        ground = np.array([[0.0, 9.0], [1e-4, 0.0], [WIDTH - 1e-4, 0.0], [WIDTH, 9.0]]) / foot
        data["Geometry/Cross Sections/Station Elevation Values"] = np.tile(ground, (len(sections), 1))
        data["Geometry/Cross Sections/Station Elevation Info"] = [[4 * i, 4] for i in range(len(sections))]
        text = [(n, "S16") for n in ("River Name", "Reach Name", "US Type", "US Name", "DS Type", "DS Name")]
        centre = np.zeros(3, np.dtype([*text, ("Junction to US XS", "f4"), ("DS XS to Junction", "f4")]))
        for row, branch in zip(centre, BRANCHES, strict=True):
            row["River Name"], row["Reach Name"] = "Canal", branch
            row["US Type"], row["US Name"] = ("Junction", "J") if branch[0] == "J" else ("External", "")
            row["DS Type"], row["DS Name"] = ("Junction", "J") if branch[1] == "J" else ("External", "")
            row["Junction to US XS"] = row["DS XS to Junction"] = np.nan
        data["Geometry/River Centerlines/Attributes"] = centre
        flow = np.column_stack([discharge(b, x, SECONDS, lateral_at=lateral_at) for b, x in sections])
        data[f"{SERIES}/Cross Sections/Flow"] = flow / foot**3
        data[f"{SERIES}/Cross Sections/Water Surface"] = np.tile(
            depth(SECONDS)[:, None] / foot, len(sections)
        )
        if cumulated:
            mean = 0.5 * (flow[1:] + flow[:-1]) * np.diff(SECONDS)[:, None] / foot**3
            carried = np.vstack([np.zeros(len(sections)), np.cumsum(mean, axis=0)])
            data[f"{SERIES}/Cross Sections/Flow Volume Cumulative"] = carried
            data[f"{SERIES}/Cross Sections/Flow"][:] = 0.0
        given = np.dtype([("River", "S16"), ("Reach", "S16"), ("Station", "S8"), ("Name", "S16")])
        listed = np.zeros(len(sections), given)
        for n, m in (("River", "River"), ("Reach", "Reach"), ("Station", "RS")):
            listed[n] = rows[m]
        data[f"{SERIES}/Cross Sections/Cross Section Attributes"] = listed
        hours = [f"{1 + h // 24:02d}JUL2024 {h % 24:02d}:00:00" for h in range(len(SECONDS))]
        data[f"{SERIES}/Time Date Stamp"] = np.array(hours, dtype="S20")
    return path


@pytest.mark.parametrize(
    ("foot", "system", "cumulated"),
    [(0.3048, "US Customary", False), (1.0, "SI Units", False), (0.3048, "US Customary", True)],
)
def test_rivers_between_junctions_hold_area_times_length(
    tmp_path: Path, foot: float, system: str, cumulated: bool
) -> None:
    model = read_hecras(plan(tmp_path / "pool.p01.hdf", foot=foot, system=system, cumulated=cumulated))
    assert model.flow.reaches == tuple(f"Canal {b}" for b in BRANCHES)
    assert model.flow.start == np.datetime64("2024-07-01T00:00:00")
    expected = np.repeat(WIDTH * LENGTH * depth(SECONDS)[:, None], 3, axis=1)
    np.testing.assert_allclose(model.flow.volume, expected, rtol=1e-4)
    middle = 0.5 * (SECONDS[1:] + SECONDS[:-1])
    for b, branch in enumerate(BRANCHES):
        np.testing.assert_allclose(
            model.flow.discharge_start[:, b], discharge(branch, 0.0, middle), rtol=1e-9
        )
        np.testing.assert_allclose(
            model.flow.discharge_end[:, b], discharge(branch, LENGTH, middle), rtol=1e-9
        )
    kinds = [(n.id, n.kind) for n in model.network.nodes]
    assert kinds == [
        ("Canal AJ 900", "boundary"),
        ("J", "junction"),
        ("Canal BJ 900", "boundary"),
        ("Canal JC 0", "outlet"),
    ]
    closed = balanced(model.flow, model.network).balance
    assert max(closed.residual_share, closed.reach_share) < 1e-5
    assert closed.correction.max() < 1e-4


def test_a_lateral_hydrograph_enters_at_a_node_between_its_sections(tmp_path: Path) -> None:
    model = read_hecras(plan(tmp_path / "side.p01.hdf", lateral_at=450.0))
    node = next(n for n in model.network.nodes if n.id == "Canal JC 500~")
    assert node.kind == "boundary"
    closed = balanced(model.flow, model.network)
    gained = closed.external[:, model.network.node_index(node.id)]
    np.testing.assert_allclose(gained, LATERAL, rtol=1e-3)


def test_times_are_in_the_zone_that_is_given(tmp_path: Path) -> None:
    model = read_hecras(plan(tmp_path / "pool.p01.hdf"), timezone="Asia/Shanghai")
    assert model.flow.start == np.datetime64("2024-06-30T16:00:00")


@pytest.mark.parametrize(
    ("name", "reaches", "length_m"), [("Baxter", 3, 36607.15 * 0.3048), ("FLODENCR", 1, 1595.02)]
)
def test_real_plans_give_their_rivers_and_refuse_their_steady_flow(
    name: str, reaches: int, length_m: float
) -> None:
    path = REAL / f"{name}.p01.hdf"
    if not path.is_file():
        pytest.skip("needs ../shared/data/hecras_hdf")
    network = read_hecras_network(path)
    assert len(network.reaches) == reaches
    assert network.reaches[0].length_m == pytest.approx(length_m, rel=1e-5)
    with pytest.raises(InputError, match="holds steady results only; run an unsteady plan"):
        read_hecras(path)


def test_real_cross_sections_hold_what_hecras_found_at_its_steady_surface() -> None:
    """HEC-RAS writes total flow area with ineffective parts; ours is the same from the ground line, obstructions apart."""
    path = REAL / "Baxter.p01.hdf"
    if not path.is_file():
        pytest.skip("needs ../shared/data/hecras_hdf")
    from suyuan.io.models.hecras_geometry import geometry_of

    with h5py.File(path) as data:
        geometry = geometry_of(data, path.name)
        profiles = data["Results/Steady/Output/Output Blocks/Base Output/Steady Profiles/Cross Sections"]
        surface = profiles["Water Surface"][0] * 0.3048
        theirs = profiles["Additional Variables/Area including Ineffective Total"][0] * 0.3048**2
    ours = np.array([s.areas(np.array([w])).sum() for s, w in zip(geometry.sections, surface, strict=True)])
    assert np.median(np.abs(ours / theirs - 1.0)) < 0.002
    assert np.mean(np.abs(ours / theirs - 1.0) < 0.02) > 0.9


def test_area_of_a_trapezoid_by_hand() -> None:
    """Bed 4 m, banks 1 : 2, water 1.5 m deep: (4 + 10) / 2 x 1.5; above the banks it stands against walls."""
    station, ground = np.array([0.0, 4.0, 8.0, 12.0]), np.array([2.0, 0.0, 0.0, 2.0])
    area = wet_area(station, ground, surface=np.array([-1.0, 0.0, 1.5, 3.0]), left=0.0, right=12.0)
    np.testing.assert_allclose(area, [0.0, 0.0, 10.5, 16.0 + 12.0])


def test_ground_behind_a_levee_is_dry_until_water_tops_it() -> None:
    station, ground = np.array([0.0, 10.0, 20.0, 30.0]), np.zeros(4)
    levees = ((10.0, 2.0), (np.nan, np.nan))
    section = Section("1", station, ground, (10.0, 20.0), levees, (50.0, 100.0, 200.0))
    np.testing.assert_allclose(section.areas(np.array([1.0, 3.0])), [[0.0, 10.0, 10.0], [30.0, 30.0, 30.0]])
    between = water_between([section, section], [section.areas(np.array([3.0]))] * 2)
    assert between[0, 0] == pytest.approx(30.0 * (50.0 + 100.0 + 200.0))


def changed(path: Path, change: str) -> Path:
    with h5py.File(path, "a") as data:
        if change == "no results":
            del data["Results"]
        if change == "no surface":
            del data[f"{SERIES}/Cross Sections/Water Surface"]
        if change == "other section":
            listed = data[f"{SERIES}/Cross Sections/Cross Section Attributes"][:]
            listed["Station"][3] = "9999"
            data[f"{SERIES}/Cross Sections/Cross Section Attributes"][:] = listed
        if change == "no geometry":
            del data["Geometry"]
        if change == "one instant":
            stamps = data[f"{SERIES}/Time Date Stamp"][:1]
            del data[f"{SERIES}/Time Date Stamp"]
            data[f"{SERIES}/Time Date Stamp"] = stamps
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no results", "holds geometry only, no results"),
        ("no surface", "no 'Water Surface'"),
        ("other section", "section 'Canal AJ 600' of the geometry has no results"),
        ("no geometry", "there is no 'Geometry/Cross Sections/Attributes'"),
        ("one instant", "there is a single instant in it"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_hecras(changed(plan(tmp_path / "pool.p01.hdf"), change))


def test_units_that_are_missing_or_unknown_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the unit system is missing"):
        read_hecras(plan(tmp_path / "a.p01.hdf", system=""))
    with pytest.raises(InputError, match="the unit system 'Furlongs' is not known"):
        read_hecras(plan(tmp_path / "b.p01.hdf", system="Furlongs"))


def test_files_that_are_not_whole_or_of_another_kind_are_refused(tmp_path: Path) -> None:
    whole = plan(tmp_path / "pool.p01.hdf").read_bytes()
    cut = tmp_path / "cut.p01.hdf"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.p01\.hdf: cannot be read as HDF5"):
        read_hecras(cut)
    other = tmp_path / "other.hdf"
    other.write_text("Plan Title=Unsteady\n", "utf-8")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        read_hecras(other)


def test_the_flow_of_a_rising_pool_falls_along_the_canal(tmp_path: Path) -> None:
    model = read_hecras(plan(tmp_path / "pool.p01.hdf"))
    assert model.flow.discharge_start[0, 0] == pytest.approx(INTO_A)
    assert model.flow.discharge_end[0, 0] < INTO_A
