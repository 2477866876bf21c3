"""Flow from EPANET networks: a tree by hand with known demands, and published networks where they are at hand."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from suyuan.errors import InputError
from suyuan.flow import balanced

if find_spec("wntr") is None:
    pytest.skip("EPANET needs wntr (extra `epanet`)", allow_module_level=True)

from suyuan.io.import_flow import FlowAsk, import_flow
from suyuan.io.models.epanet_flow import NO_DATE, read_epanet
from suyuan.io.models.steps import means_over

NETWORKS = Path(__file__).parents[1].parent / "shared" / "data" / "epanet_networks"


def town(
    folder: Path,
    *,
    units: str = "LPS",
    scale: float = 1.0,
    name: str = "town.inp",
    times: str = "Duration 12:00",
    encoding: str = "utf-8",
) -> Path:
    """Invented: a lake fills a tank by a pump; the tank serves two streets, one of which takes twice as much by night."""
    m, mm = (1.0, 1.0) if units == "LPS" else (1.0 / 0.3048, 1.0 / 25.4)
    text = f"""
[JUNCTIONS]
 P 0 0
 甲街 0 {4.0 * scale}
 B 0 {2.0 * scale} NIGHT
[RESERVOIRS]
 Lake 0
[TANKS]
 T {30.0 * m} {5.0 * m} 0 {9.0 * m} {20.0 * m} 0
[PIPES]
 PT P T {100.0 * m} {300.0 * mm} 130
 TA T 甲街 {500.0 * m} {200.0 * mm} 130
 AB 甲街 B {800.0 * m} {100.0 * mm} 130
[PUMPS]
 U Lake P HEAD C
[CURVES]
 C {10.0 * scale} {50.0 * m}
[PATTERNS]
 NIGHT 1 1 1 2
[TIMES]
 {times}
 Hydraulic Timestep 1:00
 Pattern Timestep 3:00
[OPTIONS]
 Units {units}
 Headloss H-W
[END]
"""
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_each_pipe_carries_what_is_drawn_below_it(tmp_path: Path) -> None:
    """Streets take 4 and 2 l/s, from hour 9 on 4 and 4: the mains carry the sums; pipes hold pi d2 / 4 times their length."""
    model = read_epanet(town(tmp_path))
    main, side = (model.flow.reaches.index(r) for r in ("TA", "AB"))
    hour = np.arange(12)
    np.testing.assert_allclose(model.flow.discharge_start[:, side], np.where(hour < 9, 2e-3, 4e-3), rtol=1e-6)
    np.testing.assert_allclose(model.flow.discharge_end[:, main], np.where(hour < 9, 6e-3, 8e-3), rtol=1e-6)
    assert model.flow.volume[0, main] == pytest.approx(np.pi * 0.1**2 * 500.0)
    assert model.network.reach("AB").length_m == pytest.approx(800.0)
    assert model.network.reach("AB").depth_m == pytest.approx(0.1)
    assert model.network.reach("AB").width_m == pytest.approx(0.025 * np.pi)  # width x depth is the section
    assert {r.kind for r in model.network.reaches} == {"concealed_pipe"}


def test_tanks_are_lakes_pumps_structures_and_demands_leave(tmp_path: Path) -> None:
    model = read_epanet(town(tmp_path))
    kinds = {n.id: n.kind for n in model.network.nodes}
    assert kinds == {"P": "junction", "甲街": "outlet", "B": "outlet", "Lake": "boundary", "T": "lake"}
    tank = model.network.nodes[model.network.node_index("T")]
    assert tank.volume_m3 == pytest.approx(5.0 * np.pi * 10.0**2)
    assert tank.area_m2 == pytest.approx(np.pi * 10.0**2)
    assert [(s.reach, s.kind) for s in model.network.structures] == [("U", "pump")]
    given = dict(zip(model.flow.boundaries, model.flow.inflow.mean(axis=0), strict=True))
    assert given == pytest.approx({"甲街": -4e-3, "B": -2.5e-3})


def test_closure_has_nearly_nothing_to_do(tmp_path: Path) -> None:
    model = read_epanet(town(tmp_path))
    closed = balanced(model.flow, model.network)
    assert closed.balance.residual_share < 1e-6
    assert closed.balance.correction.max() < 1e-8


def test_feet_and_gallons_give_the_same_water(tmp_path: Path) -> None:
    """One litre per second is 15.8503 gallons per minute (NIST SP 811)."""
    metric = read_epanet(town(tmp_path))
    us = read_epanet(town(tmp_path, units="GPM", scale=15.850323, name="us.inp"))
    np.testing.assert_allclose(us.flow.discharge_start, metric.flow.discharge_start, rtol=2e-4)
    np.testing.assert_allclose(us.flow.volume, metric.flow.volume, rtol=1e-6)
    assert us.network.nodes[-1].volume_m3 == pytest.approx(metric.network.nodes[-1].volume_m3, rel=1e-5)


def test_chinese_paths_and_gb_files_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "武进"
    folder.mkdir()
    model = read_epanet(town(folder, name="管网.inp", encoding="gb18030"))
    assert "甲街" in {n.id for n in model.network.nodes}


def test_a_file_of_one_moment_is_run_for_a_day_and_says_so(tmp_path: Path) -> None:
    model = read_epanet(town(tmp_path, times="Duration 0"))
    assert model.flow.edges[-1] == 86400.0
    assert "Duration is 0" in str(model.notes[0])
    assert read_epanet(town(tmp_path, times="Duration 0"), hours=6.0).flow.edges[-1] == 6 * 3600.0


def test_the_run_begins_when_it_is_told_to(tmp_path: Path) -> None:
    day = np.datetime64("2024-07-01T00:00:00")
    given = read_epanet(town(tmp_path), start=day)
    assert given.flow.start == day
    assert not any("calendar" in str(note) for note in given.notes)
    told = read_epanet(town(tmp_path))
    assert told.flow.start == np.datetime64(NO_DATE)
    assert any("calendar" in str(note) for note in told.notes)


def test_its_clock_is_that_of_the_place_and_begins_where_the_file_says(tmp_path: Path) -> None:
    """Six in the morning of Beijing time is ten in the evening of the day before in UTC."""
    early = town(tmp_path, times="Duration 12:00\n Start ClockTime 6 am")
    model = read_epanet(early, timezone="Asia/Shanghai")
    assert model.flow.start == np.datetime64("1999-12-31T22:00:00")
    now = datetime(2026, 11, 29, tzinfo=UTC)
    done = import_flow(early, tmp_path / "new", ask=FlowAsk(), now=now, progress=lambda *_: None)
    assert done.to_dict()["begin"] == "2000-01-01T06:00:00+08:00"


def test_progress_ends_at_the_duration(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    read_epanet(town(tmp_path), progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (12 * 3600, 12 * 3600)
    assert [d for d, _ in told] == sorted(d for d, _ in told)


def test_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    whole = town(tmp_path).read_text("utf-8")
    cut = tmp_path / "cut.inp"
    cut.write_text(whole[: whole.index("[RESERVOIRS]")], "utf-8")
    with pytest.raises(InputError, match=r"cut\.inp: EPANET says"):
        read_epanet(cut)
    other = tmp_path / "other.inp"
    other.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(InputError, match=r"other\.inp"):
        read_epanet(other)
    with pytest.raises(InputError, match="no such file"):
        read_epanet(tmp_path / "none.inp")
    unit = tmp_path / "unit.inp"
    unit.write_text(whole.replace("Units LPS", "Units BUCKETS"), "utf-8")
    with pytest.raises(InputError, match=r"unit\.inp"):
        read_epanet(unit)


def test_steps_of_any_length_carry_the_same_water_in_even_bins() -> None:
    rng = np.random.default_rng(1)
    steps = np.concatenate([[0.0], np.sort(rng.uniform(0.0, 1000.0, 20)), [1000.0]])
    values = rng.normal(size=(21, 3))
    edges = np.linspace(0.0, 1000.0, 8)
    carried = (means_over(edges, values, steps=steps) * np.diff(edges)[:, None]).sum(axis=0)
    np.testing.assert_allclose(carried, (values * np.diff(steps)[:, None]).sum(axis=0), atol=1e-9)


@pytest.mark.parametrize(("name", "reaches"), [("Net3", 119), ("ky4", 1158), ("Net6", 3892)])
def test_published_networks_close(name: str, reaches: int) -> None:
    path = NETWORKS / f"{name}.inp"
    if not path.is_file():
        pytest.skip("needs ../shared/data/epanet_networks")
    model = read_epanet(path, hours=12.0)
    assert len(model.network.reaches) == reaches
    closed = balanced(model.flow, model.network)
    assert closed.balance.residual_share < 1e-6
    assert closed.balance.correction.max() < 1e-6
