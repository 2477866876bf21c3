"""SWMM's binary results: read by the published layout, as SWMM's own reader gives them, or refused for a reason."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from swmm_texts import write_out

from suyuan.errors import InputError
from suyuan.io.models.swmm_out import read_swmm_out

PAIR = Path(__file__).parents[2] / "shared" / "data" / "mike1d_res"
is_here = pytest.mark.skipif(
    not PAIR.is_dir(), reason="../shared/data/mike1d_res is not here: no pair of .inp and .out"
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    node = np.arange(4 * 2 * 6, dtype=float).reshape(4, 2, 6)
    link = np.arange(4 * 1 * 5, dtype=float).reshape(4, 1, 5)
    return write_out(tmp_path / "town.out", ["A", "雨水井"], ["R"], node=node, link=link)


def test_flow_volume_and_lateral_inflow_stand_where_the_layout_says(out: Path):
    found = read_swmm_out(out)
    assert (found.nodes, found.links, found.step_s, found.unit) == (("A", "雨水井"), ("R",), 300.0, "CMS")
    assert found.times[0] == np.datetime64("2024-07-01T00:05:00")
    assert found.flow[:, 0].tolist() == [0.0, 5.0, 10.0, 15.0]
    assert found.volume[:, 0].tolist() == [3.0, 8.0, 13.0, 18.0]
    assert found.lateral[1].tolist() == [15.0, 21.0]
    assert found.full_depth.tolist() == [2.0]


def test_a_cubic_foot_a_second_is_28_litres(tmp_path: Path):
    node, link = np.ones((2, 2, 6)), np.ones((2, 1, 5))
    found = read_swmm_out(write_out(tmp_path / "ft.out", ["A", "B"], ["R"], node=node, link=link, unit=0))
    assert found.flow[0, 0] == pytest.approx(0.0283168466, rel=1e-6)
    assert found.volume[0, 0] == pytest.approx(0.0283168466, rel=1e-6)
    assert found.stage[0, 0] == pytest.approx(0.3048, rel=1e-6)
    million_litres = read_swmm_out(
        write_out(tmp_path / "l.out", ["A", "B"], ["R"], node=node, link=link, unit=5)
    )
    assert million_litres.flow[0, 0] == pytest.approx(1000.0 / 86400.0, rel=1e-6)
    assert million_litres.volume[0, 0] == 1.0


def test_ids_in_gb_18030_are_read_in_the_encoding_of_the_inp(tmp_path: Path):
    node, link = np.ones((2, 2, 6)), np.ones((2, 1, 5))
    path = write_out(tmp_path / "gbk.out", ["太湖", "B"], ["运河"], node=node, link=link, encoding="gb18030")
    assert read_swmm_out(path, encoding="gb18030").links == ("运河",)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97])
def test_an_out_that_breaks_off_is_refused(out: Path, share: float):
    data = out.read_bytes()
    out.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=r"town.out: (breaks off after|is no output)"):
        read_swmm_out(out)


def test_an_out_with_a_piece_missing_in_the_middle_is_refused(out: Path):
    data = out.read_bytes()
    out.write_bytes(data[:-200] + data[-100:])
    with pytest.raises(InputError, match=r"has \d+ bytes, \d+ are due for 4 reports"):
        read_swmm_out(out)


def test_a_run_that_ended_with_an_error_is_refused(tmp_path: Path):
    path = write_out(
        tmp_path / "bad.out", ["A"], ["R"], node=np.ones((1, 1, 6)), link=np.ones((1, 1, 5)), code=317
    )
    with pytest.raises(InputError, match=r"bad.out: the run ended with SWMM error 317; see the ERROR line"):
        read_swmm_out(path)


def test_a_run_without_a_report_is_refused(tmp_path: Path):
    path = write_out(tmp_path / "none.out", ["A"], ["R"], node=np.ones((0, 1, 6)), link=np.ones((0, 1, 5)))
    with pytest.raises(InputError, match="holds no report"):
        read_swmm_out(path)


def test_results_of_swmm_5_0_which_lack_volumes_are_refused(tmp_path: Path):
    path = write_out(
        tmp_path / "old.out", ["A"], ["R"], node=np.ones((1, 1, 6)), link=np.ones((1, 1, 5)), version=50022
    )
    with pytest.raises(InputError, match=r"written by SWMM 5.0, which reports no volumes"):
        read_swmm_out(path)


def test_other_files_are_refused(tmp_path: Path):
    other = tmp_path / "other.out"
    other.write_bytes(b"a table of something else, long enough to hold a header")
    with pytest.raises(InputError, match="is no output of SWMM 5"):
        read_swmm_out(other)
    other.write_bytes(b"")
    with pytest.raises(InputError, match="it is empty"):
        read_swmm_out(other)
    with pytest.raises(InputError, match="cannot be read"):
        read_swmm_out(tmp_path / "nowhere.out")


def test_counts_that_do_not_fit_the_file_are_refused(out: Path):
    data = bytearray(out.read_bytes())
    struct.pack_into("<i", data, 16, 2_000_000)
    out.write_bytes(data)
    with pytest.raises(InputError, match=r"town.out: its parts do not fit each other"):
        read_swmm_out(out)


@is_here
def test_a_real_out_reads_as_with_swmms_own_reader():
    output = pytest.importorskip("swmm.toolkit.output", reason="swmm-toolkit is not installed")
    from swmm.toolkit.shared_enum import ElementType, LinkAttribute, NodeAttribute

    found = read_swmm_out(PAIR / "swmm.out")
    handle = output.init()
    output.open(handle, str(PAIR / "swmm.out"))
    foot = 0.3048
    try:
        for i, link in enumerate(found.links):
            assert output.get_elem_name(handle, ElementType.LINK, i) == link
            for attribute, mine, factor in (
                (LinkAttribute.FLOW_RATE, found.flow, foot**3),
                (LinkAttribute.FLOW_VOLUME, found.volume, foot**3),
                (LinkAttribute.FLOW_DEPTH, found.depth, foot),
            ):
                theirs = output.get_link_series(handle, i, attribute, 0, len(found.times) - 1)
                np.testing.assert_allclose(mine[:, i], np.array(theirs) * factor, rtol=1e-6)
        for i, node in enumerate(found.nodes):
            assert output.get_elem_name(handle, ElementType.NODE, i) == node
            for attribute, mine, factor in (
                (NodeAttribute.LATERAL_INFLOW, found.lateral, foot**3),
                (NodeAttribute.FLOODING_LOSSES, found.overflow, foot**3),
                (NodeAttribute.PONDED_VOLUME, found.held, foot**3),
            ):
                theirs = output.get_node_series(handle, i, attribute, 0, len(found.times) - 1)
                np.testing.assert_allclose(mine[:, i], np.array(theirs) * factor, rtol=1e-6)
    finally:
        output.close(handle)
    assert (len(found.nodes), len(found.links), len(found.times)) == (14, 13, 36)
    assert found.times[0] == np.datetime64("1998-01-01T01:00:00")
